/**
 * TLS 1.3 over the socket of a TCP connection itself, as `/tls/1.0.0` of libp2p: the same certificates, the same bytes on the wire.
 * `@libp2p/tls` lays it over libp2p's connection: ciphertext comes up to JavaScript to be handed down to Node again, on either way, by
 * two layers of streams. What has no socket (a circuit through a relay, a simulator's transport) is left to it. Figures: README.md.
 */
import { once } from 'node:events'
import { connect, TLSSocket, type SecureContext } from 'node:tls'

import {
  InvalidCryptoExchangeError,
  type SecuredConnection,
  type SecureConnectionOptions,
  type StreamMuxerFactory,
} from '@libp2p/interface'
import { verifyPeerCertificate } from '@libp2p/tls/utils'

import type { Clock } from '../environment.ts'
import type { EncrypterFactory } from './encrypters.ts'
import { countingWire, isOverSocket, SocketStream, type OverSocket, type SocketStreamParts } from './socket-stream.ts'
import { tlsContext } from './tls-context.ts'

/**
 * What waits in the socket before those who write are told to wait. With Node's own 64 KiB that is each block: a keeper then takes a tenth more for
 * a byte. Whatever is sent is behind that much, as it is behind what the kernel holds.
 */
const waitingBytesMax = 256 * 1024

/** What ALPN says when no muxer is agreed on in the handshake. */
const noMuxer = 'libp2p'

export interface SocketTlsParts extends SocketStreamParts {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Of connections without a socket. */
  readonly otherwise: EncrypterFactory
}

export function socketTls({ clock, otherwise, ...parts }: SocketTlsParts): EncrypterFactory {
  return (components) => {
    const library = otherwise(components)
    const context = tlsContext(components.privateKey, clock)
    // libp2p makes its upgrader after its encrypters.
    const secure = async (connection: OverSocket, role: Role, options?: SecureConnectionOptions) =>
      secured(connection, role, { context, muxers: components.upgrader.getStreamMuxers() }, parts, options)
    return {
      protocol: library.protocol,
      secureInbound: async (connection, options) =>
        isOverSocket(connection) ? secure(connection, 'server', options) : library.secureInbound(connection, options),
      secureOutbound: async (connection, options) =>
        isOverSocket(connection) ? secure(connection, 'client', options) : library.secureOutbound(connection, options),
    }
  }
}

type Role = 'client' | 'server'

interface Own {
  readonly context: () => Promise<SecureContext>
  readonly muxers: ReadonlyMap<string, StreamMuxerFactory>
}

async function secured(
  connection: OverSocket,
  role: Role,
  { context, muxers }: Own,
  parts: SocketStreamParts,
  { signal, remotePeer, skipStreamMuxerNegotiation }: SecureConnectionOptions = {},
): Promise<SecuredConnection> {
  const offered: ReadonlyMap<string, StreamMuxerFactory> = skipStreamMuxerNegotiation === true ? new Map() : muxers
  const countWire = countingWire(connection, parts)
  try {
    takeOver(connection)
    const secureContext = await context()
    signal?.throwIfAborted()
    throwIfEnded(connection)
    const socket =
      role === 'client' ? asClient(connection, secureContext, offered) : asServer(connection, secureContext, offered)
    // For as long as it lives: Node tells of errors after the handshake too, some by the second event alone.
    const onError = (error: Error): void => connection.abort(error)
    socket.on('error', onError).on('_tlsError', onError)
    await handshake(socket, signal)
    await turn(parts)
    throwIfEnded(connection)
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) throw new InvalidCryptoExchangeError('the other side has no certificate')
    const peer = await verifyPeerCertificate(certificate.raw, remotePeer, connection.log)
    signal?.throwIfAborted()
    throwIfEnded(connection)
    const streamMuxer = agreed(socket, offered)
    return {
      remotePeer: peer,
      connection: new SocketStream(connection, socket, countWire, parts),
      ...(streamMuxer === undefined ? {} : { streamMuxer }),
    }
  } catch (error) {
    connection.abort(error as Error)
    throw error
  } finally {
    countWire?.()
  }
}

/**
 * Node tells that the handshake is through from within OpenSSL's read, and what waits for that runs there: the checks of the certificate wait for
 * nothing else, and then libp2p writes. To write, or to end the connection, before OpenSSL has returned is a segmentation fault, which
 * test/sim/live-agents.test.ts met every time.
 */
async function turn({ turns }: SocketStreamParts): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  turns.next(resolve)
  await promise
}

/** Nothing that comes goes to libp2p's connection any more; what has come already, which is of TLS, goes back to the socket. */
function takeOver(connection: OverSocket): void {
  throwIfEnded(connection)
  const { socket } = connection
  socket.pause()
  socket.removeAllListeners('data')
  // Who listens is given what has come: in a microtask, which is before anything that is awaited from here on.
  const giveBack: (event: { data: { subarray(): Uint8Array } }) => void = ({ data }) => socket.unshift(data.subarray())
  connection.addEventListener('message', giveBack, { once: true })
}

function throwIfEnded(connection: OverSocket): void {
  if (connection.status !== 'open' || connection.socket.destroyed)
    throw new InvalidCryptoExchangeError('the connection ended before it was encrypted')
}

/** What both ends want of Node. Certificates sign themselves: they are checked afterwards, as libp2p does. */
const common = { rejectUnauthorized: false, highWaterMark: waitingBytesMax } as const

function asClient({ socket }: OverSocket, secureContext: SecureContext, muxers: Own['muxers']): TLSSocket {
  return connect({ ...common, socket, secureContext, ALPNProtocols: [...muxers.keys(), noMuxer] })
}

function asServer({ socket }: OverSocket, secureContext: SecureContext, muxers: Own['muxers']): TLSSocket {
  return new TLSSocket(socket, {
    ...common,
    secureContext,
    isServer: true,
    requestCert: true,
    ALPNCallback: ({ protocols }) =>
      protocols.find((name) => muxers.has(name)) ?? protocols.find((name) => name === noMuxer),
  })
}

/** Resolves when it is through. A peer that leaves in the midst of it is no error to Node. */
async function handshake(socket: TLSSocket, signal: AbortSignal | undefined): Promise<void> {
  const left = new AbortController()
  socket.once('close', () => left.abort(new InvalidCryptoExchangeError('the connection ended in the handshake')))
  await once(socket, 'secure', {
    signal: signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]),
  })
}

function agreed({ alpnProtocol }: TLSSocket, muxers: Own['muxers']): StreamMuxerFactory | undefined {
  if (typeof alpnProtocol !== 'string' || alpnProtocol === noMuxer) return undefined
  const muxer = muxers.get(alpnProtocol)
  if (muxer === undefined) throw new InvalidCryptoExchangeError(`no muxer is called ${alpnProtocol}`)
  return muxer
}
