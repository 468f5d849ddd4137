/** From a bid to the first offer and to the lease, one job after the other, among so many peers. */
import type { Part } from '../bench.ts'
import { valueRow, type Row } from '../report.ts'
import { openBazaar, quantile, type Trade } from './bazaar.ts'

export interface MatchOptions {
  readonly name: string
  readonly peers: number
  /** Of the time from bid to lease. */
  readonly bars: { readonly p50Ms?: number; readonly p99Ms?: number }
}

const jobs = 100
/** Not measured: connections to those that answer are made once, and who asks learns how many there are. */
const jobsBefore = 25
/** For a job of one place. */
const offersMost = 16
const tradeWithinMs = 30_000

export function matches({ name, peers, bars }: MatchOptions): Part {
  return {
    name,
    about: `from a bid to its lease at ${peers} peers`,
    measure: async ({ folder, say, signal }): Promise<Row[]> => {
      await using bazaar = await openBazaar(peers, folder, 1, signal)
      say(`${peers} peers are up`)
      const trades: Trade[] = []
      const offers: number[] = []
      for (let job = -jobsBefore; job < jobs; job++) {
        signal.throwIfAborted()
        const before = await bazaar.offersMade()
        const asker = bazaar.askers[(job + jobsBefore) % bazaar.askers.length]!
        const trade = await bazaar.trade(asker, AbortSignal.any([signal, AbortSignal.timeout(tradeWithinMs)]))
        if (job < 0) continue
        trades.push(trade)
        offers.push((await bazaar.offersMade()) - before)
      }
      const offerMs = trades.map((trade) => trade.offerMs ?? Infinity)
      const commitMs = trades.map((trade) => trade.commitMs ?? Infinity)
      const bar = (most: number | undefined) => (most === undefined ? undefined : { most })
      return [
        valueRow(`bid to first offer, ${peers} peers, p50`, 'ms', [quantile(offerMs, 0.5)]),
        valueRow(`bid to first offer, ${peers} peers, p99`, 'ms', [quantile(offerMs, 0.99)]),
        valueRow(`bid to commit, ${peers} peers, p50`, 'ms', [quantile(commitMs, 0.5)], bar(bars.p50Ms)),
        valueRow(`bid to commit, ${peers} peers, p99`, 'ms', [quantile(commitMs, 0.99)], bar(bars.p99Ms)),
        valueRow(`offers for a bid, ${peers} peers, p50`, 'offers', [quantile(offers, 0.5)]),
        valueRow(`offers for a bid, ${peers} peers, most`, 'offers', [Math.max(...offers)], { most: offersMost }),
      ]
    },
  }
}
