// Connections of libp2p's TCP before anything is agreed on them, and what encrypts them, without a host around.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'

import type {
  MessageStream,
  MultiaddrConnection,
  SecuredConnection,
  StreamMuxerFactory,
  Upgrader,
} from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { generateCertificate } from '@libp2p/tls/utils'
import { multiaddr } from '@multiformats/multiaddr'

import { realClock, realRandom, realTurns, type Turns } from '../../src/environment.ts'
import type { EncrypterFactory } from '../../src/host/encrypters.ts'
import { identityFromSeed } from '../../src/host/identity.ts'
import { silentLogger } from '../../src/host/silent-logger.ts'
import { socketTls, type SocketTlsParts } from '../../src/host/socket-tls.ts'
import { TurnBudget } from '../../src/host/turn-budget.ts'
import { inTime } from './network.ts'

export const muxer = '/yamux/1.0.0'
export type Raw = MultiaddrConnection & { readonly socket: Socket }

/** A port of 127.0.0.1 whose connections are handed over as libp2p's TCP makes them. */
export class Port implements AsyncDisposable {
  readonly #transport
  readonly #listener
  readonly #come: Raw[] = []
  readonly #waiting: ((raw: Raw) => void)[] = []
  readonly #made: Raw[] = []

  constructor(inactivityMs = 60_000) {
    this.#transport = tcp({
      inboundSocketInactivityTimeout: inactivityMs,
      outboundSocketInactivityTimeout: inactivityMs,
    })({ logger: silentLogger })
    this.#listener = this.#transport.createListener({ upgrader: this.#upgrader })
  }

  readonly #upgrader = {
    upgradeInbound: async (connection: MultiaddrConnection) => {
      this.#made.push(connection as Raw)
      const waiting = this.#waiting.shift()
      if (waiting === undefined) this.#come.push(connection as Raw)
      else waiting(connection as Raw)
    },
    upgradeOutbound: async (connection: MultiaddrConnection) => {
      this.#made.push(connection as Raw)
      return connection
    },
  } as unknown as Upgrader

  async listen(): Promise<this> {
    await this.#listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0'))
    return this
  }

  get #address() {
    return this.#listener.getAddrs()[0]!
  }

  async #inbound(): Promise<Raw> {
    const come = this.#come.shift()
    if (come !== undefined) return come
    const { promise, resolve } = Promise.withResolvers<Raw>()
    this.#waiting.push(resolve)
    return promise
  }

  /** Both ends of a connection: who dialled, and who was. */
  async pair(): Promise<[Raw, Raw]> {
    const near = await this.#transport.dial(this.#address, { upgrader: this.#upgrader, signal: inTime() })
    return [near as unknown as Raw, await this.#inbound()]
  }

  /** Of a peer that may say anything: its socket, and our end. */
  async dialled(): Promise<[Socket, Raw]> {
    const socket = connect(Number(this.#address.getComponents()[1]?.value), '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    return [socket, await this.#inbound()]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const raw of this.#made) raw.socket.destroy()
    await this.#listener.close()
  }
}

const muxers = new Map([[muxer, { protocol: muxer } as StreamMuxerFactory]])

/** One end, of an identity of its own, that encrypts as hosts do or as libp2p itself does. */
export function end(parts: Partial<SocketTlsParts> = {}, of: 'ours' | 'library' = 'ours') {
  const { peer, privateKey } = identityFromSeed(realRandom.bytes(32))
  const turns: Turns = parts.turns ?? realTurns
  const factory: EncrypterFactory =
    of === 'library'
      ? tls()
      : socketTls({ clock: realClock, otherwise: tls(), turns, budget: new TurnBudget(turns), ...parts })
  const upgrader = { getStreamMuxers: () => muxers }
  const encrypter = factory({ privateKey, logger: silentLogger, upgrader } as never)
  return Object.assign(encrypter, { peer, peerId: peerIdFromString(peer) })
}

export type End = ReturnType<typeof end>

/** What is handed on from now on; `over` resolves with how it ended. */
export function listenTo(stream: MessageStream) {
  const pieces: Uint8Array[] = []
  const over = Promise.withResolvers<{ status: string; error: Error | undefined }>()
  const heard = { pieces, over: over.promise, bytes: () => Buffer.concat(pieces), count: 0 }
  stream.addEventListener('message', ({ data }) => {
    pieces.push(data.subarray())
    heard.count += data.byteLength
  })
  stream.addEventListener('close', ({ error }) => over.resolve({ status: stream.status, error }))
  return heard
}

/** Sockets that are open in this process, by Node's own account. */
export const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length

export const met = async (
  port: Port,
  near: End,
  far: End,
): Promise<[SecuredConnection, SecuredConnection, Raw, Raw]> => {
  const [one, two] = await port.pair()
  const [dialled, answered] = await Promise.all([
    near.secureOutbound(one, { signal: inTime(), remotePeer: far.peerId }),
    far.secureInbound(two, { signal: inTime() }),
  ])
  return [dialled, answered, one, two]
}

export const send = async (stream: MessageStream, bytes: Uint8Array): Promise<void> => {
  for (let at = 0; at < bytes.byteLength; at += 100_000)
    if (!stream.send(bytes.subarray(at, at + 100_000))) await stream.onDrain({ signal: inTime() })
}

/** A peer that does TLS with Node alone, and says what it likes. */
export const bare = async (socket: Socket, options: ConnectionOptions = {}): Promise<TLSSocket> => {
  const secured = connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: ['libp2p'], ...options })
  secured.on('error', () => {})
  await once(secured, 'secure', { signal: inTime() })
  return secured
}

export const ownCertificate = async () => generateCertificate(identityFromSeed(realRandom.bytes(32)).privateKey)
