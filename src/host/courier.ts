/**
 * Carries frames for protocols whose machines say everything again until it is answered: "this frame to that peer, best
 * effort, in order while the stream lives". No policy is in here.
 *
 * One long-lived stream per peer and protocol in each direction, because every opened stream costs two round trips and a
 * write to the peer store. What cannot be delivered is dropped, with a line at debug level. When a queue is full the
 * *oldest* frame goes: the machines retransmit, so the newest says most, and what waited longest has been said again.
 */
import type { Channel, ProtocolLimits, Streams } from '../../protocols/wire/channel.ts'
import { Fault } from '../../protocols/wire/fault.ts'
import type { PeerName } from '../../protocols/wire/peer.ts'
import type { Clock, Log } from '../environment.ts'
import { ChannelClosedError } from './channel.ts'
import { asError } from './errors.ts'
import { createPace } from './pace.ts'
import type { OnFault } from './streams.ts'

export interface Courier {
  /** Hears frames of a protocol. A Fault thrown by `onFrame` ends the stream it came on and is reported. */
  register(
    protocol: string,
    limits: ProtocolLimits,
    onFrame: (from: PeerName, frame: Uint8Array) => void,
  ): Promise<void>
  /** Returns at once. The protocol must be registered. */
  send(peer: PeerName, protocol: string, frame: Uint8Array): void
  /** Drops what is queued and ends the streams. */
  stop(): void
}

export interface CourierLimits {
  /** Frames waiting for one peer on one protocol. */
  readonly messagesQueuedMax: number
  /** Peers and protocols with something to say to at a time; a dial holds its place until its deadline. */
  readonly outboxesMax: number
  readonly openMs: number
  readonly writeMs: number
  /** A stream with nothing said on it for so long is closed. */
  readonly idleMs: number
  /** Frames of one peer that are heard in a second, over all protocols, when it has said so many more at a stretch. */
  readonly framesHeardPerSecondMax: number
  readonly framesHeardAtOnceMax: number
}

export interface CourierInit {
  /** Faults in frames that came back on a stream we opened; those on streams of others are reported by Streams. */
  readonly onFault: OnFault
  readonly clock: Clock
  readonly log: Log
  readonly limits?: Partial<CourierLimits>
}

const defaultLimits: CourierLimits = {
  messagesQueuedMax: 64,
  outboxesMax: 1024,
  openMs: 10_000,
  writeMs: 10_000,
  idleMs: 60_000,
  // A frame costs us up to half a millisecond, most of it for signatures. A hundred are a log of 3 MB a second, and a word a
  // second of each of a hundred leases.
  framesHeardPerSecondMax: 100,
  framesHeardAtOnceMax: 1_000,
}

interface Protocol {
  readonly limits: ProtocolLimits
  readonly onFrame: (from: PeerName, frame: Uint8Array) => void
}

interface Outbox {
  readonly frames: Uint8Array[]
  wake: (() => void) | undefined
}

export function createCourier(streams: Streams, { onFault, clock, log, ...init }: CourierInit): Courier {
  const limits = { ...defaultLimits, ...init.limits }
  const protocols = new Map<string, Protocol>()
  const outboxes = new Map<string, Outbox>()
  const stopping = new AbortController()
  const pace = createPace(limits.framesHeardPerSecondMax, limits.framesHeardAtOnceMax, clock)

  /** The next frame, or undefined once there will be none: the stream was closed, or we stop. */
  const nextFrame = async (channel: Channel): Promise<Uint8Array | undefined> => {
    try {
      return await channel.read(stopping.signal)
    } catch (error) {
      if (stopping.signal.aborted) return undefined
      throw error
    }
  }

  const hear = async (channel: Channel, { onFrame }: Protocol): Promise<void> => {
    for (;;) {
      const frame = await nextFrame(channel)
      if (frame === undefined) return
      onFrame(channel.remote, frame)
      const waitMs = pace.waitMs(channel.remote)
      // What is not read waits at the other side, whose stream stands still meanwhile.
      if (waitMs > 0) await clock.sleep(waitMs, stopping.signal).catch(() => {})
    }
  }

  /** Opens a stream; `over` is set when it can carry no more, and wakes the outbox so that it is noticed at once. */
  const open = async (peer: PeerName, name: string, protocol: Protocol, outbox: Outbox) => {
    using deadline = clock.deadline(limits.openMs, stopping.signal)
    const channel = await streams.open(peer, name, protocol.limits, deadline.signal)
    const line = { channel, over: false }
    // The other side answers on a stream of its own, but may as well do so on this one.
    void hear(channel, protocol)
      .catch((error: unknown) => {
        channel.abort(asError(error))
        if (error instanceof Fault) onFault(peer, name, error)
        else if (!(error instanceof ChannelClosedError) && !stopping.signal.aborted) {
          log('error', 'a handler of frames failed', { peer, protocol: name, error })
        }
      })
      .finally(() => {
        line.over = true
        outbox.wake?.()
      })
    return line
  }

  /** Waits for a frame; undefined when none came for so long that the stream may go, or the stream went by itself. */
  const next = async (
    outbox: Outbox,
    line: { readonly over: boolean } | undefined,
  ): Promise<Uint8Array | undefined> => {
    if (outbox.frames.length > 0) return outbox.frames.shift()
    if (line === undefined || line.over) return undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    outbox.wake = resolve
    const cancel = clock.after(limits.idleMs, resolve)
    await promise
    cancel()
    outbox.wake = undefined
    return outbox.frames.shift()
  }

  const write = async (channel: Channel, frame: Uint8Array): Promise<void> => {
    using deadline = clock.deadline(limits.writeMs, stopping.signal)
    await channel.write(frame, deadline.signal)
  }

  /** Delivers what is in the outbox and closes it in the same turn in which it is seen to be empty, so that none is left in it. */
  const carry = async (
    key: string,
    peer: PeerName,
    name: string,
    protocol: Protocol,
    outbox: Outbox,
  ): Promise<void> => {
    let line: Awaited<ReturnType<typeof open>> | undefined
    try {
      for (;;) {
        const frame = await next(outbox, line)
        if (frame === undefined || stopping.signal.aborted) break
        // A stream that ended while nothing was said on it costs no frame; one that ends under a frame costs that frame.
        if (line === undefined || line.over) line = await open(peer, name, protocol, outbox)
        try {
          await write(line.channel, frame)
        } catch (error) {
          log('debug', 'a frame was not delivered', { peer, protocol: name, error })
          line.channel.abort(asError(error))
          line = undefined
        }
      }
      outboxes.delete(key)
      if (line === undefined || line.over) return
      using deadline = clock.deadline(limits.writeMs, stopping.signal)
      await line.channel.close(deadline.signal)
    } catch (error) {
      if (outboxes.get(key) === outbox) outboxes.delete(key)
      log('debug', 'frames were not delivered', { peer, protocol: name, frames: outbox.frames.length + 1, error })
      line?.channel.abort(asError(error))
    }
  }

  return {
    async register(name, protocolLimits, onFrame) {
      const protocol = { limits: protocolLimits, onFrame }
      protocols.set(name, protocol)
      await streams.handle(name, protocolLimits, async (channel) => hear(channel, protocol))
    },

    send(peer, name, frame) {
      const protocol = protocols.get(name)
      if (protocol === undefined) throw new Error(`the protocol ${name} is not registered`)
      if (frame.byteLength > protocol.limits.frameBytesMax) throw new RangeError(`the frame is over the cap of ${name}`)
      if (stopping.signal.aborted) return
      const key = `${peer} ${name}`
      const waiting = outboxes.get(key)
      if (waiting === undefined && outboxes.size >= limits.outboxesMax) {
        log('debug', 'a frame was dropped: too many peers to write to', { peer, protocol: name })
        return
      }
      const outbox = waiting ?? { frames: [], wake: undefined }
      outbox.frames.push(frame)
      if (outbox.frames.length > limits.messagesQueuedMax) {
        outbox.frames.shift()
        log('debug', 'a frame was dropped: the queue is full', { peer, protocol: name })
      }
      outbox.wake?.()
      if (waiting !== undefined) return
      outboxes.set(key, outbox)
      void carry(key, peer, name, protocol, outbox)
    },

    stop() {
      stopping.abort(new Error('the courier stops'))
      for (const outbox of outboxes.values()) {
        outbox.frames.length = 0
        outbox.wake?.()
      }
    },
  }
}
