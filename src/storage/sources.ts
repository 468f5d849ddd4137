/** Which shard is asked for next, and where: the order of preference, and what is no longer worth asking. */
import type { PeerName } from '../../protocols/wire/index.ts'

export interface FetchSource {
  readonly shard: number
  /** Peers that hold it, the best first. */
  readonly peers: readonly PeerName[]
}

export interface Candidate {
  readonly shard: number
  readonly peer: PeerName
}

export class Sources {
  #untried: readonly Candidate[]
  /** What broke off or was too slow: better than nothing. */
  #tried: readonly Candidate[] = []
  readonly #dropped = new Set<PeerName>()
  readonly #lastResort: PeerName | undefined

  /**
   * In order of preference: the cheapest peer first; among equals the first peer of each shard before any second, and then
   * data shards first, because when all of them come nothing has to be decoded. `lastResort`: who is asked only when it is said so.
   */
  constructor(
    sources: readonly FetchSource[],
    shards: number,
    costOf: (peer: PeerName) => number,
    lastResort?: PeerName,
  ) {
    this.#lastResort = lastResort
    this.#untried = sources
      .filter(({ shard }) => Number.isInteger(shard) && shard >= 0 && shard < shards)
      .flatMap(({ shard, peers }) =>
        peers.map((peer, round) => ({ candidate: { shard, peer }, order: [costOf(peer), round, shard] })),
      )
      .sort((left, right) => compare(left.order, right.order))
      .map(({ candidate }) => candidate)
  }

  /** The next to be asked, for a shard for which nobody is at work; the last resort only when `isDire` and there is nobody else. */
  take(isActive: (shard: number) => boolean, isDire = true): Candidate | undefined {
    const isLawful = ({ shard, peer }: Candidate): boolean => !isActive(shard) && !this.#dropped.has(peer)
    const isOrdinary = (candidate: Candidate): boolean => isLawful(candidate) && candidate.peer !== this.#lastResort
    const best =
      this.#untried.find(isOrdinary) ??
      this.#tried.find(isOrdinary) ??
      (isDire ? (this.#untried.find(isLawful) ?? this.#tried.find(isLawful)) : undefined)
    this.#untried = this.#untried.filter((candidate) => candidate !== best)
    this.#tried = this.#tried.filter((candidate) => candidate !== best)
    return best
  }

  /** To be asked again when there is nobody better. */
  giveBack(candidate: Candidate): void {
    this.#tried = [...this.#tried, candidate]
  }

  /** Not to be asked for anything again: it sent what is not of the shard. */
  drop(peer: PeerName): void {
    this.#dropped.add(peer)
  }

  isDropped(peer: PeerName): boolean {
    return this.#dropped.has(peer)
  }
}

function compare(left: readonly number[], right: readonly number[]): number {
  const at = left.findIndex((value, index) => value !== right[index])
  return at === -1 ? 0 : left[at]! - right[at]!
}
