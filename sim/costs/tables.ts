/**
 * Routing tables of the DHT, by arithmetic alone: who a peer would name when it is asked for the nearest to a key. A table is not
 * kept but drawn when it is asked, the same each time, so that a million peers have one each.
 *
 * The trie of kad-dht halves the whole space, as far as six bits and no further: at most 64 buckets, each with some of those whose
 * names begin so. That of Kademlia halves, without end, only the part in which the peer itself is; so it knows ever more of
 * those that are ever nearer to it, and a look-up gets nearer with every answer.
 */
import { SeededRandom } from '../random.ts'

export interface TableKind {
  readonly name: string
  /** Places in a bucket; as many are named in an answer, and store a record. */
  readonly places: number
  /** How far the space is halved. 32: as far as there are names. */
  readonly depthMax: number
  /** Halved is only the part in which the peer itself is. */
  readonly isOwnSideOnly: boolean
  /** A full bucket is the same in every table, as live peers have it that are given their tables in one order. */
  readonly isShared: boolean
}

const bits = 32

/** Peers with names of 32 bits, and their tables. */
export class Tables {
  /** Names, the least first; a peer is its place among them. */
  readonly names: Uint32Array
  readonly #kind: TableKind
  readonly #seed: number

  constructor(peers: number, kind: TableKind, seed: number) {
    this.#kind = kind
    this.#seed = seed
    this.names = namesOf(peers, SeededRandom.of(seed, 'costs', 'names', peers))
  }

  /** Those in the table of a peer that are nearest to a key, the nearest first: at most as many as a bucket has places. */
  nearestOf(peer: number, key: number): number[] {
    const found: number[] = []
    this.#gather(peer, key, 0, this.names.length, 0, found)
    return this.#nearest(found, key)
  }

  /** Of all peers. */
  nearest(key: number): number[] {
    const found: number[] = []
    this.#gatherAll(key, 0, this.names.length, 0, found)
    return this.#nearest(found, key)
  }

  distance(peer: number, key: number): number {
    return (this.names[peer]! ^ key) >>> 0
  }

  #nearest(peers: readonly number[], key: number): number[] {
    return peers
      .toSorted((left, right) => this.distance(left, key) - this.distance(right, key))
      .slice(0, this.#kind.places)
  }

  /** Peers of the table with names between two places, the half nearer to the key first, until there are enough. */
  #gather(peer: number, key: number, from: number, to: number, depth: number, found: number[]): void {
    const { places, depthMax, isOwnSideOnly } = this.#kind
    const isElsewhere = peer < from || peer >= to
    if (to - from <= places || depth >= depthMax || (isOwnSideOnly && isElsewhere)) {
      for (const other of this.#bucket(peer, from, to, depth)) if (other !== peer) found.push(other)
      return
    }
    for (const [start, end] of this.#halves(key, from, to, depth)) {
      if (found.length < places) this.#gather(peer, key, start, end, depth + 1, found)
    }
  }

  #gatherAll(key: number, from: number, to: number, depth: number, found: number[]): void {
    if (to - from <= this.#kind.places || depth === bits) {
      for (let other = from; other < to; other++) found.push(other)
      return
    }
    for (const [start, end] of this.#halves(key, from, to, depth))
      if (found.length < this.#kind.places) this.#gatherAll(key, start, end, depth + 1, found)
  }

  /** Everybody, where there is room; otherwise as many as there are places, by chance. */
  #bucket(peer: number, from: number, to: number, depth: number): Iterable<number> {
    const { places, isShared } = this.#kind
    const chosen = new Set<number>()
    if (to - from <= places) for (let other = from; other < to; other++) chosen.add(other)
    else {
      const random = SeededRandom.of(this.#seed, 'costs', 'bucket', isShared ? '' : peer, from, depth)
      while (chosen.size < places) chosen.add(random.between(from, to - 1))
    }
    return chosen
  }

  /** The half of a range in which the key would be, and the other. */
  #halves(key: number, from: number, to: number, depth: number): [number, number][] {
    let [low, high] = [from, to]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (bitAt(this.names[middle]!, depth) === 0) low = middle + 1
      else high = middle
    }
    const halves: [number, number][] = [
      [from, low],
      [low, to],
    ]
    return bitAt(key, depth) === 0 ? halves : halves.reverse()
  }
}

function namesOf(peers: number, random: SeededRandom): Uint32Array {
  const names = new Set<number>()
  while (names.size < peers) names.add(random.next())
  return Uint32Array.from(names).sort()
}

function bitAt(name: number, depth: number): number {
  return (name >>> (bits - 1 - depth)) & 1
}
