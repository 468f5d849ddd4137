/**
 * A transport that can be pulled out: what a killed process leaves of its connections, of a host that is one of many in its
 * process. Nothing else of the transport is changed.
 */
import type {
  Connection,
  CreateListenerOptions,
  DialTransportOptions,
  Listener,
  MultiaddrConnection,
  Transport,
  Upgrader,
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

import type { TransportFactory } from '../../src/host/index.ts'

export interface Plug {
  readonly transport: TransportFactory
  /** Connections break without a goodbye, nobody listens any more, and nothing is dialled. */
  pull(): void
}

/** Of one life of one host. `makeRoom` is called when it is about to listen. */
export function plugged(transport: TransportFactory, makeRoom: () => Promise<void>): Plug {
  const pulled = new AbortController()
  const connections = new Set<MultiaddrConnection>()
  const listeners = new Set<Listener>()
  const note = (connection: MultiaddrConnection): void => {
    pulled.signal.throwIfAborted()
    connections.add(connection)
    connection.addEventListener('close', () => connections.delete(connection), { once: true })
  }
  return {
    transport: (components) => {
      const plain = transport(components)
      const [dial, createListener] = [plain.dial.bind(plain), plain.createListener.bind(plain)]
      const noting: Pick<Transport, 'dial' | 'createListener'> = {
        async dial(address: Multiaddr, options: DialTransportOptions): Promise<Connection> {
          pulled.signal.throwIfAborted()
          const signal = AbortSignal.any([options.signal, pulled.signal])
          return dial(address, { ...options, signal, upgrader: notingUpgrader(options.upgrader, note) })
        },
        createListener(options: CreateListenerOptions): Listener {
          const listener = createListener({ ...options, upgrader: notingUpgrader(options.upgrader, note) })
          listeners.add(listener)
          const listen = listener.listen.bind(listener)
          return Object.assign(listener, {
            listen: async (address: Multiaddr) => {
              await makeRoom()
              pulled.signal.throwIfAborted()
              await listen(address)
            },
          })
        },
      }
      return Object.assign(plain, noting)
    },

    pull() {
      const gone = new Error('this host has ended')
      pulled.abort(gone)
      // What it closes it closes before it waits.
      for (const listener of listeners) void listener.close().catch(() => {})
      for (const connection of connections) connection.abort(gone)
    },
  }
}

/** Everything that becomes a connection comes by here, before the first byte is said on it. */
function notingUpgrader(upgrader: Upgrader, note: (connection: MultiaddrConnection) => void): Upgrader {
  return {
    upgradeInbound: async (connection: MultiaddrConnection, options: never) => {
      note(connection)
      return upgrader.upgradeInbound(connection, options)
    },
    upgradeOutbound: async (connection: MultiaddrConnection, options: never) => {
      note(connection)
      return upgrader.upgradeOutbound(connection, options)
    },
    createInboundAbortSignal: (signal) => upgrader.createInboundAbortSignal(signal),
    getStreamMuxers: () => upgrader.getStreamMuxers(),
    getConnectionEncrypters: () => upgrader.getConnectionEncrypters(),
  }
}
