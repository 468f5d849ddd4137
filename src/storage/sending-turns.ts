/**
 * How much all exchanges together send in one turn of the event loop. What was read for several of them is there at once, and each would
 * check, encrypt and send half a MiB of it before anything else has its turn.
 */
import type { Pace } from '../../protocols/transfer/index.ts'
import type { Turns } from '../environment.ts'

/** Half a millisecond of checking, encrypting and sending; as much as is taken in a turn. */
export const sentInTurnBytesMax = 128 * 1024

/** As `pace`; what would be over the limit of a turn waits for the next one, whoever came first goes first. */
export function inTurns(pace: Pace, turns: Turns): Pace {
  let sentBytes = 0
  let next: Promise<void> | undefined
  const nextTurn = async (): Promise<void> =>
    (next ??= new Promise((resolve) => {
      turns.next(() => {
        sentBytes = 0
        next = undefined
        resolve()
      })
    }))
  return {
    async up(bytes, signal) {
      while (sentBytes >= sentInTurnBytesMax) await nextTurn()
      sentBytes += bytes
      void nextTurn()
      await pace.up(bytes, signal)
    },
    down: async (bytes, signal) => pace.down(bytes, signal),
  }
}
