/** The vices that are all in what is said about a job: the model's own, on real streams. */
import { evidenceProtocol } from '../../../protocols/evidence/index.ts'
import type { Notary } from '../../../protocols/negotiate/index.ts'
import { Dishonesty, type Vice as ModelVice } from '../../model/vices.ts'
import { bendStreams, carryIn } from './bent-streams.ts'
import { notaryOf, type Vice } from './vice.ts'

/** More than the model's: a live peer says little in its life. */
const rates = { replay: 0.5, corrupt: 0.3, forge: 0.5, equivocate: 1 }

export function spoken(vice: ModelVice): Vice {
  return {
    bend(ports, context) {
      const notary: Notary = notaryOf(context)
      const names = () => context.others().map(({ peer }) => peer)
      const dishonesty = new Dishonesty(vice, notary, context.random, names, rates)
      return bendStreams(ports, {
        say(protocol, frame) {
          const carry = carryIn(notary, protocol, frame)
          if (carry === undefined) return [frame]
          // What it says of another protocol would be no message on this stream, and its own undoing at once.
          return dishonesty.parcels(carry).flatMap((said) => (said.protocol === carry.protocol ? [said.frame] : []))
        },
        // Shown what it has signed, an honest peer takes it for the work of another with its key, and stops. A liar does not.
        heeds: (protocol) => protocol !== evidenceProtocol,
        hear(protocol, frame) {
          const carry = carryIn(notary, protocol, frame)
          if (carry !== undefined) dishonesty.hear(carry)
        },
      })
    },
  }
}
