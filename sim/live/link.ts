/**
 * A line from one peer to another: bytes go in at one end and come out at the other, in order, later. As with TCP, what is
 * lost is sent again, so that a loss is a delay of everything behind it, or the end of the connection.
 */
import type { Random } from '../../src/environment.ts'
import type { TimerWheel } from './wheel.ts'

/** How good the way from one peer to another is. Data, so that a scenario can say it. */
export interface LinkQuality {
  /** One way. */
  readonly latencyMs: number
  /** Uniform in ± this; order is kept. */
  readonly jitterMs: number
  /** Infinity: no bound. */
  readonly bytesPerSecond: number
  /** Share of the messages that are lost, in [0, 1). */
  readonly loss: number
  /** What a loss comes to: one more wait for the retransmission, or a connection that breaks. */
  readonly lossIs: 'delay' | 'reset'
}

export const perfectLink: LinkQuality = {
  latencyMs: 0,
  jitterMs: 0,
  bytesPerSecond: Infinity,
  loss: 0,
  lossIs: 'delay',
}

/** Shortest wait before TCP sends again what was not acknowledged (RFC 6298 says 1 s; Linux has 200 ms). */
export const retransmitMsMin = 200

export interface LineEnvironment {
  readonly wheel: TimerWheel
  readonly random: Random
  /** Asked for every message, so that the weather may change while a connection lives. */
  quality(): LinkQuality
  /** Nothing gets through: what is sent meanwhile waits for `mend`. */
  isCut(): boolean
  /** A message was lost for good and the connection with it. */
  onBroken(): void
}

/** One direction of one connection. */
export class Line {
  readonly #environment: LineEnvironment
  /** When the last byte handed over so far will have left, and when the last message will have arrived. */
  #leavesMs = 0
  #arrivesMs = 0
  #held: (() => void)[] = []
  #isClosed = false

  constructor(environment: LineEnvironment) {
    this.#environment = environment
  }

  /** Calls `deliver` at the other end, after everything that was sent before. */
  send(bytes: number, deliver: () => void): void {
    if (this.#isClosed) return
    const { wheel, random } = this.#environment
    const { latencyMs, jitterMs, bytesPerSecond, loss, lossIs } = this.#environment.quality()
    const lost = loss > 0 && random.float() < loss
    if (lost && lossIs === 'reset') {
      this.#environment.onBroken()
      return
    }
    this.#leavesMs = Math.max(wheel.nowMs(), this.#leavesMs) + (bytes / bytesPerSecond) * 1000
    const jitter = jitterMs === 0 ? 0 : (random.float() * 2 - 1) * jitterMs
    const again = lost ? Math.max(retransmitMsMin, 2 * latencyMs) : 0
    this.#arrivesMs = Math.max(this.#arrivesMs, this.#leavesMs + Math.max(0, latencyMs + jitter) + again)
    wheel.at(this.#arrivesMs, () => this.#arrive(deliver))
  }

  /**
   * The way may be open again: then what waited arrives once more time has passed than one way takes, as when it is sent again.
   * Until then it stays where it is, so that what is under way meanwhile comes behind it.
   */
  mend(): void {
    if (this.#held.length === 0 || this.#environment.isCut()) return
    const { wheel } = this.#environment
    wheel.after(this.#environment.quality().latencyMs, () => this.#release())
  }

  /** What is under way does not arrive. */
  close(): void {
    this.#isClosed = true
    this.#held = []
  }

  #release(): void {
    if (this.#environment.isCut()) return
    const held = this.#held
    this.#held = []
    // One of them may end the connection.
    for (const deliver of held) if (!this.#isClosed) deliver()
  }

  #arrive(deliver: () => void): void {
    if (this.#isClosed) return
    // Whoever is behind something that waits, waits too.
    if (this.#held.length > 0 || this.#environment.isCut()) this.#held.push(deliver)
    else deliver()
  }
}
