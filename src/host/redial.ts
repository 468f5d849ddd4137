/**
 * Keeps the host connected: dials what a person typed and peers met before, until there are `connectionsMin`; when these are
 * too few, it asks for others.
 *
 * Each failure doubles the pause before the same address is tried again, with jitter of a half, so that peers that lost
 * one another at the same moment do not come back at the same moment. A connection that does not last counts as a failure.
 */
import type { Connection, Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

import type { Clock, Log, Random } from '../environment.ts'
import type { Dialler } from './dialler.ts'
import type { Explore } from './explore.ts'
import type { HostLimits } from './limits.ts'
import { unconnectedBootstrap, unconnectedPeers, type Candidate } from './peers.ts'

export interface RedialInit {
  readonly node: Pick<Libp2p, 'getConnections' | 'peerStore' | 'peerId' | 'addEventListener' | 'removeEventListener'>
  readonly bootstrap: readonly Multiaddr[]
  readonly dialler: Dialler
  /** Asks those that are connected for peers that were not met yet. */
  readonly explore: Explore
  readonly limits: HostLimits
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface Redial {
  start(): void
  stop(): void
}

interface Attempts {
  failures: number
  nextMs: number
  running: boolean
}

/** Addresses whose failures are remembered: those not tried for longest are forgotten. */
const attemptsKeptMax = 1024

export function createRedial({ node, bootstrap, dialler, explore, limits, clock, random, log }: RedialInit): Redial {
  const attempts = new Map<string, Attempts>()
  /** Its failures are those since the last connection that came of it or of a dial. */
  const exploring: Attempts = { failures: 0, nextMs: 0, running: false }
  const stopping = new AbortController()
  /** When the next look is, and how to call it off. */
  let next: { readonly atMs: number; readonly cancel: () => void } | undefined
  let looking = false
  let again = false

  const pauseMs = (failures: number): number =>
    Math.min(limits.redialAfterMsMax, limits.redialAfterMs * 2 ** (failures - 1)) * (0.75 + random.float() / 2)

  const attemptsAt = (key: string): Attempts => {
    const found = attempts.get(key) ?? { failures: 0, nextMs: 0, running: false }
    attempts.delete(key)
    attempts.set(key, found)
    if (attempts.size > attemptsKeptMax) attempts.delete(attempts.keys().next().value!)
    return found
  }

  /** The timer goes with the connection, and every connection goes with the host. */
  const forgiveLater = (connection: Connection, attempt: Attempts): void => {
    const cancel = clock.after(limits.redialForgiveMs, () => {
      attempt.failures = 0
    })
    connection.addEventListener('close', cancel)
  }

  const dial = async ({ key, target }: Candidate): Promise<void> => {
    const attempt = attemptsAt(key)
    attempt.running = true
    attempt.failures += 1
    try {
      const connection = await dialler.dial(target, stopping.signal)
      log('debug', 'connected', { address: connection.remoteAddr.toString() })
      exploring.failures = 0
      if (connection.status === 'open') forgiveLater(connection, attempt)
    } catch (error) {
      log('debug', 'could not connect', { address: target.toString(), failures: attempt.failures, error })
    } finally {
      attempt.running = false
      attempt.nextMs = clock.monotonicMs() + pauseMs(attempt.failures)
      lookNow()
    }
  }

  const exploreFor = async (missing: number): Promise<void> => {
    exploring.running = true
    exploring.failures += 1
    try {
      using deadline = clock.deadline(limits.exploreMs, stopping.signal)
      const found = await explore(missing, deadline.signal)
      const candidates = found.map((target) => ({ key: target.toString(), peer: target.toString(), target }))
      const nowMs = clock.monotonicMs()
      for (const candidate of candidates) {
        const { running, nextMs } = attemptsAt(candidate.key)
        if (!running && nextMs <= nowMs) void dial(candidate)
      }
    } catch (error) {
      log('debug', 'could not ask for peers', { failures: exploring.failures, error })
    } finally {
      exploring.running = false
      exploring.nextMs = clock.monotonicMs() + pauseMs(exploring.failures)
      lookNow()
    }
  }

  /** One look: dials what is due. Resolves with how long the next may wait. */
  const look = async (): Promise<number> => {
    // Dials under way count: the end of each makes us look again, and every look reads all peers that were ever met.
    const underWay = attempts.values().reduce((count, { running }) => count + Number(running), 0)
    const connected = node.getConnections().length
    const missing = limits.connectionsMin - connected - underWay
    if (missing <= 0) return limits.lookEveryMs
    const typed = unconnectedBootstrap(node, bootstrap)
    const named = new Set(typed.map(({ peer }) => peer))
    const met = (await unconnectedPeers(node, random, missing)).filter(({ peer }) => !named.has(peer))
    const nowMs = clock.monotonicMs()
    const known = [...typed, ...met].map((candidate) => ({ candidate, attempt: attemptsAt(candidate.key) }))
    const idle = known.filter(({ attempt }) => !attempt.running)
    const due = idle.filter(({ attempt }) => attempt.nextMs <= nowMs)
    for (const { candidate } of due) void dial(candidate)
    const waiting = idle.filter(({ attempt }) => attempt.nextMs > nowMs).map(({ attempt }) => attempt)
    // Nobody can be asked before somebody is there.
    if (due.length < missing && connected > 0 && !exploring.running) {
      if (exploring.nextMs <= nowMs) void exploreFor(missing - due.length)
      else waiting.push(exploring)
    }
    return Math.min(limits.lookEveryMs, ...waiting.map(({ nextMs }) => nextMs - nowMs))
  }

  const lookNow = (): void => {
    next?.cancel()
    next = undefined
    if (stopping.signal.aborted) return
    if (looking) {
      again = true
      return
    }
    looking = true
    void look()
      .catch((error: unknown) => {
        log('error', 'could not look for peers to dial', { error })
        return limits.lookEveryMs
      })
      .then((delayMs) => {
        looking = false
        if (again) {
          again = false
          lookNow()
        } else lookSoon(delayMs)
      })
  }

  /** A look that comes sooner anyway stays, so that a stream of losses does not put it off for ever. */
  const lookSoon = (delayMs: number): void => {
    const atMs = clock.monotonicMs() + delayMs
    if (stopping.signal.aborted || (next !== undefined && next.atMs <= atMs)) return
    next?.cancel()
    next = { atMs, cancel: clock.after(delayMs, lookNow) }
  }

  // Not at once: gossipsub hears of the loss late, and would take a new connection for the lost one and forget the peer.
  const onLoss = (): void => lookSoon(limits.redialAfterMs)

  return {
    start() {
      node.addEventListener('peer:disconnect', onLoss)
      lookNow()
    },

    stop() {
      stopping.abort(new Error('the host stops'))
      node.removeEventListener('peer:disconnect', onLoss)
      next?.cancel()
    },
  }
}
