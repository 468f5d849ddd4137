/** Shards to keepers: each shard to one, spread over as many distinct peers, and networks, as there are. */
import type { ShardSource, TransferService } from '../../protocols/transfer/index.ts'
import { Fault, RefusedError, type PeerName } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'
import type { SealedObject } from './seal.ts'
import type { ShardStore } from './shard-store.ts'

/** Where one shard is. */
export interface Placed {
  readonly shard: number
  readonly peer: PeerName
  readonly keepUntilMs: number
  /** As the keeper told us itself; absent when others say so. */
  readonly heardUntilMs?: number
}

export interface PlacementFailure {
  readonly peer: PeerName
  /** The code of a refusal, or what went wrong. */
  readonly reason: string
}

/** Not all shards found a keeper. What was placed stays where it is until its term ends. */
export class PlacementError extends Error {
  override readonly name = 'PlacementError'
  /** What did find one. */
  readonly placed: readonly Placed[]
  readonly missing: readonly number[]
  readonly reasons: readonly PlacementFailure[]

  constructor(
    placed: readonly Placed[],
    missing: readonly number[],
    reasons: readonly PlacementFailure[],
    shardsPerPeerMax: number,
  ) {
    const why = reasons.map(({ peer, reason }) => `${peer.slice(-6)}: ${reason}`)
    const full = new Set(placed.map(({ peer }) => peer)).size
    if (full > 0) why.push(`${full} ${full === 1 ? 'keeper has' : 'keepers have'} up to ${shardsPerPeerMax} each`)
    super(`no keeper for shard ${missing.join(', ')} (${why.length === 0 ? 'there are no keepers' : why.join('; ')})`)
    this.placed = placed
    this.missing = missing
    this.reasons = reasons
  }
}

/** Our own copy cannot be read: no keeper's doing, and no other keeper would help. */
export class OwnShardError extends Error {
  override readonly name = 'OwnShardError'
}

/** A shard with a keeper, or about to be. */
export type Offered = Pick<Placed, 'shard' | 'peer'>

/** What is written down of a placement as it goes, so that another can go on from there. The next step waits for it. */
export interface PlaceDiary {
  offered(offered: Offered): Promise<void>
  placed(placed: Placed): Promise<void>
}

export interface PlaceDeps {
  readonly transfer: Pick<TransferService, 'put'>
  readonly store: Pick<ShardStore, 'open'>
  readonly diary?: PlaceDiary
  onFault?(peer: PeerName, fault: Fault): void
  /** Whom a peer shares its fate with: a network of one line or one operator. Undefined: not known, or of no matter here. */
  networkOf?(peer: PeerName): string | undefined
}

export interface PlaceRequest {
  readonly object: Pick<SealedObject, 'roots' | 'code'>
  /** Which are to be placed; all when left out. */
  readonly shards?: readonly number[]
  /** Where the others are already. */
  readonly held?: readonly Offered[]
  /** What broke off: those keepers may have a part of it, and are asked first. */
  readonly offered?: readonly Offered[]
  /** How a keeper is waited for that still holds on to what broke off; not at all when left out. */
  readonly clock?: Pick<Clock, 'sleep'>
  readonly candidates: readonly PeerName[]
  readonly keepUntilMs: number
}

/** Shards on their way at once. */
const uploadsMax = 4
/** How often, and how far apart, a keeper is asked that is busy with what broke off: it notices within 10 s that nobody is there. */
const heldOnTriesMax = 12
const heldOnWaitMs = 1_000
/** Shards of an object within one network. */
export const shardsPerNetworkMax = 2

/**
 * Resolves once every shard is acknowledged as durable by a keeper. The keeper with the fewest shards of this object comes first,
 * among equals the one whose network has the fewest, so that they are on as many distinct peers and networks as possible; none gets
 * more than m, so that the loss of one never is the loss of the object, and no network more than `shardsPerNetworkMax`. A keeper
 * that fails or refuses is not tried again, but one that is only busy may be for another shard.
 */
export async function placeShards(deps: PlaceDeps, request: PlaceRequest, signal: AbortSignal): Promise<Placed[]> {
  const { object, held = [], candidates, keepUntilMs } = request
  const begun = new Map(request.offered?.map(({ shard, peer }) => [shard, peer]))
  const all = [...new Set([...candidates, ...begun.values()])]
  const loads = new Loads(Math.max(1, object.code.m), all, held, (peer) => deps.networkOf?.(peer))
  const reasons: PlacementFailure[] = []
  const placed: Placed[] = []
  const missing: number[] = []
  const wanted = [...(request.shards ?? object.roots.keys())]
  const queue = [...wanted.filter((shard) => begun.has(shard)), ...wanted.filter((shard) => !begun.has(shard))]

  const placeOne = async (shard: number): Promise<void> => {
    const except = new Set<PeerName>()
    let first = begun.get(shard)
    for (;;) {
      const isFirst = first !== undefined && loads.takeThis(first)
      const peer = isFirst ? first : loads.take(except)
      first = undefined
      if (peer === undefined) break
      await deps.diary?.offered({ shard, peer })
      try {
        const root = object.roots[shard]!
        const waiting = isFirst ? request.clock : undefined
        const untilMs = await upload(deps, root, peer, keepUntilMs, signal, waiting)
        // Of some keepers the network is known only now that they are connected.
        if (loads.isWithinNetwork(peer)) {
          placed.push({ shard, peer, keepUntilMs: untilMs, heardUntilMs: untilMs })
          break
        }
        reasons.push({ peer, reason: `its network has ${shardsPerNetworkMax} shards already` })
        loads.drop(peer)
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof OwnShardError) throw error
        reasons.push({ peer, reason: error instanceof RefusedError ? error.code : (error as Error).message })
        if (error instanceof RefusedError && error.code === 'BUSY') {
          except.add(peer)
          loads.giveBack(peer)
        } else loads.drop(peer)
        if (error instanceof Fault) deps.onFault?.(peer, error)
      }
    }
    const place = placed.find((one) => one.shard === shard)
    if (place === undefined) missing.push(shard)
    else await deps.diary?.placed(place)
  }
  const worker = async (): Promise<void> => {
    for (let shard = queue.shift(); shard !== undefined; shard = queue.shift()) await placeOne(shard)
  }
  await Promise.all(Array.from({ length: uploadsMax }, worker))
  const inOrder = placed.toSorted((left, right) => left.shard - right.shard)
  if (missing.length === 0) return inOrder
  throw new PlacementError(
    inOrder,
    missing.toSorted((left, right) => left - right),
    reasons,
    Math.max(1, object.code.m),
  )
}

/** Places all shards of an object; see placeShards. */
export async function placeObject(
  transfer: Pick<TransferService, 'put'>,
  store: Pick<ShardStore, 'open'>,
  object: SealedObject,
  candidates: readonly PeerName[],
  keepUntilMs: number,
  signal: AbortSignal,
  onFault: (peer: PeerName, fault: Fault) => void = () => {},
): Promise<Placed[]> {
  return placeShards({ transfer, store, onFault }, { object, candidates, keepUntilMs }, signal)
}

/** `waiting`: a keeper that is busy is asked again, as long as it may take to notice that what broke off is over. */
async function upload(
  { transfer, store }: PlaceDeps,
  root: Uint8Array,
  peer: PeerName,
  keepUntilMs: number,
  signal: AbortSignal,
  waiting?: Pick<Clock, 'sleep'>,
): Promise<number> {
  const source = await ours(async () => store.open(root))
  if (source === undefined) throw new OwnShardError('our own shard is gone')
  const checked: ShardSource = { ...source, leaf: async (leaf) => ours(async () => source.leaf(leaf)) }
  try {
    for (let tries = 1; ; tries++) {
      try {
        return await transfer.put(peer, root, checked, keepUntilMs, signal)
      } catch (error) {
        const isBusy = error instanceof RefusedError && error.code === 'BUSY'
        if (!isBusy || waiting === undefined || tries === heldOnTriesMax) throw error
        await waiting.sleep(heldOnWaitMs, signal)
      }
    }
  } finally {
    await source.close()
  }
}

/** A refusal of our own store must not pass for one of the keeper's. */
async function ours<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    throw new OwnShardError(`our own shard cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

/** How many shards of the object each candidate has, or is being given. */
class Loads {
  readonly #shardsPerPeerMax: number
  readonly #loads: Map<PeerName, number>
  /** Of peers that are no candidates, or no more: they count for their networks. */
  readonly #others = new Map<PeerName, number>()
  readonly #networkOf: (peer: PeerName) => string | undefined

  constructor(
    shardsPerPeerMax: number,
    candidates: readonly PeerName[],
    held: readonly Pick<Placed, 'peer'>[],
    networkOf: (peer: PeerName) => string | undefined,
  ) {
    this.#shardsPerPeerMax = shardsPerPeerMax
    this.#networkOf = networkOf
    this.#loads = new Map(candidates.map((peer) => [peer, 0]))
    for (const { peer } of held) {
      const loads = this.#loads.has(peer) ? this.#loads : this.#others
      loads.set(peer, (loads.get(peer) ?? 0) + 1)
    }
  }

  /** The best candidate, which then has one more. */
  take(except: ReadonlySet<PeerName>): PeerName | undefined {
    let best: { peer: PeerName; load: number; near: number } | undefined
    for (const [peer, load] of this.#loads) {
      const near = this.#nearby(peer)
      if (load >= this.#shardsPerPeerMax || near >= shardsPerNetworkMax || except.has(peer)) continue
      if (best === undefined || load < best.load || (load === best.load && near < best.near))
        best = { peer, load, near }
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
    const network = this.#networkOf(peer)
    if (network === undefined) return 0
    let shards = 0
    for (const [other, load] of [...this.#loads, ...this.#others])
      if (load > 0 && this.#networkOf(other) === network) shards += load
    return shards
  }
}
