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
  /**
   * Arrays, and few are in them: a set takes a new table for every few that are added and deleted, which lives until the next, and so comes to where
   * the collector has to look through all for it.
   */
  readonly #held: Holdable[] = []
  /** Who has something to hand on, in the order in which it came. */
  readonly #waiting: Handing[] = []
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
    if (!this.#waiting.includes(connection)) this.#waiting.push(connection)
    this.#came(bytes, connection)
  }

  /** Holds it no more, and asks nothing of it: what came of a connection that is over is not kept for another turn. */
  release(connection: Holdable): void {
    remove(this.#waiting, connection)
    if (remove(this.#held, connection) && connection.readStatus === 'paused') connection.resume()
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
    if (!this.#held.includes(connection)) this.#held.push(connection)
  }

  #begin(): void {
    this.#isCounting = false
    this.#bytes = 0
    let handed = 0
    while (this.#waiting.length > 0 && handed < turnBytesMax) {
      const [connection] = this.#waiting as [Handing]
      this.release(connection)
      handed += connection.hand()
    }
    // Whoever is let go on may be held anew, for the next turn.
    const held = this.#held.filter((connection) => !this.#waiting.includes(connection as Handing))
    for (const connection of held) this.release(connection)
    if (this.#waiting.length === 0) return
    // This turn has no time for what they took in: they take nothing more before it is handed on.
    for (const connection of this.#waiting) this.#hold(connection)
    this.#count()
  }
}

/** Whether it was there. */
function remove<Item>(from: Item[], item: Item): boolean {
  const index = from.indexOf(item)
  if (index === -1) return false
  from.splice(index, 1)
  return true
}
