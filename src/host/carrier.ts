/**
 * What a relay does for peers that cannot be dialled: it keeps a connection to each, and joins whoever dials them to it. The protocol is the
 * library's (circuit relay v2); for whom, how much and how fast is decided and counted here. It sees ciphertext alone: both ends agree
 * on Noise or TLS through it.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

import {
  RELAY_V2_HOP_CODEC,
  circuitRelayServer,
  type CircuitRelayServerComponents,
  type CircuitRelayService,
} from '@libp2p/circuit-relay-v2'
import type { Connection, ConnectionGater, PeerId, Stream } from '@libp2p/interface'

import type { PeerName } from '../../protocols/wire/peer.ts'
import type { Clock, Log } from '../environment.ts'
import { houseAt } from './address.ts'
import { boundQuestion } from './bounded-question.ts'
import { watchCircuit } from './circuit.ts'
import type { HostLimits } from './limits.ts'

/** What a relay tells of itself. */
export interface Carrying {
  /** Those that are reached through it. */
  readonly holders: readonly PeerName[]
  readonly circuits: number
  /** Since the host was made. */
  readonly bytes: number
}

export interface CarrierInit {
  readonly limits: HostLimits
  /** Whether addresses tell peers apart. */
  readonly isPublic: boolean
  readonly clock: Pick<Clock, 'after' | 'monotonicMs'>
  readonly log: Log
  /** So much was carried to or from a peer that is reached through us. */
  readonly onCarried: (holder: PeerName, bytes: number) => void
}

export interface Carrier {
  /** For libp2p's `services`. */
  readonly service: (components: CircuitRelayServerComponents) => CircuitRelayService
  /** For libp2p's gater: who is declined. */
  readonly gates: Pick<ConnectionGater, 'denyInboundRelayReservation' | 'denyOutboundRelayedConnection'>
  /** The last connection to a peer has closed: nobody is joined to it any more. */
  gone(peer: PeerId): void
  view(): Carrying
}

interface Dialling {
  readonly near: Stream
  readonly caller: PeerName
  /** What follows is carried, and may be long. */
  readonly release: () => void
}

interface OpenCircuit {
  readonly caller: PeerName
  readonly holder: PeerName
}

/** A circuit may be ahead of its rate by so much before it is held: what is held for less costs more than it spares. */
const aheadMsMax = 250
/** Of all that a relay carries in a second, for one that it carries for. */
const shareOfOne = 0.5

export function createCarrier({ limits, isPublic, clock, log, onCarried }: CarrierInit): Carrier {
  const circuits = new Set<OpenCircuit>()
  const rates = new Map<PeerName, Rate>()
  const whole = new Rate(limits.relayedBytesPerSecondMax, clock)
  let relay: CircuitRelayService | undefined
  let connectionsOf: (peer: PeerId) => readonly Connection[] = () => []
  let bytes = 0

  const holders = (): PeerName[] => [...(relay?.reservations.keys() ?? [])].map(String)
  const count = (what: Partial<OpenCircuit>): number =>
    circuits
      .values()
      .filter(
        ({ caller, holder }) =>
          (what.caller === undefined || what.caller === caller) &&
          (what.holder === undefined || what.holder === holder),
      )
      .reduce((sum) => sum + 1, 0)
  const houseOf = (peer: PeerId): string | undefined =>
    connectionsOf(peer)
      .filter(({ direct }) => direct)
      .map(({ remoteAddr }) => houseAt(remoteAddr))[0]

  const rateOf = (holder: PeerName): Rate => {
    const found = rates.get(holder) ?? new Rate(limits.relayedBytesPerSecondMax * shareOfOne, clock)
    rates.set(holder, found)
    return found
  }

  const join = (near: Stream, caller: PeerName, far: Stream, holder: PeerName): void => {
    const circuit = { caller, holder }
    circuits.add(circuit)
    const rate = rateOf(holder)
    const rules = {
      bytesMax: limits.circuitBytesMax,
      msMax: limits.circuitMsMax,
      spend: (more: number) => {
        bytes += more
        onCarried(holder, more)
        return Math.max(whole.spend(more), rate.spend(more))
      },
      onEnd: () => {
        circuits.delete(circuit)
        if (count({ holder }) === 0) rates.delete(holder)
      },
    }
    watchCircuit(near, far, rules, clock)
  }

  const tooMany = (caller: PeerName, holder: PeerName): boolean =>
    circuits.size >= limits.circuitsMax ||
    count({ holder }) >= limits.circuitsPerHolderMax ||
    count({ caller }) >= limits.circuitsPerCallerMax

  return {
    service(components) {
      connectionsOf = (peer) => components.connectionManager.getConnections(peer)
      /** The stream of whoever dials through us, while the library finds the one that it is to be joined to. */
      const dialling = new AsyncLocalStorage<Dialling>()
      const registrar: Pick<CircuitRelayServerComponents['registrar'], 'handle' | 'unhandle'> = {
        handle: async (protocol, handler, options) =>
          components.registrar.handle(
            protocol,
            (stream, connection) => {
              const from = {
                near: stream,
                caller: connection.remotePeer.toString(),
                release: boundQuestion(stream),
              }
              return dialling.run(from, () => handler(stream, connection))
            },
            options,
          ),
        unhandle: async (protocol) => components.registrar.unhandle(protocol),
      }
      /** Only those that need no relay themselves. */
      const reached = (connection: Connection): Pick<Connection, 'remotePeer' | 'newStream'> => ({
        remotePeer: connection.remotePeer,
        newStream: async (protocol, options) => {
          const far = await connection.newStream(protocol, options)
          const from = dialling.getStore()
          if (from !== undefined) {
            from.release()
            join(from.near, from.caller, far, connection.remotePeer.toString())
          }
          return far
        },
      })
      const connectionManager = {
        getConnections: (peer: PeerId) =>
          connectionsOf(peer)
            .filter(({ direct, status }) => direct && status === 'open')
            .map(reached),
      }
      relay = circuitRelayServer({
        maxInboundHopStreams: limits.circuitsPerCallerMax + 1,
        maxOutboundStopStreams: limits.circuitsPerHolderMax,
        // Not libp2p's 128 KiB and two minutes: no protocol of ours runs on a connection that ends so soon. Ours are in circuit.ts.
        reservations: {
          applyDefaultLimit: false,
          maxReservations: limits.reservationsMax,
          reservationTtl: limits.reservationMs,
        },
      })({
        peerId: components.peerId,
        privateKey: components.privateKey,
        peerStore: components.peerStore,
        addressManager: components.addressManager,
        connectionGater: components.connectionGater,
        logger: components.logger,
        registrar: registrar as CircuitRelayServerComponents['registrar'],
        connectionManager: connectionManager as unknown as CircuitRelayServerComponents['connectionManager'],
      })
      return relay
    },

    gates: {
      denyInboundRelayReservation(peer) {
        const house = isPublic ? houseOf(peer) : undefined
        if (house === undefined || relay?.reservations.has(peer) === true) return false
        const others = [...(relay?.reservations.keys() ?? [])].filter((holder) => houseOf(holder) === house).length
        if (others < limits.reservationsPerHouseMax) return false
        log('debug', 'not carried for: too many of one address', { peer: peer.toString(), house })
        return true
      },
      denyOutboundRelayedConnection(caller, holder) {
        const isDenied = tooMany(caller.toString(), holder.toString())
        if (isDenied)
          log('debug', 'not joined: too many circuits', { caller: caller.toString(), holder: holder.toString() })
        return isDenied
      },
    },

    gone(peer) {
      // The library keeps a place for an hour, whether anybody can be joined to it or not.
      relay?.reservations.get(peer)?.signal.clear()
      relay?.reservations.delete(peer)
    },

    view: () => ({ holders: holders(), circuits: circuits.size, bytes }),
  }
}

/** Whether a peer serves as a relay. */
export const relayProtocol = RELAY_V2_HOP_CODEC

class Rate {
  readonly #bytesPerMs: number
  readonly #clock: Pick<Clock, 'monotonicMs'>
  #freeAtMs = 0

  constructor(bytesPerSecond: number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#bytesPerMs = bytesPerSecond / 1_000
    this.#clock = clock
  }

  /** For how long no more should come. */
  spend(bytes: number): number {
    const nowMs = this.#clock.monotonicMs()
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + bytes / this.#bytesPerMs
    const aheadMs = this.#freeAtMs - nowMs
    return aheadMs > aheadMsMax ? aheadMs : 0
  }
}
