/** What binds is on the disk before it is said: after a crash nobody holds a statement that its author does not. */
import { equals } from 'uint8arrays'

import type { Settling } from '../../protocols/settle/index.ts'
import type { ModelPeer } from '../model/peer.ts'
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
                : message.say === 'dispute'
                  ? message.dispute.envelope
                  : message.say === 'result'
                    ? message.result.statement
                    : undefined
    if (envelope === undefined || disk.holds(envelope)) return undefined
    return `peer ${number} says ${message.say}, which is not on its disk`
  },
}

/** The same of settling. */
export function whatIsUnwritten({ disk, number }: ModelPeer, message: Settling): string | undefined {
  const envelope =
    message.say === 'propose'
      ? message.statement.envelope
      : message.say === 'differ'
        ? message.difference.envelope
        : message.agreement.envelope
  return disk.holds(envelope) || disk.statements.some(({ statement }) => equals(statement.envelope, envelope))
    ? undefined
    : `peer ${number} says ${message.say}, which is not on its disk`
}
