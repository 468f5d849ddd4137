/**
 * How much of what comes over connections is taken, and handed on, in one turn of the event loop. libuv reads a socket for as long as there is
 * something, up to 2 MiB, and goes on to the next: with a few fast peers nothing else has its turn for tens of milliseconds. What is
 * over the budget stays in the kernel, where TCP holds the other side back, until the next turn.
 */
import type { Turns } from '../environment.ts'

/** What comes, as libp2p tells of it. */
export interface Incoming {
  addEventListener(type: 'message', listener: (event: { data: { byteLength: number } }) => void): void
}

/** A connection that can be held: what is not taken of it fills the buffers below, and in the end TCP's window. */
export interface Holdable {
  pause(): void
  resume(): void
  /** `readable`, `paused`, or about to close. One that does not say is not held. */
  readonly readStatus?: string
}

/** Of all connections together: half a millisecond of decrypting and checking. */
export const turnBytesMax = 128 * 1024

/** A connection that has taken something in, and hands it on when it is told to. */
export interface Handing extends Holdable {
  /** Hands on all it has taken in; gives how many bytes that was. */
  hand(): number
}

export class TurnBudget {
  readonly #turns: Turns
  readonly #held = new Set<Holdable>()
  /** Who has something to hand on, in the order in which it came. */
  readonly #waiting = new Set<Handing>()
  #bytes = 0
  #isCounting = false

  constructor(turns: Turns) {
    this.#turns = turns
  }

  /**
   * `incoming` is counted, and `connection` held. They are two, because whoever listens to a connection is given what has come of it
   * already: what came before the muxer listens must wait for the muxer.
   */
  watch(incoming: Incoming, connection: Holdable): void {
    incoming.addEventListener('message', ({ data }) => this.#came(data.byteLength, connection))
  }

  /**
   * For a connection that counts what comes of it itself, and waits with it until it is told to hand it on: of ten that have something to read, each
   * reads 64 KiB before anybody is asked, and what is done with that is most of the work.
   */
  took(bytes: number, connection: Handing): void {
    this.#waiting.add(connection)
    this.#came(bytes, connection)
  }

  /** Holds it no more, and asks nothing of it: what came of a connection that is over is not kept for another turn. */
  release(connection: Holdable): void {
    this.#waiting.delete(connection as Handing)
    if (this.#held.delete(connection) && connection.readStatus === 'paused') connection.resume()
  }

  #came(bytes: number, connection: Holdable): void {
    this.#bytes += bytes
    this.#count()
    if (this.#bytes >= turnBytesMax) this.#hold(connection)
  }

  #count(): void {
    if (this.#isCounting) return
    this.#isCounting = true
    this.#turns.next(() => this.#begin())
  }

  #hold(connection: Holdable): void {
    if (connection.readStatus !== 'readable') return
    connection.pause()
    this.#held.add(connection)
  }

  #begin(): void {
    this.#isCounting = false
    this.#bytes = 0
    let handed = 0
    for (const connection of this.#waiting) {
      if (handed >= turnBytesMax) break
      this.release(connection)
      handed += connection.hand()
    }
    // Whoever is let go on may be held anew, for the next turn.
    const held = [...this.#held]
    for (const connection of held) if (!this.#waiting.has(connection as Handing)) this.release(connection)
    if (this.#waiting.size === 0) return
    // This turn has no time for what they took in: they take nothing more before it is handed on.
    for (const connection of this.#waiting) this.#hold(connection)
    this.#count()
  }
}
