/**
 * Keeps a host within reach that cannot be dialled: asks peers that serve as relays to carry for it, those that it is connected to or those
 * that its owner named, until `relaysMax` do. Who declines or goes away is asked again after a pause that doubles.
 */
import type { Libp2p, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'

import type { PeerName } from '../../protocols/wire/peer.ts'
import type { Clock, Log, Random } from '../environment.ts'
import { peerAt } from './address.ts'
import { relayProtocol } from './carrier.ts'
import type { Dialler } from './dialler.ts'
import { asError } from './errors.ts'
import type { HostLimits } from './limits.ts'
import type { RelayTransport } from './relay-transport.ts'

/** Through whom a host is reached. */
export interface RelaySeeking {
  /** Whether it needs relays to be dialled at all. */
  readonly isWanted: boolean
  readonly through: readonly PeerName[]
  /** Why the last that was asked does not carry for us; undefined when it does, or nobody was asked. */
  readonly refusal: string | undefined
}

export interface RelaySeekerInit {
  readonly node: Pick<Libp2p, 'register' | 'getConnections' | 'getMultiaddrs'>
  readonly transport: RelayTransport
  /** `auto`: when there is no address of our own to announce. Addresses name the peer. */
  readonly use: 'auto' | 'never' | readonly Multiaddr[]
  readonly dialler: Dialler
  readonly limits: HostLimits
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface RelaySeeker {
  /** After the host listens. */
  start(): Promise<void>
  stop(): void
  view(): RelaySeeking
}

interface Asked {
  failures: number
  nextMs: number
}

/** Relays whose refusals are remembered: those asked least lately are forgotten. */
const askedMax = 256

export function createRelaySeeker(init: RelaySeekerInit): RelaySeeker {
  const { node, transport, use, dialler, limits, clock, random, log } = init
  const stopping = new AbortController()
  const asked = new Map<PeerName, Asked>()
  /** Connected, without a relay between, and serving. */
  const serving = new Map<PeerName, PeerId>()
  let isWanted = false
  let isLooking = false
  let cancel: (() => void) | undefined
  let refusal: string | undefined

  const askedAt = (relay: PeerName): Asked => {
    const found = asked.get(relay) ?? { failures: 0, nextMs: 0 }
    asked.delete(relay)
    asked.set(relay, found)
    if (asked.size > askedMax) asked.delete(asked.keys().next().value!)
    return found
  }
  const through = (): PeerName[] => [...serving].flatMap(([name, peer]) => (transport.has(peer) ? [name] : []))

  const pause = (attempt: Asked): void => {
    attempt.failures += 1
    const ms = Math.min(limits.reserveAgainAfterMsMax, limits.reserveAgainAfterMs * 2 ** (attempt.failures - 1))
    attempt.nextMs = clock.monotonicMs() + ms * (0.75 + random.float() / 2)
  }

  const ask = async (name: PeerName, relay: PeerId): Promise<void> => {
    const attempt = askedAt(name)
    try {
      await transport.reserve(relay)
      attempt.failures = 0
      refusal = undefined
    } catch (error) {
      if (stopping.signal.aborted) return
      pause(attempt)
      refusal = reasonOf(asError(error))
      log('debug', 'a relay does not carry for us', { relay: name, reason: refusal })
    }
  }

  /** Those whom the owner named, whoever they are connected to. */
  const meetNamed = async (): Promise<void> => {
    if (typeof use === 'string') return
    for (const address of use) {
      const name = peerAt(address)!
      if (node.getConnections(peerIdFromString(name)).length > 0) continue
      const attempt = askedAt(name)
      if (attempt.nextMs > clock.monotonicMs()) continue
      try {
        await dialler.dial(address, stopping.signal)
      } catch (error) {
        if (stopping.signal.aborted) return
        pause(attempt)
        refusal = 'it cannot be dialled'
        log('debug', 'a relay cannot be dialled', { address: address.toString(), error })
      }
    }
  }

  const look = async (): Promise<void> => {
    if (isLooking || stopping.signal.aborted) return
    isLooking = true
    cancel?.()
    try {
      if (through().length < limits.relaysMax) await meetNamed()
      const named = typeof use === 'string' ? undefined : new Set(use.map(peerAt))
      // Not always the same ones first: all who look at once would ask the same relay.
      const candidates = [...serving]
        .filter(([name]) => named === undefined || named.has(name))
        .map(([name, peer]) => ({ name, peer, place: random.float() }))
        .toSorted((one, other) => one.place - other.place)
      for (const { name, peer } of candidates) {
        if (stopping.signal.aborted || through().length >= limits.relaysMax) break
        if (!transport.has(peer) && askedAt(name).nextMs <= clock.monotonicMs()) await ask(name, peer)
      }
    } finally {
      isLooking = false
      if (!stopping.signal.aborted) cancel = clock.after(limits.lookEveryMs, () => void look())
    }
  }

  return {
    async start() {
      if (use === 'never') return
      const hasOwn = node.getMultiaddrs().length > 0
      if (use === 'auto' && hasOwn) return
      isWanted = true
      for (let count = 0; count < limits.relaysMax; count++) await transport.listen()
      transport.onChange(() => void look())
      await node.register(relayProtocol, {
        onConnect: (peer, connection) => {
          if (!connection.direct) return
          serving.set(peer.toString(), peer)
          void look()
        },
        onDisconnect: (peer) => void serving.delete(peer.toString()),
      })
      void look()
    },

    stop() {
      stopping.abort(new Error('the host stops'))
      cancel?.()
    },

    view: () => ({ isWanted, through: isWanted ? through() : [], refusal }),
  }
}

/** What the library says, in words of ours: circuit relay v2 has a status for each. */
function reasonOf({ message }: Error): string {
  const status = /with status (\w+)/.exec(message)?.[1]?.toLowerCase() ?? ''
  return reasons.get(status) ?? message
}

const isFull = 'it carries for as many as it may'
const reasons: ReadonlyMap<string, string> = new Map([
  ['reservation_refused', isFull],
  ['resource_limit_exceeded', isFull],
  ['permission_denied', 'it carries for as many at our address as it may'],
])
