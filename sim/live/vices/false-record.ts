/**
 * Says in its record that it was measured to have a thousand times what it has, and offers for whatever is called for. Who
 * awards it anything is told that there is no room after all.
 */
import { openCapability, sealCapability, type Quantity } from '../../../protocols/capability/index.ts'
import { encodeNegotiation, type Place } from '../../../protocols/negotiate/index.ts'
import { refusal, type Bulletin, type PeerName } from '../../../protocols/wire/index.ts'
import { bentStreams, carryIn } from './bent-streams.ts'
import { bendHost, notaryOf, type Vice, type ViceContext } from './vice.ts'

const factor = 1_000

export const falseRecord: Vice = {
  lends: (offer) => ({
    ...offer,
    cpuMilli: factor * offer.cpuMilli,
    memoryBytes: factor * offer.memoryBytes,
    keepBytes: factor * offer.keepBytes,
  }),
  bend(ports, context) {
    const notary = notaryOf(context)
    const awarded = new Map<PeerName, Place>()
    return bendHost(ports, (host) => ({
      ...host,
      bulletin: boasting(host.bulletin, context),
      streams: bentStreams(host.streams, {
        say(protocol, frame, to) {
          const message = carryIn(notary, protocol, frame)?.message
          const place = awarded.get(to)
          if (message?.say !== 'accept' || place === undefined) return [frame]
          return [encodeNegotiation({ say: 'refuse', place, refusal: refusal('BUSY') })]
        },
        hear(protocol, frame, from) {
          const message = carryIn(notary, protocol, frame)?.message
          if (message?.say !== 'award') return
          const { job, slot, epoch } = message.award.body
          awarded.set(from, { job, slot, epoch })
        },
      }),
    }))
  },
}

function boasting(bulletin: Bulletin, context: ViceContext): Bulletin {
  const { signer, network } = notaryOf(context)
  return {
    ...bulletin,
    async put(namespace, key, value, signal) {
      const { body } = openCapability(signer, network, value, context.clock.nowMs())
      const { compute, storage } = body
      const boast = {
        ...body,
        compute: compute && {
          ...compute,
          cpuMilli: measured(compute.cpuMilli),
          memoryBytes: measured(compute.memoryBytes),
        },
        storage: storage && { ...storage, keepBytes: measured(storage.keepBytes) },
      }
      return bulletin.put(namespace, key, sealCapability(signer, network, boast), signal)
    },
  }
}

const measured = ({ value }: Quantity): Quantity => ({ value, evidence: 'measured' })
