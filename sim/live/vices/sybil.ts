/**
 * One of many names that one operator has, at one address: all offer for every bid, for next to nothing, though there is one
 * machine; and who is awarded anything never answers.
 */
import { carryIn, bendStreams } from './bent-streams.ts'
import { notaryOf, type Vice } from './vice.ts'

export const sybil: Vice = {
  lends: (offer) => ({ ...offer, cpuHourMicro: 1 }),
  bend(ports, context) {
    const notary = notaryOf(context)
    return bendStreams(ports, {
      say: (protocol, frame) => (carryIn(notary, protocol, frame)?.message.say === 'accept' ? [] : [frame]),
    })
  },
}
