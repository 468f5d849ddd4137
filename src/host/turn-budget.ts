/**
 * How much of what comes over connections is taken in one turn of the event loop. libuv reads a socket for as long as there is
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

export class TurnBudget {
  readonly #turns: Turns
  readonly #held = new Set<Holdable>()
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
    incoming.addEventListener('message', ({ data }) => this.came(data.byteLength, connection))
  }

  /** For a connection that counts what comes of it itself. */
  came(bytes: number, connection: Holdable): void {
    this.#bytes += bytes
    if (!this.#isCounting) {
      this.#isCounting = true
      this.#turns.next(() => this.#begin())
    }
    if (this.#bytes < turnBytesMax || connection.readStatus !== 'readable') return
    connection.pause()
    this.#held.add(connection)
  }

  /** Holds it no more: what came of a connection that is over is not kept for another turn. */
  release(connection: Holdable): void {
    if (this.#held.delete(connection) && connection.readStatus === 'paused') connection.resume()
  }

  #begin(): void {
    this.#isCounting = false
    this.#bytes = 0
    const held = [...this.#held]
    this.#held.clear()
    for (const connection of held) if (connection.readStatus === 'paused') connection.resume()
  }
}
