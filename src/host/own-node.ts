/**
 * A libp2p node that somebody else puts together, of what this peer must have and of more: transports, metrics, services of their own.
 * What limits, gossip and the DHT rest on is in the options that they are given; a node without it is refused.
 */
import type { Libp2p } from '@libp2p/interface'
import type { Libp2pOptions } from 'libp2p'

import type { Services } from './configuration.ts'
import { HostError } from './errors.ts'
import type { Identity } from './identity.ts'

/** As `createLibp2p`, given what the peer must have: `(options) => createLibp2p({ ...options, metrics: … })`. */
export type MakeLibp2p = (options: Libp2pOptions<Services>) => Promise<Libp2p<Services>>

/** Throws HostError LIBP2P_UNFIT, after the node has been stopped. */
export async function ownNode(
  make: MakeLibp2p,
  options: Libp2pOptions<Services>,
  { peer }: Pick<Identity, 'peer'>,
): Promise<Libp2p<Services>> {
  const node = await make(options)
  const lacking = whatIsWrong(node, peer, options)
  if (lacking === undefined) return node
  await node.stop()
  throw new HostError(
    'LIBP2P_UNFIT',
    `the libp2p node cannot be a peer's: ${lacking}`,
    'make it of the options that are given: (options) => createLibp2p({ ...options, … })',
    { lacking },
  )
}

function whatIsWrong(node: Libp2p<Services>, peer: string, options: Libp2pOptions<Services>): string | undefined {
  if (node.peerId.toString() !== peer) return 'it has another key'
  if (node.status !== 'stopped') return 'it has been started already'
  const services: Readonly<Record<string, unknown>> = node.services
  const missing = Object.keys(options.services ?? {}).filter((name) => services[name] === undefined)
  return missing.length === 0 ? undefined : `it has no ${missing.join(', ')}`
}
