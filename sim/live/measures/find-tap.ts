/** What queries of the DHT cost: requests, and how long they took. */
import type { PeerName } from '../../../protocols/wire/index.ts'
import type { QueryKind, QueryWatch } from '../../../src/host/index.ts'
import { Histogram } from '../../report/samples.ts'
import type { FindFindings, QueryFindings } from './findings.ts'

interface Tally {
  readonly requests: Histogram
  readonly tookMs: Histogram
  failures: number
}

export class FindTap {
  readonly #nowMs: () => number
  readonly #tallies = new Map<QueryKind, Tally>()
  readonly #tookMs = new Histogram()
  readonly #requests = new Histogram()
  /** Requests so far of look-ups that are measured one by one. */
  readonly #probes = new Map<string, number>()
  #asked = 0
  #found = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  onQuery(peer: PeerName, kind: QueryKind, key: Uint8Array): QueryWatch {
    const startedMs = this.#nowMs()
    const probe = probeOf(peer, key)
    const isProbe = kind === 'get' && this.#probes.has(probe)
    let requests = 0
    let failures = 0
    return {
      onRequest: () => void (requests += 1),
      onFailure: () => void (failures += 1),
      onEnd: () => {
        if (isProbe) this.#probes.set(probe, (this.#probes.get(probe) ?? 0) + requests)
        const tally = this.#tally(kind)
        tally.requests.add(requests)
        tally.tookMs.add(this.#nowMs() - startedMs)
        tally.failures += failures
      },
    }
  }

  /** Looks something up under this path, and counts what that took. `isFound` resolves to whether it was there. */
  async probe(peer: PeerName, path: Uint8Array, isFound: () => Promise<boolean>): Promise<void> {
    const probe = probeOf(peer, path)
    this.#probes.set(probe, 0)
    const startedMs = this.#nowMs()
    try {
      const found = await isFound()
      this.#asked += 1
      this.#requests.add(this.#probes.get(probe)!)
      if (!found) return
      this.#found += 1
      this.#tookMs.add(this.#nowMs() - startedMs)
    } finally {
      this.#probes.delete(probe)
    }
  }

  findings(): FindFindings {
    const queries = [...this.#tallies].map(([kind, { requests, tookMs, failures }]): [string, QueryFindings] => [
      kind,
      { requests: requests.bins(), tookMs: tookMs.bins(), failures },
    ])
    return {
      asked: this.#asked,
      found: this.#found,
      tookMs: this.#tookMs.bins(),
      requests: this.#requests.bins(),
      queries: Object.fromEntries(queries.toSorted(([left], [right]) => (left < right ? -1 : 1))),
    }
  }

  #tally(kind: QueryKind): Tally {
    let tally = this.#tallies.get(kind)
    if (tally === undefined)
      this.#tallies.set(kind, (tally = { requests: new Histogram(), tookMs: new Histogram(), failures: 0 }))
    return tally
  }
}

function probeOf(peer: PeerName, key: Uint8Array): string {
  return `${peer} ${Buffer.from(key).toString('latin1')}`
}
