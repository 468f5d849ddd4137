/** How fast peers have been, remembered from one object to the next: who was fast is asked first. */
import type { PeerName } from '../../protocols/wire/index.ts'

/** The peers that are remembered: those that were measured last. */
const peersMax = 1_024
/** What a new measurement counts for: peers change, and one measurement is mostly luck. */
const newestWeight = 0.3
/** Shorter pieces measure the way there and back, not the rate. */
const measuredBytesMin = 256 * 1024

export class PeerRates {
  /** In bytes per millisecond; whoever was measured last comes last. */
  readonly #rates = new Map<PeerName, number>()

  measured(peer: PeerName, bytes: number, tookMs: number): void {
    if (bytes < measuredBytesMin) return
    const rate = bytes / Math.max(tookMs, 0.1)
    const known = this.#rates.get(peer) ?? rate
    this.#rates.delete(peer)
    this.#rates.set(peer, known + (rate - known) * newestWeight)
    for (const oldest of this.#rates.keys()) {
      if (this.#rates.size <= peersMax) break
      this.#rates.delete(oldest)
    }
  }

  /** A peer kept its reader waiting for so long and gave nothing. */
  stalled(peer: PeerName, bytes: number, waitedMs: number): void {
    this.measured(peer, Math.max(bytes, measuredBytesMin), Math.max(waitedMs, 1) * 2)
  }

  /**
   * What it costs to ask a peer, as a power of two: only a peer twice as fast is worth decoding for. Who is not known is taken to
   * be like the middle of those who are.
   */
  costOf(peer: PeerName): number {
    const rate = this.#rates.get(peer) ?? this.#middle()
    return rate === undefined ? 0 : -Math.round(Math.log2(rate))
  }

  #middle(): number | undefined {
    const rates = [...this.#rates.values()].toSorted((left, right) => left - right)
    return rates[Math.floor(rates.length / 2)]
  }
}
