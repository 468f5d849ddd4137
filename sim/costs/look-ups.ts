/**
 * Look-ups over such tables, as kad-dht makes them: ten ways at once, which ask nobody that another has asked; a way asks up to
 * ten at a time, only those that are nearer than who named them and nearer than the furthest of the nearest that have answered,
 * and it ends when nobody is left to ask. Everybody answers, and every answer takes one round trip.
 */
import { meanOf, quantileOf } from '../live/measures/spread.ts'
import { SeededRandom } from '../random.ts'
import { Histogram } from '../report/samples.ts'
import { Tables, type TableKind } from './tables.ts'

/** Ways of a query, and requests that each has under way: kad-dht's ALPHA. */
const ways = 10
const alpha = 10

export interface LookUpPoint {
  readonly peers: number
  readonly table: string
  readonly lookUps: number
  readonly hitRate: number
  readonly requestsMean: number
  readonly requestsP99: number
  /** Round trips until nobody is left to ask, which is when kad-dht says what it found. */
  readonly roundsMean: number
  readonly roundsP99: number
  /** Round trips until somebody answered who has it, where anybody did; null: nobody ever did. */
  readonly roundsToFindMean: number | null
  /** Of those that are nearest to the key, how many the put came by and had store it. */
  readonly nearestShare: number
}

export interface LookUpOptions {
  readonly peers: number
  readonly kind: TableKind
  readonly lookUps: number
  readonly seed: number
}

interface Way {
  /** The nearest first. */
  readonly queue: number[]
  readonly closest: Closest
}

interface Query {
  readonly requests: number
  readonly rounds: number
  /** When each answered, in round trips. */
  readonly answered: ReadonlyMap<number, number>
}

/** Each time a record is put by one peer, chosen by chance, and looked up by another. */
export function modelLookUps({ peers, kind, lookUps, seed }: LookUpOptions): LookUpPoint {
  const tables = new Tables(peers, kind, seed)
  const random = SeededRandom.of(seed, 'costs', 'look-ups', peers, kind.name)
  const [requests, rounds, toFind] = [new Histogram(), new Histogram(), new Histogram()]
  let [found, nearest, wanted] = [0, 0, 0]
  for (let count = 0; count < lookUps; count++) {
    const key = random.next()
    const owner = random.between(0, peers - 1)
    const asker = (owner + random.between(1, peers - 1)) % peers
    const holders = new Set(nearestAnswered(tables, query(tables, owner, key, kind, random), key, kind.places))
    const truly = tables.nearest(key).filter((peer) => peer !== owner)
    wanted += truly.length
    nearest += truly.filter((peer) => holders.has(peer)).length
    const made = query(tables, asker, key, kind, random)
    // Who stores a record that it asks for has it.
    const isOwn = holders.has(asker)
    const times = [...made.answered].filter(([peer]) => peer === owner || holders.has(peer)).map(([, round]) => round)
    requests.add(made.requests)
    rounds.add(made.rounds)
    if (isOwn || times.length > 0) found += 1
    if (times.length > 0) toFind.add(Math.min(...times))
  }
  return {
    peers,
    table: kind.name,
    lookUps,
    hitRate: found / lookUps,
    requestsMean: meanOf(requests.bins())!,
    requestsP99: quantileOf(requests.bins(), 0.99)!,
    roundsMean: meanOf(rounds.bins())!,
    roundsP99: quantileOf(rounds.bins(), 0.99)!,
    roundsToFindMean: meanOf(toFind.bins()),
    nearestShare: nearest / wanted,
  }
}

function query(tables: Tables, self: number, key: number, kind: TableKind, random: SeededRandom): Query {
  const seen = new Set([self])
  const answered = new Map<number, number>()
  const paths = startsOf(tables.nearestOf(self, key), random).map((start): Way => {
    start.forEach((peer) => seen.add(peer))
    return { queue: start, closest: new Closest(tables, key, kind.places) }
  })
  let rounds = 0
  while (paths.some(({ queue }) => queue.length > 0)) {
    let asked = 0
    for (const path of paths) {
      const now = nextOf(path)
      asked += now.length
      for (const peer of now) answered.set(peer, rounds + 1)
      for (const peer of now) {
        path.closest.add(peer)
        for (const other of tables.nearestOf(peer, key)) {
          const isNearer = tables.distance(other, key) < tables.distance(peer, key)
          if (seen.has(other) || !isNearer || !path.closest.fits(other)) continue
          seen.add(other)
          path.queue.push(other)
        }
      }
      path.queue.sort((left, right) => tables.distance(left, key) - tables.distance(right, key))
    }
    if (asked > 0) rounds += 1
  }
  return { requests: answered.size, rounds, answered }
}

/** Who is asked now; whoever is too far by now is left out. */
function nextOf({ queue, closest }: Way): number[] {
  const next: number[] = []
  while (next.length < alpha && queue.length > 0) {
    const peer = queue.shift()!
    if (closest.fits(peer)) next.push(peer)
  }
  return next
}

/** Who is asked first on each way. */
function startsOf(peers: readonly number[], random: SeededRandom): number[][] {
  const starts = Array.from({ length: ways }, (): number[] => [])
  const order = [...peers]
  for (let place = 0; order.length > 0; place++)
    starts[place % ways]!.push(order.splice(random.between(0, order.length - 1), 1)[0]!)
  return starts.filter((start) => start.length > 0)
}

/** The nearest that have answered on one way: whoever is further than all of them is not asked. */
class Closest {
  readonly #tables: Tables
  readonly #key: number
  readonly #places: number
  #distances: number[] = []

  constructor(tables: Tables, key: number, places: number) {
    this.#tables = tables
    this.#key = key
    this.#places = places
  }

  fits(peer: number): boolean {
    const furthest = this.#distances.at(-1)
    return (
      furthest === undefined ||
      this.#distances.length < this.#places ||
      this.#tables.distance(peer, this.#key) < furthest
    )
  }

  add(peer: number): void {
    const distances = [...this.#distances, this.#tables.distance(peer, this.#key)]
    this.#distances = distances.toSorted((left, right) => left - right).slice(0, this.#places)
  }
}

function nearestAnswered(tables: Tables, { answered }: Query, key: number, places: number): number[] {
  return [...answered.keys()]
    .toSorted((left, right) => tables.distance(left, key) - tables.distance(right, key))
    .slice(0, places)
}
