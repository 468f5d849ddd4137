/** How many bids a second a mesh bears: more and more, until the slowest leases take twice as long as when there was time. */
import { setTimeout as sleep } from 'node:timers/promises'

import type { Part } from '../bench.ts'
import { valueRow, type Row } from '../report.ts'
import { nowMs, openBazaar, quantile, type Bazaar } from './bazaar.ts'

const peers = 50
const bidsPerSecond = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64]
const forMs = 10_000
const tradeWithinMs = 60_000

export const sustained: Part = {
  name: 'sustained',
  about: `bids a second at ${peers} peers, until p99 doubles`,
  measure: async ({ folder, say, signal }): Promise<Row[]> => {
    await using bazaar = await openBazaar(peers, folder, 2, signal)
    let calmMs: number | undefined
    let borne = 0
    for (const rate of bidsPerSecond) {
      signal.throwIfAborted()
      const p99Ms = await p99Of(bazaar, rate, signal)
      say(`${rate} bids a second: p99 ${p99Ms} ms`)
      calmMs ??= p99Ms
      if (p99Ms > 2 * calmMs) break
      borne = rate
    }
    const note = `p99 is ${calmMs} ms at one bid a second`
    return [valueRow(`bids a second until p99 doubles, ${peers} peers`, 'bids/s', [borne], undefined, note)]
  },
}

/** Bids come at their times, whether or not those before have been answered. */
async function p99Of(bazaar: Bazaar, rate: number, signal: AbortSignal): Promise<number> {
  const count = Math.round((rate * forMs) / 1_000)
  const beganMs = nowMs()
  const trades = []
  for (let job = 0; job < count; job++) {
    await sleep(Math.max(0, beganMs + (job * 1_000) / rate - nowMs()), undefined, { signal })
    const until = AbortSignal.any([signal, AbortSignal.timeout(tradeWithinMs)])
    trades.push(bazaar.trade(bazaar.askers[job % bazaar.askers.length]!, until).catch(() => ({ commitMs: null })))
  }
  const done = await Promise.all(trades)
  return quantile(
    done.map(({ commitMs }) => commitMs ?? Infinity),
    0.99,
  )
}
