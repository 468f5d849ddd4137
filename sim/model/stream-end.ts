/** One end of a model stream: a `Channel` with a bounded window towards the other end. */
import type { Channel, PeerName } from '../../protocols/wire/index.ts'
import type { ModelStreams, Site } from './streams.ts'

/** Bytes that are under way or unread before a writer has to wait: a stream's window in yamux. */
export const windowBytes = 256 * 1024

/** What does not get through is tried again after so long, and … */
export const retryMs = 400
/** … a connection over which nothing gets through for so long is lost. */
export const lostAfterMs = 30_000

interface Waiter {
  readonly wake: () => void
}

/** A frame on its way; null: the other side closes. */
interface Departed {
  readonly frame: Uint8Array | null
  readonly atMs: number
}

export class StreamEnd implements Channel {
  readonly remote: PeerName
  readonly site: Site
  /** Called once, when nothing more can come of this end. */
  onOver: () => void = () => {}
  readonly #net: ModelStreams
  readonly #frameBytesMax: number
  #other!: StreamEnd
  /** What has come and was not read. */
  readonly #inbox: Uint8Array[] = []
  #inboxBytes = 0
  #hasFinished = false
  #hasClosed = false
  /** Our own doing: what came is not read any more. */
  #aborted: Error | undefined
  /** The other's, or nobody's: what came before is read first. */
  #lost: Error | undefined
  #isCounted = true
  #reader: Waiter | undefined
  #writer: Waiter | undefined
  /** What we sent, until the other side reads it. */
  readonly #departed: Departed[] = []
  #pendingBytes = 0
  #lastAtMs = 0
  #freeAtMs = 0
  #isPumping = false
  #blockedSinceMs: number | undefined

  constructor(net: ModelStreams, site: Site, remote: PeerName, frameBytesMax: number) {
    this.#net = net
    this.site = site
    this.remote = remote
    this.#frameBytesMax = frameBytesMax
  }

  join(other: StreamEnd): void {
    this.#other = other
    this.site.ends.add(this)
  }

  get isOver(): boolean {
    return this.#aborted !== undefined || this.#lost !== undefined || (this.#hasClosed && this.#hasFinished)
  }

  async read(signal: AbortSignal): Promise<Uint8Array | undefined> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#aborted !== undefined) throw this.#aborted
      const frame = this.#inbox.shift()
      if (frame !== undefined) {
        this.#inboxBytes -= frame.byteLength
        this.#other.#wasRead(frame.byteLength)
        return frame
      }
      if (this.#hasFinished) return undefined
      if (this.#lost !== undefined) throw this.#lost
      if (this.#reader !== undefined) throw new Error('a channel has one reader at a time')
      await this.#until(signal, (waiter) => (this.#reader = waiter))
    }
  }

  async write(frame: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (frame.byteLength > this.#frameBytesMax) throw new RangeError(`a frame of ${frame.byteLength} B is over the cap`)
    this.#checkWritable()
    this.#pendingBytes += frame.byteLength
    this.#depart(frame)
    while (this.#pendingBytes > windowBytes) {
      await this.#until(signal, (waiter) => (this.#writer = waiter))
      signal.throwIfAborted()
      this.#checkWritable()
    }
  }

  async close(): Promise<void> {
    if (this.#aborted !== undefined) throw this.#aborted
    this.finish()
  }

  /** Closes our side, where that is still to be done. */
  finish(): void {
    if (this.#hasClosed || this.isOver) return
    this.#hasClosed = true
    this.#depart(null)
    this.#settle()
  }

  abort(reason: Error): void {
    // What both sides have closed is over well, though some of it may still be on its way.
    if (this.isOver || this.site.life.isOver) return
    this.#aborted = reason
    this.#inbox.length = 0
    this.#settle()
    this.#tell('reset')
  }

  /** Nothing more comes from the other side, or gets there. */
  lose(how: 'reset' | 'lost'): void {
    if (this.isOver || this.site.life.isOver) return
    this.#lost = new Error(`the channel is over: ${how}`)
    this.#settle()
  }

  /** This end's life is over. */
  die(isHostDown: boolean): void {
    this.#lost ??= new Error('dead')
    this.#departed.length = 0
    // Whoever hears nothing at all gives the connection up by itself.
    if (isHostDown) this.#net.deps.clock.after(lostAfterMs, () => this.#other.#loseLive('lost'))
    else this.#tell('reset')
  }

  #checkWritable(): void {
    if (this.#aborted !== undefined) throw this.#aborted
    if (this.#lost !== undefined) throw this.#lost
    if (this.#hasClosed) throw new Error('the channel is over: closed')
  }

  /** Tells the other end that this one is over; when that does not get through, the connection is lost after a while. */
  #tell(how: 'reset'): void {
    const { clock, isCut } = this.#net.deps
    const sinceMs = clock.nowMs()
    const attempt = (): void => {
      if (this.#other.isOver) return
      const isHeard = !isCut(this.site.name, this.remote)
      if (isHeard) this.#other.#loseLive(how)
      else if (clock.nowMs() - sinceMs >= lostAfterMs) this.#other.#loseLive('lost')
      else clock.after(retryMs, attempt)
    }
    clock.after(this.#net.delayMs(), attempt)
  }

  #loseLive(how: 'reset' | 'lost'): void {
    this.site.life.live(() => this.lose(how))
  }

  #depart(frame: Uint8Array | null): void {
    const { clock, random } = this.#net.deps
    const nowMs = clock.nowMs()
    const { bytesPerMs, stallProbability, stallMs } = this.#net.faults
    if (bytesPerMs !== null)
      this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + Math.ceil((frame?.byteLength ?? 0) / bytesPerMs)
    const stalledMs = random.chance(stallProbability) ? random.between(stallMs[0], stallMs[1]) : 0
    const atMs = Math.max(nowMs, this.#freeAtMs) + this.#net.delayMs() + stalledMs
    this.#lastAtMs = Math.max(this.#lastAtMs, atMs)
    this.#departed.push({ frame, atMs: this.#lastAtMs })
    if (!this.#isPumping) this.#pump()
  }

  /** Delivers what is due, in order, and waits for the next. */
  #pump(): void {
    const { clock } = this.#net.deps
    const next = this.#departed[0]
    this.#isPumping = next !== undefined
    if (next !== undefined) clock.after(next.atMs - clock.nowMs(), () => this.#deliver())
  }

  #deliver(): void {
    const { clock, random, isCut, note } = this.#net.deps
    const other = this.#other
    const nowMs = clock.nowMs()
    if (this.#departed.length === 0 || this.#aborted !== undefined) {
      this.#departed.length = 0
      this.#isPumping = false
      return
    }
    if (isCut(this.site.name, this.remote) || this.#net.isDown(this.remote)) {
      this.#blockedSinceMs ??= nowMs
      if (nowMs - this.#blockedSinceMs < lostAfterMs) return void clock.after(retryMs, () => this.#deliver())
      this.#departed.length = 0
      this.#isPumping = false
      return this.#loseLive('lost')
    }
    this.#blockedSinceMs = undefined
    // Nobody has this stream any more: the host answers so.
    if (other.isOver) {
      this.#departed.length = 0
      this.#isPumping = false
      return other.#tell('reset')
    }
    const frozenMs = other.site.life.frozenUntilMs - nowMs
    if (frozenMs > 0) return void clock.after(frozenMs, () => this.#deliver())
    while (this.#departed.length > 0 && this.#departed[0]!.atMs <= nowMs) {
      const { frame } = this.#departed.shift()!
      if (random.chance(this.#net.faults.resetProbability)) {
        note?.(this.site.name, this.remote, 'lost')
        other.lose('lost')
        return this.#loseLive('lost')
      }
      note?.(this.site.name, this.remote, frame === null ? 'close' : `${frame[0]}/${frame.byteLength}`)
      other.#take(frame)
    }
    this.#pump()
  }

  #take(frame: Uint8Array | null): void {
    if (this.isOver) return
    if (frame === null) {
      this.#hasFinished = true
      this.#settle()
      return
    }
    this.#inbox.push(frame)
    this.#inboxBytes += frame.byteLength
    this.#net.heldBytesMax = Math.max(this.#net.heldBytesMax, this.#inboxBytes)
    this.#reader?.wake()
  }

  /** The other side has read so much: there is room for more, once we are told. */
  #wasRead(bytes: number): void {
    if (this.#writer === undefined) this.#pendingBytes -= bytes
    else {
      this.#net.deps.clock.after(this.#net.delayMs(), () =>
        this.site.life.live(() => {
          this.#pendingBytes -= bytes
          this.#writer?.wake()
        }),
      )
    }
  }

  /** Something has ended: whoever waits looks again. */
  #settle(): void {
    this.#reader?.wake()
    this.#writer?.wake()
    if (!this.isOver || !this.#isCounted) return
    this.#isCounted = false
    this.site.ends.delete(this)
    this.onOver()
  }

  async #until(signal: AbortSignal, wait: (waiter: Waiter) => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = (): void => resolve()
    const waiter: Waiter = { wake }
    wait(waiter)
    signal.addEventListener('abort', wake, { once: true })
    await promise
    signal.removeEventListener('abort', wake)
    if (this.#reader === waiter) this.#reader = undefined
    if (this.#writer === waiter) this.#writer = undefined
  }
}

/** Both ends of a new stream. */
export function joined(net: ModelStreams, from: Site, to: Site, frameBytesMax: number): [StreamEnd, StreamEnd] {
  const near = new StreamEnd(net, from, to.name, frameBytesMax)
  const far = new StreamEnd(net, to, from.name, frameBytesMax)
  near.join(far)
  far.join(near)
  return [near, far]
}
