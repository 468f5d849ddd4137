/** The market, from a bid to a lease: how long it takes, how many answer, and how much of it a mesh bears. */
import type { Bench } from '../bench.ts'
import { matches } from './matches.ts'
import { sustained } from './sustained.ts'

export const market: Bench = {
  name: 'market',
  about: 'from a bid to a lease, among live peers without latency',
  parts: [
    matches({ name: 'five', peers: 5, bars: {} }),
    matches({ name: 'fifty', peers: 50, bars: { p50Ms: 300, p99Ms: 1_500 } }),
    matches({ name: 'hundreds', peers: 300, bars: { p99Ms: 3_000 } }),
    sustained,
  ],
}
