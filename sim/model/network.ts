/**
 * The model's network: every frame may be late, lost, doubled or overtaken; peers may be cut off, one way or both; a link may clog
 * and let everything through at once; and a line carries only so much. What is wrong with it ends with the mischief of the life.
 */
import type { VirtualClock } from '../clock.ts'
import type { SeededRandom } from '../random.ts'

export interface NetworkFaults {
  readonly delayMs: readonly [number, number]
  readonly lossProbability: number
  readonly doubleProbability: number
  /** A frame that is much later than the others: what comes after overtakes it. */
  readonly stragglerProbability: number
  readonly stragglerMs: number
  /** What one peer can send, in bytes a millisecond; 0 is without limit. */
  readonly uplinkBytesPerMs: number
}

/** Peers on the one side; frames between the sides are concerned, or only those that leave this side. */
export interface Divide {
  readonly fromMs: number
  readonly untilMs: number
  readonly side: ReadonlySet<number>
  readonly oneWay: boolean
}

/** What is to happen to one frame, by its number; undefined leaves it to chance. For trying every fault one at a time. */
export type Fate = 'drop' | 'double' | 'delay' | undefined

/** How much later a frame is that is delayed by fate: after every retransmission of the protocols. */
const fatedDelayMs = 6_000
const doubleWithinMs = 50

export class ModelNetwork {
  readonly #clock: VirtualClock
  readonly #random: SeededRandom
  readonly #faults: NetworkFaults
  readonly #isMischief: () => boolean
  /** Frames between the sides are lost. */
  readonly cuts: Divide[] = []
  /** Frames between the sides wait until it is over. */
  readonly clogs: Divide[] = []
  readonly counts = { sent: 0, lost: 0, doubled: 0, cut: 0, clogged: 0 }
  readonly #lineFreeMs: number[] = []
  fateOf: (frame: number) => Fate = () => undefined

  constructor(clock: VirtualClock, random: SeededRandom, faults: NetworkFaults, isMischief: () => boolean) {
    this.#clock = clock
    this.#random = random
    this.#faults = faults
    this.#isMischief = isMischief
  }

  /** `deliver` is called as often as copies arrive. */
  carry(from: number, to: number, bytes: number, deliver: () => void): void {
    const fate = this.fateOf(this.counts.sent++)
    if (fate === 'drop' || !this.#goesThrough(from, to)) return
    const waitMs = this.#waitMs(from, to, bytes) + (fate === 'delay' ? fatedDelayMs : 0)
    this.#clock.post(waitMs + this.#delayMs(), deliver)
    const isDoubled = this.#isMischief() && this.#random.chance(this.#faults.doubleProbability)
    if (!isDoubled && fate !== 'double') return
    this.counts.doubled++
    this.#clock.post(waitMs + this.#delayMs() + this.#random.between(0, doubleWithinMs), deliver)
  }

  /** How long a frame of gossip takes from here to there now; undefined when it does not arrive. */
  hopMs(from: number, to: number): number | undefined {
    const fate = this.fateOf(this.counts.sent++)
    if (fate === 'drop') return undefined
    const tripMs = this.tripMs(from, to)
    return tripMs !== undefined && fate === 'delay' ? tripMs + fatedDelayMs : tripMs
  }

  /** How long something small takes from here to there now; undefined when it does not arrive. For what is modelled as a whole. */
  tripMs(from: number, to: number): number | undefined {
    return this.#goesThrough(from, to) ? this.#waitMs(from, to, 0) + this.#delayMs() : undefined
  }

  /** Whether a connection could be had. */
  isConnected(from: number, to: number): boolean {
    return this.#crosses(this.cuts, from, to) === undefined && this.#crosses(this.cuts, to, from) === undefined
  }

  #goesThrough(from: number, to: number): boolean {
    if (this.#crosses(this.cuts, from, to) !== undefined) {
      this.counts.cut++
      return false
    }
    if (this.#isMischief() && this.#random.chance(this.#faults.lossProbability)) {
      this.counts.lost++
      return false
    }
    return true
  }

  #waitMs(from: number, to: number, bytes: number): number {
    const clog = this.#crosses(this.clogs, from, to)
    const clogMs = clog === undefined ? 0 : clog.untilMs - this.#clock.nowMs()
    if (clogMs > 0) this.counts.clogged++
    return clogMs + this.#lineMs(from, bytes)
  }

  #delayMs(): number {
    const { delayMs, stragglerProbability, stragglerMs } = this.#faults
    const isLate = stragglerProbability > 0 && this.#isMischief() && this.#random.chance(stragglerProbability)
    return this.#random.between(delayMs[0], delayMs[1]) + (isLate ? stragglerMs : 0)
  }

  #lineMs(from: number, bytes: number): number {
    const { uplinkBytesPerMs } = this.#faults
    if (uplinkBytesPerMs === 0 || bytes === 0) return 0
    const nowMs = this.#clock.nowMs()
    const freeMs = Math.max(nowMs, this.#lineFreeMs[from] ?? 0) + bytes / uplinkBytesPerMs
    this.#lineFreeMs[from] = freeMs
    return Math.round(freeMs - nowMs)
  }

  #crosses(divides: readonly Divide[], from: number, to: number): Divide | undefined {
    if (divides.length === 0) return undefined
    const nowMs = this.#clock.nowMs()
    return divides.find(({ fromMs, untilMs, side, oneWay }) => {
      if (nowMs < fromMs || nowMs >= untilMs) return false
      return oneWay ? side.has(from) && !side.has(to) : side.has(from) !== side.has(to)
    })
  }
}
