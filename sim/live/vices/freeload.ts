/** Has jobs done that are shorter than the interval of payment, takes what came of them, and signs for none. */
import { bendStreams, carryIn } from './bent-streams.ts'
import { notaryOf, type Vice } from './vice.ts'

export const freeload: Vice = {
  bend(ports, context) {
    const notary = notaryOf(context)
    const finals = new Set<string>()
    return bendStreams(ports, {
      say(protocol, frame) {
        const message = carryIn(notary, protocol, frame)?.message
        return message?.say === 'countersignature' && finals.has(message.countersignature.body.lease) ? [] : [frame]
      },
      hear(protocol, frame) {
        const message = carryIn(notary, protocol, frame)?.message
        if (message?.say === 'receipt' && message.receipt.body.final) finals.add(message.receipt.body.lease)
      },
    })
  },
}
