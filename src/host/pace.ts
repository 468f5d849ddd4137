/** How fast a peer is heard: so many frames a second, and so many at once when it has said little before. */
import type { PeerName } from '../../protocols/wire/peer.ts'
import type { Clock } from '../environment.ts'

/** Peers that are remembered; those that have said nothing for longest are forgotten first, and may say as much as a new one. */
const peersMax = 4_096

export interface Pace {
  /** Counts one frame of this peer. How long to wait before the next is heard, in milliseconds. */
  waitMs(peer: PeerName): number
}

export function createPace(perSecondMax: number, atOnceMax: number, clock: Pick<Clock, 'monotonicMs'>): Pace {
  /** When a peer will have been silent long enough for all that it has said. */
  const evenAtMs = new Map<PeerName, number>()
  const eachMs = 1_000 / perSecondMax
  return {
    waitMs(peer) {
      const nowMs = clock.monotonicMs()
      const atMs = Math.max(nowMs, evenAtMs.get(peer) ?? 0) + eachMs
      evenAtMs.delete(peer)
      evenAtMs.set(peer, atMs)
      if (evenAtMs.size > peersMax) evenAtMs.delete(evenAtMs.keys().next().value!)
      return Math.max(0, atMs - nowMs - atOnceMax * eachMs)
    },
  }
}
