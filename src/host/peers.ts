/** The addresses this host could dial: those a person typed, and those of peers it has met, which outlive a restart. */
import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

import type { PeerName } from '../../protocols/wire/peer.ts'
import type { Random } from '../environment.ts'
import { peerAt, withoutPeer } from './address.ts'
import { speaksGossip } from './gossip.ts'

export interface Candidate {
  /** Names the candidate over several looks. */
  readonly key: string
  /** Who should be there; undefined when the address does not say. */
  readonly peer: PeerName | undefined
  readonly target: PeerId | Multiaddr
}

type KnowingNode = Pick<Libp2p, 'getConnections' | 'peerStore' | 'peerId'>

/** Typed addresses to whose peer there is no connection. */
export function unconnectedBootstrap(node: KnowingNode, bootstrap: readonly Multiaddr[]): Candidate[] {
  const connections = node.getConnections()
  const peers = new Set(connections.map(({ remotePeer }) => remotePeer.toString()))
  const addresses = new Set(connections.map(({ remoteAddr }) => withoutPeer(remoteAddr)))
  return bootstrap
    .filter((address) => {
      const peer = peerAt(address)
      if (peer === node.peerId.toString()) return false
      return peer === undefined ? !addresses.has(withoutPeer(address)) : !peers.has(peer)
    })
    .map((address) => ({ key: withoutPeer(address), peer: peerAt(address), target: address }))
}

/** Some peers of our kind that were met before, and to which there is no connection; which ones is left to chance. */
export async function unconnectedPeers(node: KnowingNode, random: Random, countMax: number): Promise<Candidate[]> {
  const connected = new Set(node.getConnections().map(({ remotePeer }) => remotePeer.toString()))
  const candidates: Candidate[] = []
  let seen = 0
  await node.peerStore.forEach((peer) => {
    const key = peer.id.toString()
    if (connected.has(key) || peer.addresses.length === 0 || !speaksGossip(peer.protocols)) return
    // A reservoir: after any number of peers each has had the same chance to be among those kept.
    seen += 1
    const place = candidates.length < countMax ? candidates.length : Math.floor(random.float() * seen)
    if (place < countMax) candidates[place] = { key, peer: key, target: peer.id }
  })
  return candidates
}
