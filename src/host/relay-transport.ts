/**
 * Dials through relays, and listens on them. The protocol is the library's (circuit relay v2); which relays are asked is ours to say
 * (relay-seeker.ts). Its own search walks the DHT and dials whoever it meets, and asks each relay once.
 */
import {
  RELAY_V2_STOP_CODEC,
  circuitRelayTransport,
  type CircuitRelayTransportComponents,
} from '@libp2p/circuit-relay-v2'
import type { PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'

import type { PeerName } from '../../protocols/wire/peer.ts'
import { relayAt } from './address.ts'
import { boundQuestion } from './bounded-question.ts'
import type { TransportFactory } from './configuration.ts'
import type { HostLimits } from './limits.ts'

export interface RelayTransport {
  /** For libp2p's list of transports. */
  readonly factory: TransportFactory
  /** Room for one more relay. The host must have been started. */
  listen(): Promise<void>
  /** Asks a peer to carry for us. It is renewed by itself for as long as the connection to it lasts. Rejects when it declines. */
  reserve(relay: PeerId): Promise<void>
  has(relay: PeerId): boolean
  /** Called when a relay was won or lost. */
  onChange(listener: () => void): void
}

/** Of the library's class, which it does not export. */
interface ReservationStore {
  addRelay(relay: PeerId, type: 'discovered'): Promise<unknown>
  hasReservation(relay: PeerId): boolean
  addEventListener(type: 'relay:created-reservation' | 'relay:removed', listener: () => void): void
}

/** `onServed`: so much came or went on a connection that somebody opened to us through that relay. */
export function createRelayTransport(
  { reserveMs, circuitsPerHolderMax }: HostLimits,
  onServed: (relay: PeerName, bytes: number) => void,
): RelayTransport {
  let made: { readonly store: ReservationStore; readonly components: CircuitRelayTransportComponents } | undefined
  const listeners = new Set<() => void>()
  const parts = (): NonNullable<typeof made> => {
    if (made === undefined) throw new Error('libp2p has not made the transport')
    return made
  }

  const factory = (components: CircuitRelayTransportComponents) => {
    const init = {
      reservationCompletionTimeout: reserveMs,
      maxInboundStopStreams: circuitsPerHolderMax,
      // Every peer has been looked at already.
      discoveryFilter: { has: () => true, add: () => {}, remove: () => {} },
    }
    const transport = circuitRelayTransport(init)({
      peerId: components.peerId,
      connectionManager: components.connectionManager,
      transportManager: components.transportManager,
      addressManager: components.addressManager,
      connectionGater: components.connectionGater,
      events: components.events,
      logger: components.logger,
      upgrader: counting(components.upgrader, onServed),
      registrar: onlyOfRelays(components.registrar, (relay) => parts().store.hasReservation(relay)),
      peerStore: withoutSearch(components.peerStore),
      randomWalk: { walk: async function* () {} },
    })
    const { reservationStore: store } = transport as unknown as { readonly reservationStore?: ReservationStore }
    if (store === undefined) throw new TypeError('the relay transport has no store of reservations')
    for (const type of ['relay:created-reservation', 'relay:removed'] as const)
      store.addEventListener(type, () => {
        for (const listener of listeners) listener()
      })
    made = { store, components }
    return transport
  }

  return {
    factory,
    listen: async () => parts().components.transportManager.listen([multiaddr('/p2p-circuit')]),
    reserve: async (relay) => void (await parts().store.addRelay(relay, 'discovered')),
    has: (relay) => parts().store.hasReservation(relay),
    onChange: (listener) => void listeners.add(listener),
  }
}

/** Counted once it is a connection: the listeners of its encryption and muxer are there, and miss nothing by ours. */
function counting(
  upgrader: CircuitRelayTransportComponents['upgrader'],
  onServed: (relay: PeerName, bytes: number) => void,
): CircuitRelayTransportComponents['upgrader'] {
  const counted: Pick<typeof upgrader, 'upgradeInbound' | 'upgradeOutbound' | 'createInboundAbortSignal'> = {
    createInboundAbortSignal: (signal) => upgrader.createInboundAbortSignal(signal),
    upgradeOutbound: async (connection, options) => upgrader.upgradeOutbound(connection, options),
    async upgradeInbound(connection, options) {
      await upgrader.upgradeInbound(connection, options)
      const relay = relayAt(connection.remoteAddr)
      if (relay === undefined) return
      const send = connection.send.bind(connection)
      connection.send = (data) => {
        onServed(relay, data.byteLength)
        return send(data)
      }
      connection.addEventListener('message', ({ data }) => onServed(relay, data.byteLength))
    },
  }
  return counted as typeof upgrader
}

/** Anybody may say that somebody dials us through them. The library would make them a relay of ours; here they are one already, or not heard. */
function onlyOfRelays(
  registrar: CircuitRelayTransportComponents['registrar'],
  isRelay: (peer: PeerId) => boolean,
): CircuitRelayTransportComponents['registrar'] {
  const guarded: Pick<typeof registrar, 'handle' | 'unhandle' | 'register' | 'unregister'> = {
    handle: async (protocol, handler, options) =>
      registrar.handle(
        protocol,
        (stream, connection) => {
          if (protocol === RELAY_V2_STOP_CODEC && !isRelay(connection.remotePeer)) {
            stream.abort(new Error('this peer is no relay of ours'))
            return undefined
          }
          // Until it is answered; then comes the connection.
          const release = boundQuestion(stream)
          const send = stream.send.bind(stream)
          stream.send = (data) => {
            release()
            stream.send = send
            return send(data)
          }
          return handler(stream, connection)
        },
        options,
      ),
    unhandle: async (protocol) => registrar.unhandle(protocol),
    register: async (protocol, topology) => registrar.register(protocol, topology),
    unregister: (id) => registrar.unregister(id),
  }
  return guarded as typeof registrar
}

/** The library asks it for relays of old and for whoever speaks the protocol. */
function withoutSearch(
  store: CircuitRelayTransportComponents['peerStore'],
): CircuitRelayTransportComponents['peerStore'] {
  const merge: typeof store.merge = async (...given) => store.merge(...given)
  return { merge, all: async () => [] } as unknown as typeof store
}
