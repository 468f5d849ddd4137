/** Messages instead of frames, each wait with its deadline. */
import { letGo } from '../erasure/index.ts'
import type { Channel, PeerName, Refusal } from '../wire/index.ts'
import { decodeTransfer, encodeTransfer } from './codec.ts'
import { idleMsMax, type Transfer } from './messages.ts'

/** What a transfer needs of a clock. */
export interface Timekeeper {
  /** A signal that fires `delayMs` from now, or when `parent` does. Disposing cancels its timer. */
  deadline(delayMs: number, parent?: AbortSignal): { readonly signal: AbortSignal; [Symbol.dispose](): void }
}

/** Who lets frames through as its owner's line allows: each resolves when so many bytes may go, or may count as come. */
export interface Pace {
  up(bytes: number, signal: AbortSignal): Promise<void>
  down(bytes: number, signal: AbortSignal): Promise<void>
}

export class Talk {
  readonly #channel: Channel
  readonly #timekeeper: Timekeeper
  readonly #pace: Pace | undefined
  readonly #signal: AbortSignal
  #heard: Uint8Array | undefined

  /** Every wait ends when `signal` fires. */
  constructor(channel: Channel, timekeeper: Timekeeper, pace: Pace | undefined, signal: AbortSignal) {
    this.#channel = channel
    this.#timekeeper = timekeeper
    this.#pace = pace
    this.#signal = signal
  }

  get remote(): PeerName {
    return this.#channel.remote
  }

  /** Fires when the exchange is to end. */
  get signal(): AbortSignal {
    return this.#signal
  }

  /** Carries on for at most `delayMs` more. */
  async within<Result>(delayMs: number, go: (talk: Talk) => Promise<Result>): Promise<Result> {
    using deadline = this.#timekeeper.deadline(delayMs, this.#signal)
    return await go(new Talk(this.#channel, this.#timekeeper, this.#pace, deadline.signal))
  }

  async say(message: Transfer): Promise<void> {
    const frame = encodeTransfer(message)
    await this.#pace?.up(frame.byteLength, this.#signal)
    using deadline = this.#timekeeper.deadline(idleMsMax, this.#signal)
    await this.#channel.write(frame, deadline.signal)
  }

  /** The next message, or undefined once the other side has closed. Rejects with a Fault, or when nothing came in time. */
  async hear(idleMs: number = idleMsMax): Promise<Transfer | undefined> {
    const frame = await this.#read(idleMs)
    if (frame === undefined) return undefined
    // It has come, but is taken up only in its turn: what is not taken up gives no new credit, and so the other side slows down.
    await this.#pace?.down(frame.byteLength, this.#signal)
    this.#heard = frame
    return decodeTransfer(frame)
  }

  /** What was heard last has served: views of it, such as a block's bytes, are empty from now on. */
  forget(): void {
    if (this.#heard !== undefined) letGo(this.#heard)
    this.#heard = undefined
  }

  /**
   * Says no, and reads what was on its way, at most `framesMax` frames: a stream that is closed over unread frames is reset, and
   * the no would be lost with them.
   */
  async refuse(because: Refusal, framesMax: number): Promise<void> {
    await this.say({ say: 'refused', refusal: because })
    for (let frames = 0; frames <= framesMax; frames++) if ((await this.hear()) === undefined) break
    await this.close()
  }

  async close(): Promise<void> {
    using deadline = this.#timekeeper.deadline(idleMsMax, this.#signal)
    await this.#channel.close(deadline.signal)
  }

  async #read(idleMs: number): Promise<Uint8Array | undefined> {
    using deadline = this.#timekeeper.deadline(idleMs, this.#signal)
    return await this.#channel.read(deadline.signal)
  }
}
