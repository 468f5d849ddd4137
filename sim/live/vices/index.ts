/** How a live peer may be dishonest, and the ports that make it so. */
import type { OfferOptions } from '../../../src/config/options.ts'
import type { Host } from '../../../src/host/index.ts'
import type { PeerPorts } from '../../../src/node/ports.ts'
import { corrupt } from './corrupt.ts'
import { eclipse } from './eclipse.ts'
import { falseRecord } from './false-record.ts'
import { flood } from './flood.ts'
import { freeload } from './freeload.ts'
import { lazy } from './lazy.ts'
import { lie } from './lie.ts'
import type { LiveVice } from './names.ts'
import { overMeter } from './over-meter.ts'
import { poison } from './poison.ts'
import { slow } from './slow.ts'
import { spoken } from './spoken.ts'
import { sybil } from './sybil.ts'
import { bendHost, type Vice, type ViceContext } from './vice.ts'
import { withhold } from './withhold.ts'

export { liveVices, type LiveVice } from './names.ts'
export type { KnownPeer, ViceContext } from './vice.ts'
export { identityNear, placeOfPeer, placeOfRecord } from './identities.ts'

const known: Readonly<Record<LiveVice, Vice>> = {
  'over-meter': overMeter,
  'over-charge': spoken('over-charge'),
  withhold,
  'no-countersign': spoken('no-countersign'),
  'under-pay': spoken('under-pay'),
  'no-show': spoken('no-show'),
  replay: spoken('replay'),
  corrupt,
  forge: spoken('forge'),
  equivocate: spoken('equivocate'),
  flood,
  poison,
  lazy,
  lie,
  freeload,
  slow,
  'false-record': falseRecord,
  sybil,
  eclipse,
}

/** Of what an honest one asks. */
const priceShare = 0.1

/** The ports of a peer that has the vice. Its own activity, if it has any, is begun with `act`. */
export function withVice(vice: LiveVice, ports: PeerPorts, context: ViceContext): PeerPorts {
  return known[vice].bend(choosingVictims(ports, context), context)
}

/** What a peer with the vice says that it lends: it is cheaper than the honest, or would get no work to spoil. */
export function offerOf(vice: LiveVice, honest: OfferOptions): OfferOptions {
  const cheaper = { ...honest, cpuHourMicro: Math.ceil(honest.cpuHourMicro * priceShare) }
  return known[vice].lends?.(cheaper) ?? cheaper
}

/** What the vice does on its own account, until the signal fires. Never rejects; nothing is left behind when it resolves. */
export async function act(vice: LiveVice, host: Host, context: ViceContext, signal: AbortSignal): Promise<void> {
  await known[vice].act?.(host, context, signal)
}

/** Bids of others than its victims it does not hear. */
function choosingVictims(ports: PeerPorts, { victims }: ViceContext): PeerPorts {
  if (victims === null) return ports
  return bendHost(ports, (host) => ({
    ...host,
    gossip: {
      ...host.gossip,
      subscribe: (topic, handler) =>
        host.gossip.subscribe(topic, {
          messageBytesMax: handler.messageBytesMax,
          judge: (author, message) => handler.judge(author, message),
          deliver: (author, message) => {
            if (victims().includes(author)) handler.deliver(author, message)
          },
        }),
    },
  }))
}
