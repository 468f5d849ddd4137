/**
 * Two ends of a connection in one process, and the muxer that joins their streams directly: no encryption, no negotiation of
 * a muxer, no bytes of its own. Everything that one side says travels over one line, so that it arrives late and in order.
 */
import {
  MuxerClosedError,
  StreamResetError,
  UnsupportedProtocolError,
  type CreateStreamOptions,
  type Logger,
  type MessageStream,
  type StreamMuxerFactory,
} from '@libp2p/interface'
import { AbstractMultiaddrConnection, AbstractStreamMuxer, type SendResult } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'

import type { PeerName } from '../../protocols/wire/index.ts'
import type { Line } from './link.ts'
import type { Meter } from './measures/traffic.ts'
import { headerBytes, LiveStream } from './stream.ts'

/** Limits of the streams of a connection: what yamux is told in production. */
export interface StreamLimits {
  readonly streamsMax: number
  readonly windowBytes: number
  /** Bytes that wait for credit before the stream is aborted. */
  readonly writeBufferBytesMax: number
}

export interface LiveConnectionInit {
  readonly direction: 'inbound' | 'outbound'
  readonly remoteAddr: Multiaddr
  readonly log: Logger
  readonly limits: StreamLimits
  /** To the other end. */
  readonly line: Line
  /** Whose end this is. */
  readonly owner: PeerName
  readonly network: { readonly meter: Meter | undefined }
}

type Open = (muxer: LiveMuxer) => void

export class LiveConnection extends AbstractMultiaddrConnection {
  readonly limits: StreamLimits
  readonly #line: Line
  readonly #owner: PeerName
  readonly #network: LiveConnectionInit['network']
  #other: LiveConnection | undefined
  #muxer: LiveMuxer | undefined
  /** Streams that were opened before this end had its muxer. */
  #early: Open[] = []

  constructor({ limits, line, owner, network, ...init }: LiveConnectionInit) {
    super(init)
    this.limits = limits
    this.#line = line
    this.#owner = owner
    this.#network = network
  }

  static join(near: LiveConnection, far: LiveConnection): void {
    near.#other = far
    far.#other = near
  }

  get isEnded(): boolean {
    return this.status !== 'open' && this.status !== 'closing'
  }

  /** Calls `deliver` when the other end hears of it; never, when it has ended by then. `protocol` is that of the stream, if any. */
  transmit(bytes: number, deliver: () => void, protocol?: string): void {
    this.#network.meter?.sent(protocol, bytes)
    this.#line.send(bytes, () => {
      if (this.#other !== undefined && !this.#other.isEnded) deliver()
    })
  }

  /** Asks the other end's muxer for something, once it has one. */
  ask(open: Open): void {
    this.transmit(headerBytes, () => {
      const other = this.#other!
      if (other.#muxer === undefined) other.#early.push(open)
      else open(other.#muxer)
    })
  }

  /** This end took a stream that the other opened. */
  took(protocol: string | undefined): void {
    this.#network.meter?.taken(protocol, this.#owner)
  }

  attach(muxer: LiveMuxer): void {
    this.#muxer = muxer
    const early = this.#early
    this.#early = []
    for (const open of early) open(muxer)
  }

  /** As when the cable is pulled or the other machine is gone: both ends find the connection reset. */
  break(): void {
    for (const end of [this, this.#other]) if (end?.isEnded === false) end.onRemoteReset()
  }

  override sendData(): SendResult {
    throw new Error('bytes travel in streams')
  }

  override async sendClose(): Promise<void> {
    this.transmit(headerBytes, () => this.#other!.onTransportClosed())
  }

  override sendReset(): void {
    this.transmit(headerBytes, () => this.#other!.onRemoteReset())
  }

  override sendPause(): void {}
  override sendResume(): void {}
}

const muxerName = '/pleach-sim/1'

export class LiveMuxer extends AbstractStreamMuxer<LiveStream> {
  readonly #connection: LiveConnection
  readonly #speaks: (protocol: string) => boolean
  #opened = 0
  /** Streams that the other side has not taken yet. */
  readonly #opening = new Set<(reason: Error) => void>()

  constructor(connection: LiveConnection, speaks: (protocol: string) => boolean) {
    super(connection, { protocol: muxerName, name: 'live' })
    this.#connection = connection
    this.#speaks = speaks
    connection.addEventListener('close', () => this.#refuseAll(new MuxerClosedError()))
    connection.attach(this)
  }

  override async createStream(options: CreateStreamOptions = {}): Promise<LiveStream> {
    const stream = await super.createStream(options)
    if (!stream.isEnded) return stream
    // Reset in the very moment in which it was opened: whoever keeps the list was not listening yet.
    this.streams = this.streams.filter((other) => other !== stream)
    throw new StreamResetError()
  }

  /** Resolves once the other side has taken the stream: a round trip, as the negotiation of a protocol. */
  override async onCreateStream({ protocol, signal }: CreateStreamOptions): Promise<LiveStream> {
    const near = this.#stream('outbound', protocol)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = (): void => reject(signal?.reason as Error)
    signal?.addEventListener('abort', onAbort)
    this.#opening.add(reject)
    try {
      signal?.throwIfAborted()
      this.#connection.ask((remote) => remote.#take(near, protocol, resolve, reject))
      await promise
      return near
    } catch (error) {
      near.abort(error as Error)
      throw error
    } finally {
      this.#opening.delete(reject)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  override abort(error: Error): void {
    super.abort(error)
    this.#refuseAll(error)
  }

  override onData(): void {
    throw new Error('bytes travel in streams')
  }

  /** The other side, `near` being the asker's end, asks for a stream. The early protocol is passed on, so nothing is negotiated. */
  #take(near: LiveStream, protocol: string | undefined, taken: () => void, refused: (reason: Error) => void): void {
    const reason = this.#refusal(protocol)
    if (reason !== undefined) {
      this.#connection.transmit(headerBytes, () => refused(reason))
      return
    }
    const far = this.#stream('inbound', protocol)
    near.other = far
    far.other = near
    this.#connection.transmit(headerBytes, taken)
    this.#connection.took(protocol)
    this.onRemoteStream(far)
  }

  #refusal(protocol: string | undefined): Error | undefined {
    if (this.status !== 'open') return new MuxerClosedError()
    const inbound = this.streams.filter(({ direction }) => direction === 'inbound').length
    if (inbound >= this.#connection.limits.streamsMax) return new StreamResetError('too many streams')
    if (protocol === undefined || this.#speaks(protocol)) return undefined
    return new UnsupportedProtocolError(`the other side does not speak ${protocol}`)
  }

  #stream(direction: 'inbound' | 'outbound', protocol: string | undefined): LiveStream {
    const { windowBytes, writeBufferBytesMax } = this.#connection.limits
    const id = `${direction}-${this.#opened++}`
    return new LiveStream({
      id,
      direction,
      ...(protocol === undefined ? {} : { protocol }),
      log: this.log,
      connection: this.#connection,
      windowBytes,
      maxReadBufferLength: windowBytes,
      maxWriteBufferLength: writeBufferBytesMax,
    })
  }

  #refuseAll(reason: Error): void {
    for (const refuse of this.#opening) refuse(reason)
  }
}

export function muxerFactory(speaks: (protocol: string) => boolean): StreamMuxerFactory {
  return {
    protocol: muxerName,
    createStreamMuxer(connection: MessageStream): LiveMuxer {
      if (!(connection instanceof LiveConnection)) throw new TypeError('joins only ends of its own connections')
      return new LiveMuxer(connection, speaks)
    },
  }
}
