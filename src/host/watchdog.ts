/**
 * Redials peers that are connected but have no gossip stream with us.
 *
 * It happens when identify ran out of time, or when a stream of gossip was aborted because its peer was slow: gossipsub
 * opens none anew on a connection that it has. A connection that is made afresh goes through all of it again.
 */
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'

import type { Clock, Log } from '../environment.ts'
import type { Dialler } from './dialler.ts'
import { hasGossipStream, speaksGossip } from './gossip.ts'
import type { HostLimits } from './limits.ts'

/** How long a peer that went away is remembered: longer than it takes to redial it. */
const forgetMs = 3_600_000

export interface WatchdogInit {
  readonly node: Pick<Libp2p, 'getConnections' | 'peerStore' | 'hangUp'>
  readonly dialler: Dialler
  readonly limits: Pick<HostLimits, 'gossipStreamMissingMs' | 'lookEveryMs' | 'redialAfterMs' | 'stopMs'>
  readonly clock: Clock
  readonly log: Log
}

export interface Watchdog {
  start(): void
  stop(): void
}

export function createWatchdog({ node, dialler, limits, clock, log }: WatchdogInit): Watchdog {
  const missing = new Map<string, { sinceMs: number; redials: number }>()
  const stopping = new AbortController()
  let cancel = (): void => {}

  /** A peer that told us its protocols, and gossip is none of them, is left alone. */
  const lacksGossip = async (peer: PeerId, connections: readonly Connection[]): Promise<boolean> => {
    if (connections.some(hasGossipStream)) return false
    if (!connections.some((connection) => dialler.isIdentified(connection))) return true
    return speaksGossip((await node.peerStore.get(peer)).protocols)
  }

  const redial = async (peer: PeerId): Promise<void> => {
    log('info', 'redialling a peer that has no gossip stream', { peer: peer.toString() })
    using deadline = clock.deadline(limits.stopMs, stopping.signal)
    await node.hangUp(peer, { signal: deadline.signal })
    // Both sides' gossipsub must have dealt with the loss first, or they take the new connection for the lost one.
    await clock.sleep(limits.redialAfterMs, stopping.signal)
    await dialler.dial(peer, stopping.signal)
  }

  const check = async (peer: PeerId, connections: readonly Connection[]): Promise<void> => {
    const key = peer.toString()
    if (!(await lacksGossip(peer, connections))) {
      missing.delete(key)
      return
    }
    const nowMs = clock.monotonicMs()
    const found = missing.get(key) ?? { sinceMs: nowMs, redials: 0 }
    missing.set(key, found)
    if (nowMs - found.sinceMs < limits.gossipStreamMissingMs * 2 ** found.redials) return
    missing.set(key, { sinceMs: nowMs, redials: found.redials + 1 })
    await redial(peer)
  }

  const look = async (): Promise<void> => {
    const byPeer = Map.groupBy(node.getConnections(), ({ remotePeer }) => remotePeer.toString())
    // Not at once: a peer is away while it is redialled, and must not have its count begun anew by that.
    for (const [key, { sinceMs }] of missing) {
      if (!byPeer.has(key) && clock.monotonicMs() - sinceMs > forgetMs) missing.delete(key)
    }
    await Promise.all(
      [...byPeer.values()].map(async (connections) =>
        check(connections[0]!.remotePeer, connections).catch((error: unknown) =>
          log('debug', 'could not redial', { peer: connections[0]!.remotePeer.toString(), error }),
        ),
      ),
    )
  }

  const lookSoon = (): void => {
    if (stopping.signal.aborted) return
    cancel = clock.after(limits.lookEveryMs, () => {
      void look().finally(lookSoon)
    })
  }

  return {
    start: lookSoon,
    stop() {
      stopping.abort(new Error('the host stops'))
      cancel()
    },
  }
}
