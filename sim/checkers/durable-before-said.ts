/** What binds is on the disk before it is said: after a crash nobody holds a statement that its author does not. */
import type { Checker } from './checker.ts'

export const durableBeforeSaid: Checker = {
  name: 'durable-before-said',
  onSaid({ disk, number }, { message }) {
    const envelope =
      message.say === 'award'
        ? message.award.envelope
        : message.say === 'accept'
          ? message.accept.envelope
          : message.say === 'commit'
            ? message.commit.envelope
            : message.say === 'receipt'
              ? message.receipt.envelope
              : message.say === 'countersignature'
                ? message.countersignature.envelope
                : message.say === 'result'
                  ? message.result.statement
                  : undefined
    if (envelope === undefined || disk.holds(envelope)) return undefined
    return `peer ${number} says ${message.say}, which is not on its disk`
  },
}
