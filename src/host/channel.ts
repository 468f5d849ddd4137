/**
 * A channel over a libp2p stream: whole frames, with back-pressure both ways and a bound on what is held.
 *
 * libp2p 3's streams have four traps, which is why nothing here uses their convenience helpers:
 * - `for await` over a stream, and everything built on it, queues without bound. Here what comes is queued raw up to a cap,
 *   then the stream is paused, and bytes become frames only when somebody reads.
 * - `pause()` inside a `message` event that `resume()` dispatched is undone by that very `resume()`: the window opens again,
 *   and the stream is aborted when its buffer overflows. So whether to pause is decided after `resume()` has returned.
 * - `onDrain()` waits once, and a `drain` may let only some bytes go: a peer that grants 13 bytes at a time would make us
 *   hold frame upon frame. So a write waits until nothing of it is left in libp2p.
 * - A lost connection looks like a clean end: only `remoteCloseWrite` says that the other side meant to close.
 */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'

import { Uint8ArrayList } from 'uint8arraylist'

import type { Channel } from '../../protocols/wire/channel.ts'
import { FrameDecoder, encodeFramePrefix } from '../../protocols/wire/frame.ts'
import type { PeerName } from '../../protocols/wire/peer.ts'
import { asError } from './errors.ts'
import { updateWindowByHalves } from './window-updates.ts'

/** The stream is over and nothing can be read or written any more. Nobody broke the protocol. */
export class ChannelClosedError extends Error {
  override readonly name = 'ChannelClosedError'
  /** aborted: by us. reset: by the other side. lost: the connection went away. closed: our side had been closed before. */
  readonly code: 'aborted' | 'reset' | 'lost' | 'closed'

  constructor(code: ChannelClosedError['code'], cause?: unknown) {
    super(`the channel is over: ${code}`, cause === undefined ? {} : { cause })
    this.code = code
  }
}

export interface ChannelLimits {
  readonly frameBytesMax: number
  /** Raw bytes held before the stream is paused. One granted window may come on top. */
  readonly queueBytesMax: number
  /** Left out: as the stream has it. */
  readonly windowBytes?: number
}

export interface StreamChannel extends Channel {
  /** Resolves when the stream is over in both directions, however it ended. */
  readonly closed: Promise<void>
  /** Raw bytes held here and not yet read, with what each piece costs beside its bytes. */
  readonly queuedBytes: number
}

/** A piece of one byte costs as much as a piece of a hundred: without this, a cap on bytes would not cap memory. */
const chunkOverheadBytes = 128
/** So much is decoded at once: a piece of a megabyte may hold a million empty frames. */
const decodeBytes = 16 * 1024

export function createChannel(stream: Stream, remote: PeerName, limits: ChannelLimits): StreamChannel {
  updateWindowByHalves(stream, limits.windowBytes)
  return new LibP2PChannel(stream, remote, limits)
}

class LibP2PChannel implements StreamChannel {
  readonly remote: PeerName
  readonly closed: Promise<void>
  readonly #stream: Stream
  readonly #frameBytesMax: number
  readonly #queueBytesMax: number
  readonly #decoder: FrameDecoder
  readonly #chunks: Uint8Array[] = []
  readonly #frames: Uint8Array[] = []
  #queuedBytes = 0
  #resuming = false
  /** The other side has said that it sends no more. */
  #finished: boolean
  /** Why nothing more will come; what came before is still read first. */
  #ended: Error | undefined
  /** Why nothing may be read any more, whatever came: our own abort, or the other side's fault. */
  #failed: Error | undefined
  #wakeReader: (() => void) | undefined
  /** Of the writes that wait until what they wrote is gone. */
  readonly #wakeWriters = new Set<() => void>()

  constructor(stream: Stream, remote: PeerName, limits: ChannelLimits) {
    this.remote = remote
    this.#stream = stream
    this.#frameBytesMax = limits.frameBytesMax
    this.#queueBytesMax = limits.queueBytesMax
    this.#decoder = new FrameDecoder(limits.frameBytesMax)
    const closed = Promise.withResolvers<void>()
    this.closed = closed.promise
    // Negotiating the protocol took time, and the other side may have sent everything and closed meanwhile.
    this.#finished = stream.status === 'open' && stream.remoteWriteStatus === 'closed'
    if (stream.status === 'open') {
      stream.addEventListener('message', (event) => this.#onMessage(event))
      // Listened to once and not for each wait: a muxer tells all its streams of every drain, and most have to wait on.
      for (const event of drainEvents) stream.addEventListener(event, () => this.#onDrain())
      stream.addEventListener('remoteCloseWrite', () => {
        this.#finished = true
        this.#wakeReader?.()
      })
      stream.addEventListener('close', (event) => {
        this.#onClose(event)
        closed.resolve()
      })
    } else {
      this.#ended = new ChannelClosedError(stream.status === 'reset' ? 'reset' : 'lost')
      closed.resolve()
    }
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  async read(signal: AbortSignal): Promise<Uint8Array | undefined> {
    signal.throwIfAborted()
    if (this.#wakeReader !== undefined) throw new Error('a channel has one reader at a time')
    for (;;) {
      if (this.#failed !== undefined) throw this.#failed
      const frame = this.#frames.shift()
      if (frame !== undefined) return frame
      if (this.#decodeSome()) continue
      if (this.#resume()) continue
      if (this.#isOver()) {
        if (!this.#finished) throw this.#ended ?? new ChannelClosedError('lost')
        try {
          this.#decoder.end()
        } catch (error) {
          throw this.#faulted(error)
        }
        return undefined
      }
      await this.#arrival(signal)
    }
  }

  async write(frame: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (frame.byteLength > this.#frameBytesMax) {
      throw new RangeError(`a frame of ${frame.byteLength} B is over the cap of ${this.#frameBytesMax} B`)
    }
    if (this.#failed !== undefined) throw this.#failed
    try {
      if (this.#stream.send(new Uint8ArrayList(encodeFramePrefix(frame.byteLength), frame))) return
    } catch (error) {
      throw this.#ended ?? new ChannelClosedError('closed', error)
    }
    await this.#drained(signal)
  }

  async close(signal: AbortSignal): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed
    await this.#stream.close({ signal })
  }

  abort(reason: Error): void {
    this.#failed ??= reason
    this.#chunks.length = 0
    this.#frames.length = 0
    this.#queuedBytes = 0
    try {
      this.#stream.abort(reason)
    } catch {
      // The connection is gone already, and with it the stream.
    }
    this.#wakeReader?.()
    for (const wake of this.#wakeWriters) wake()
  }

  #onMessage({ data }: StreamMessageEvent): void {
    if (this.#failed !== undefined) return
    for (const chunk of data instanceof Uint8Array ? [data] : data) {
      this.#chunks.push(chunk)
      this.#queuedBytes += chunk.byteLength + chunkOverheadBytes
    }
    if (!this.#resuming) this.#pauseWhenFull()
    this.#wakeReader?.()
  }

  #onClose({ error, local }: StreamCloseEvent): void {
    this.#ended ??= new ChannelClosedError(error === undefined ? 'lost' : local === true ? 'aborted' : 'reset', error)
    this.#wakeReader?.()
  }

  #onDrain(): void {
    if (this.#holdsWrites && this.#stream.writeStatus !== 'closed') return
    for (const wake of this.#wakeWriters) wake()
  }

  /** Whether something that was written is still in libp2p. */
  get #holdsWrites(): boolean {
    return this.#stream.writableNeedsDrain || this.#stream.writeBufferLength > 0
  }

  #pauseWhenFull(): void {
    if (this.#queuedBytes < this.#queueBytesMax || this.#stream.readStatus !== 'readable') return
    this.#stream.pause()
  }

  /** Lets the stream go on once half of the queue has been read. Returns whether bytes came at once. */
  #resume(): boolean {
    if (this.#stream.readStatus !== 'paused' || this.#queuedBytes > this.#queueBytesMax / 2) return false
    this.#resuming = true
    try {
      this.#stream.resume()
    } catch {
      // The connection closed while the stream was paused; what it held has been handed over before this was thrown.
    } finally {
      this.#resuming = false
    }
    this.#pauseWhenFull()
    return this.#chunks.length > 0
  }

  /** Makes frames of the next piece. Returns whether there was one. */
  #decodeSome(): boolean {
    const chunk = this.#chunks[0]
    if (chunk === undefined) return false
    const isWhole = chunk.byteLength <= decodeBytes
    const piece = isWhole ? chunk : chunk.subarray(0, decodeBytes)
    if (isWhole) {
      this.#chunks.shift()
      this.#queuedBytes -= chunkOverheadBytes
    } else this.#chunks[0] = chunk.subarray(decodeBytes)
    this.#queuedBytes -= piece.byteLength
    try {
      for (const frame of this.#decoder.push(piece)) this.#frames.push(frame)
    } catch (error) {
      throw this.#faulted(error)
    }
    // Well before the queue is empty, so that the other side need not wait for us.
    this.#resume()
    return true
  }

  /** What the decoder throws is the other side's doing: the stream ends at once. */
  #faulted(error: unknown): unknown {
    this.abort(asError(error))
    return error
  }

  #isOver(): boolean {
    return (this.#finished || this.#ended !== undefined) && this.#stream.readBufferLength === 0
  }

  async #arrival(signal: AbortSignal): Promise<void> {
    await this.#until(signal, (wake) => {
      this.#wakeReader = wake
      return () => {
        this.#wakeReader = undefined
      }
    })
  }

  async #drained(signal: AbortSignal): Promise<void> {
    const stream = this.#stream
    while (this.#holdsWrites) {
      if (this.#failed !== undefined) throw this.#failed
      if (stream.writeStatus === 'closed') throw this.#ended ?? new ChannelClosedError('closed')
      await this.#until(signal, (wake) => {
        this.#wakeWriters.add(wake)
        return () => this.#wakeWriters.delete(wake)
      })
    }
    if (this.#failed !== undefined) throw this.#failed
    if (stream.status === 'aborted' || stream.status === 'reset') throw this.#ended ?? new ChannelClosedError('reset')
  }

  async #until(signal: AbortSignal, listen: (wake: () => void) => () => void): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = (): void => resolve()
    const unlisten = listen(wake)
    signal.addEventListener('abort', wake, { once: true })
    try {
      await promise
    } finally {
      unlisten()
      signal.removeEventListener('abort', wake)
    }
    signal.throwIfAborted()
  }
}

const drainEvents = ['drain', 'idle', 'close'] as const
