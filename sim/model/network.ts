/** The model's network: every frame may be late, lost, doubled or overtaken; peers may be cut off, one way or both. */
import type { PeerName } from '../../protocols/wire/index.ts'
import type { VirtualClock } from '../clock.ts'
import type { SeededRandom } from '../random.ts'

export interface NetworkFaults {
  readonly delayMs: readonly [number, number]
  readonly lossProbability: number
  readonly doubleProbability: number
  /** A frame that is much later than the others: what comes after overtakes it. */
  readonly stragglerProbability: number
  readonly stragglerMs: number
}

export interface Cut {
  readonly fromMs: number
  readonly untilMs: number
  /** Peers on the one side; frames between the sides are lost, or only those that leave this side. */
  readonly side: ReadonlySet<PeerName>
  readonly oneWay: boolean
}

export class ModelNetwork {
  readonly #clock: VirtualClock
  readonly #random: SeededRandom
  readonly #faults: NetworkFaults
  readonly cuts: Cut[] = []
  readonly counts = { sent: 0, lost: 0, doubled: 0, cut: 0 }

  constructor(clock: VirtualClock, random: SeededRandom, faults: NetworkFaults) {
    this.#clock = clock
    this.#random = random
    this.#faults = faults
  }

  /** `deliver` is called as often as copies arrive. */
  carry(from: PeerName, to: PeerName, deliver: () => void): void {
    const random = this.#random
    const { delayMs, lossProbability, doubleProbability, stragglerProbability, stragglerMs } = this.#faults
    this.counts.sent++
    if (this.#isCut(from, to)) {
      this.counts.cut++
      return
    }
    if (random.chance(lossProbability)) {
      this.counts.lost++
      return
    }
    const copies = random.chance(doubleProbability) ? 2 : 1
    this.counts.doubled += copies - 1
    for (let copy = 0; copy < copies; copy++) {
      const late = random.chance(stragglerProbability) ? stragglerMs : 0
      this.#clock.after(random.between(delayMs[0], delayMs[1]) + late, deliver)
    }
  }

  #isCut(from: PeerName, to: PeerName): boolean {
    const nowMs = this.#clock.nowMs()
    return this.cuts.some(({ fromMs, untilMs, side, oneWay }) => {
      if (nowMs < fromMs || nowMs >= untilMs) return false
      return oneWay ? side.has(from) && !side.has(to) : side.has(from) !== side.has(to)
    })
  }
}
