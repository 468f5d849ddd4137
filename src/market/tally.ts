/** What became of the bids that a provider has heard, for its owner: counted by reason, and what a lower price would have won. */
import type { Micro, Refusal } from '../../protocols/wire/index.ts'
import { wordOf } from './decline.ts'

export interface MarketCounts {
  /** Bids, not how often they were repeated. */
  readonly bidsSeen: number
  readonly answered: number
  readonly won: number
  readonly notAnswered: Readonly<Record<string, number>>
  readonly lost: Readonly<Record<string, number>>
}

/** A tally as it outlives a restart: plain data, and no longer than its limits. */
export interface KeptTally extends MarketCounts {
  readonly losses: readonly Loss[]
}

export interface PriceHint {
  readonly cpuHourMicro: Micro
  readonly wouldHaveWon: number
}

/** Bids lost to a cheaper offer that are remembered, and for how long. */
const lossesMax = 1_024
const lossesKeptMs = 24 * 60 * 60_000
/** Different words in one table: what strangers ask for is part of some. */
const wordsMax = 64

export interface Loss {
  readonly atMs: number
  readonly ours: Micro
  readonly winners: Micro
}

export class Tally {
  #bidsSeen = 0
  #answered = 0
  #won = 0
  readonly #notAnswered = new Map<string, number>()
  readonly #lost = new Map<string, number>()
  readonly #losses: Loss[] = []

  seen(): void {
    this.#bidsSeen++
  }

  answered(): void {
    this.#answered++
  }

  won(): void {
    this.#won++
  }

  declined(because: Refusal): void {
    count(this.#notAnswered, wordOf(because))
  }

  /** An offer of ours was not taken. Of one that was outbid, the winner's price is remembered. */
  lost(because: Refusal, ours: Micro, nowMs: number): void {
    count(this.#lost, wordOf(because))
    const winners = because.facts['cpuHourMicro']
    if (because.code !== 'OUTBID' || typeof winners !== 'number' || winners >= ours) return
    this.#losses.push({ atMs: nowMs, ours, winners })
    if (this.#losses.length > lossesMax) this.#losses.shift()
  }

  counts(): MarketCounts {
    return {
      bidsSeen: this.#bidsSeen,
      answered: this.#answered,
      won: this.#won,
      notAnswered: Object.fromEntries(this.#notAnswered),
      lost: Object.fromEntries(this.#lost),
    }
  }

  keep(): KeptTally {
    return { ...this.counts(), losses: [...this.#losses] }
  }

  /** Goes on from what was kept. Called before anything is counted. */
  recall({ bidsSeen, answered, won, notAnswered, lost, losses }: KeptTally): void {
    this.#bidsSeen = bidsSeen
    this.#answered = answered
    this.#won = won
    for (const [word, times] of Object.entries(notAnswered).slice(0, wordsMax)) this.#notAnswered.set(word, times)
    for (const [word, times] of Object.entries(lost).slice(0, wordsMax)) this.#lost.set(word, times)
    this.#losses.push(...losses.slice(-lossesMax))
  }

  /** By how much winners were cheaper, in the middle, in hundredths; undefined when none was. */
  dearerPercent(nowMs: number): number | undefined {
    const recent = this.#recent(nowMs)
    const percents = recent.map(({ ours, winners }) => ((ours - winners) / Math.max(1, winners)) * 100)
    return percents.length === 0 ? undefined : Math.round(median(percents))
  }

  /** The price at which half of what was lost to a cheaper offer would have been won. */
  hint(nowMs: number): PriceHint | undefined {
    const recent = this.#recent(nowMs)
    if (recent.length === 0) return undefined
    const cpuHourMicro = Math.floor(median(recent.map(({ winners }) => winners)))
    return { cpuHourMicro, wouldHaveWon: recent.filter(({ winners }) => winners >= cpuHourMicro).length }
  }

  #recent(nowMs: number): readonly Loss[] {
    while (this.#losses.length > 0 && this.#losses[0]!.atMs < nowMs - lossesKeptMs) this.#losses.shift()
    return this.#losses
  }
}

function count(words: Map<string, number>, word: string): void {
  const known = words.has(word) || words.size < wordsMax ? word : 'others'
  words.set(known, (words.get(known) ?? 0) + 1)
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((left, right) => left - right)
  return sorted[Math.floor((sorted.length - 1) / 2)]!
}
