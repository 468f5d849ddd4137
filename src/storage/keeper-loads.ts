/** Whom the shards of one object are with, or about to be: on as many distinct peers, operators and networks as there are. */
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Placed } from './place.ts'

/** Shards of an object within one network. */
export const shardsPerNetworkMax = 2

/** Whom a peer shares its fate with. Undefined: not known, or of no matter here; then it is by itself. */
export interface Fates {
  /** A network of one line: known by its address, and no more than `shardsPerNetworkMax` in it. */
  readonly networkOf?: (peer: PeerName) => string | undefined
  /** Who runs it, as it says itself: it may say anything, so nobody is refused for it. */
  readonly operatorOf?: (peer: PeerName) => string | undefined
}

/** How many shards of the object each candidate has, or is being given. */
export class KeeperLoads {
  readonly #shardsPerPeerMax: number
  readonly #loads: Map<PeerName, number>
  /** Of peers that are no candidates, or no more: they count for their networks. */
  readonly #others = new Map<PeerName, number>()
  readonly #fates: Fates
  /** Who kept us waiting, or has lost a shard before: asked only when there is nobody else. */
  readonly #doubted = new Set<PeerName>()

  constructor(
    shardsPerPeerMax: number,
    candidates: readonly PeerName[],
    held: readonly Pick<Placed, 'peer'>[],
    fates: Fates,
  ) {
    this.#shardsPerPeerMax = shardsPerPeerMax
    this.#fates = fates
    this.#loads = new Map(candidates.map((peer) => [peer, 0]))
    for (const { peer } of held) {
      const loads = this.#loads.has(peer) ? this.#loads : this.#others
      loads.set(peer, (loads.get(peer) ?? 0) + 1)
    }
  }

  /**
   * The best candidate, which then has one more: at an operator that has as many as the object can lose only when there is no other, and
   * then with as few shards as can be, itself, its operator and its network.
   */
  take(except: ReadonlySet<PeerName>): PeerName | undefined {
    let best: { peer: PeerName; load: number; order: readonly number[] } | undefined
    for (const [peer, load] of this.#loads) {
      const near = this.#nearby(peer)
      if (load >= this.#shardsPerPeerMax || near >= shardsPerNetworkMax || except.has(peer)) continue
      const run = this.#sharing(peer, this.#fates.operatorOf)
      const order = [Number(this.#doubted.has(peer)), Number(run >= this.#shardsPerPeerMax), load, run, near]
      if (best === undefined || isBefore(order, best.order)) best = { peer, load, order }
    }
    if (best !== undefined) this.#loads.set(best.peer, best.load + 1)
    return best?.peer
  }

  /** Whether this candidate may have one more, which it then has. */
  takeThis(peer: PeerName): boolean {
    const load = this.#loads.get(peer)
    if (load === undefined || load >= this.#shardsPerPeerMax || this.#nearby(peer) >= shardsPerNetworkMax) return false
    this.#loads.set(peer, load + 1)
    return true
  }

  /** Whether the network of a peer has no more than it may, with what the peer was just given. */
  isWithinNetwork(peer: PeerName): boolean {
    return this.#nearby(peer) <= shardsPerNetworkMax
  }

  doubt(peer: PeerName): void {
    this.#doubted.add(peer)
  }

  giveBack(peer: PeerName): void {
    const load = this.#loads.get(peer)
    if (load !== undefined) this.#loads.set(peer, load - 1)
  }

  /** No candidate any more; what it was being given last it has not. */
  drop(peer: PeerName): void {
    const load = this.#loads.get(peer)
    if (load === undefined) return
    this.#loads.delete(peer)
    if (load > 1) this.#others.set(peer, load - 1)
  }

  /** Shards in the network of a peer; 0 when it is not known. */
  #nearby(peer: PeerName): number {
    return this.#sharing(peer, this.#fates.networkOf)
  }

  /** Shards at all who share a fate with a peer, itself among them; 0 when it is not known. */
  #sharing(peer: PeerName, fateOf: (peer: PeerName) => string | undefined = () => undefined): number {
    const fate = fateOf(peer)
    if (fate === undefined) return 0
    let shards = 0
    for (const [other, load] of [...this.#loads, ...this.#others])
      if (load > 0 && fateOf(other) === fate) shards += load
    return shards
  }
}

function isBefore(left: readonly number[], right: readonly number[]): boolean {
  const at = left.findIndex((value, index) => value !== right[index])
  return at >= 0 && left[at]! < right[at]!
}
