/**
 * Finds peers that this host has not met, by asking the DHT who is nearest to a place that chance picks. kad-dht looks round
 * by itself a second after the start and then every five minutes; a host whose first connection came later than that
 * second would have that one connection, and be in nobody's mesh, for five minutes (measured).
 */
import type { PeerId } from '@libp2p/interface'
import type { SingleKadDHT } from '@libp2p/kad-dht'

import type { Random } from '../environment.ts'

/** Resolves with up to so many peers that answers name, and perhaps with none. Some may be connected, or be long gone. */
export type Explore = (countMax: number, signal: AbortSignal) => Promise<readonly PeerId[]>

const placeBytes = 32

export function createExplore(
  dht: Pick<SingleKadDHT, 'getClosestPeers'>,
  random: Random,
  isWanted: (peer: PeerId) => boolean,
): Explore {
  return async (countMax, signal) => {
    const found = new Map<string, PeerId>()
    try {
      for await (const event of dht.getClosestPeers(random.bytes(placeBytes), { signal })) {
        if (event.name !== 'PEER_RESPONSE') continue
        for (const { id } of event.closer) if (isWanted(id)) found.set(id.toString(), id)
        // Whoever answers more makes us dial no more.
        if (found.size >= countMax) break
      }
    } catch (error) {
      if (found.size === 0) throw error
    }
    return [...found.values()].slice(0, countMax)
  }
}
