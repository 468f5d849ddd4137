/** Shards to keepers: each shard to one, spread over as many distinct peers, and networks, as there are. */
import type { ShardSource, TransferService } from '../../protocols/transfer/index.ts'
import { Fault, RefusedError, type PeerName } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'
import { KeeperLoads, shardsPerNetworkMax, type Fates } from './keeper-loads.ts'
import { offerInTurn, type KeeperOffers } from './offer-in-turn.ts'
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

export interface PlaceDeps extends Fates {
  readonly transfer: Pick<TransferService, 'put'>
  readonly store: Pick<ShardStore, 'open'>
  readonly diary?: PlaceDiary
  /** For how long a keeper is waited for. */
  readonly clock: Pick<Clock, 'after' | 'sleep'>
  onFault?(peer: PeerName, fault: Fault): void
  /** It was asked to take a shard, and gave no sign for a while. */
  onSilent?(peer: PeerName): void
}

export interface PlaceRequest {
  readonly object: Pick<SealedObject, 'roots' | 'code'>
  /** Which are to be placed; all when left out. */
  readonly shards?: readonly number[]
  /** Where the others are already. */
  readonly held?: readonly Offered[]
  /** What broke off: those keepers may have a part of it, and are asked first. */
  readonly offered?: readonly Offered[]
  readonly candidates: readonly PeerName[]
  /** Of these, whom to ask only when there is nobody else. */
  readonly lastResort?: readonly PeerName[]
  readonly keepUntilMs: number
}

/** Shards on their way at once. */
const uploadsMax = 4
/** How often, and how far apart, a keeper is asked that is busy with what broke off: it notices within 10 s that nobody is there. */
const heldOnTriesMax = 12
const heldOnWaitMs = 1_000
/**
 * Resolves once every shard is acknowledged as durable by a keeper. The keeper with the fewest shards of this object comes first,
 * among equals the one whose operator, and then whose network, has the fewest, so that they are on as many distinct ones as possible; none
 * gets more than m, so that the loss of one never is the loss of the object, and no network more than `shardsPerNetworkMax`; an operator
 * gets more than m only when there is no other. A keeper
 * that fails or refuses is not tried again, but one that is only busy may be for another shard; one that gives no sign is not waited for alone.
 */
export async function placeShards(deps: PlaceDeps, request: PlaceRequest, signal: AbortSignal): Promise<Placed[]> {
  const { object, held = [], candidates, keepUntilMs } = request
  const begun = new Map(request.offered?.map(({ shard, peer }) => [shard, peer]))
  const all = [...new Set([...candidates, ...begun.values()])]
  const loads = new KeeperLoads(Math.max(1, object.code.m), all, held, deps)
  for (const peer of request.lastResort ?? []) loads.doubt(peer)
  const reasons: PlacementFailure[] = []
  const placed: Placed[] = []
  const missing: number[] = []
  const wanted = [...(request.shards ?? object.roots.keys())]
  const queue = [...wanted.filter((shard) => begun.has(shard)), ...wanted.filter((shard) => !begun.has(shard))]

  const placeOne = async (shard: number): Promise<void> => {
    const root = object.roots[shard]!
    const except = new Set<PeerName>()
    let first = begun.get(shard)
    const offers: KeeperOffers = {
      next() {
        const one = first
        first = undefined
        return one !== undefined && loads.takeThis(one) ? one : loads.take(except)
      },
      async offer(peer, onTaken, until) {
        const isHeldOn = peer === begun.get(shard)
        await deps.diary?.offered({ shard, peer })
        const untilMs = await upload(deps, root, peer, keepUntilMs, isHeldOn, onTaken, until)
        // Of some keepers the network is known only now that they are connected.
        if (loads.isWithinNetwork(peer)) return untilMs
        loads.drop(peer)
        throw new Error(`its network has ${shardsPerNetworkMax} shards already`)
      },
      onFailed(peer, error) {
        if (error instanceof OwnShardError) throw error
        reasons.push({ peer, reason: error instanceof RefusedError ? error.code : (error as Error).message })
        if (error instanceof RefusedError && error.code === 'BUSY') {
          except.add(peer)
          loads.giveBack(peer)
        } else loads.drop(peer)
        if (error instanceof Fault) deps.onFault?.(peer, error)
      },
      onSilent(peer) {
        loads.doubt(peer)
        deps.onSilent?.(peer)
      },
      onLeft(peer) {
        except.add(peer)
        loads.giveBack(peer)
      },
    }
    const taken = await offerInTurn(offers, deps.clock, signal)
    if (taken === undefined) return void missing.push(shard)
    const place = { shard, peer: taken.peer, keepUntilMs: taken.untilMs, heardUntilMs: taken.untilMs }
    placed.push(place)
    await deps.diary?.placed(place)
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

/** `isHeldOn`: a keeper that is busy is asked again, as long as it may take to notice that what broke off is over. */
async function upload(
  { transfer, store, clock }: PlaceDeps,
  root: Uint8Array,
  peer: PeerName,
  keepUntilMs: number,
  isHeldOn: boolean,
  onTaken: () => void,
  signal: AbortSignal,
): Promise<number> {
  const source = await ours(async () => store.open(root))
  if (source === undefined) throw new OwnShardError('our own shard is gone')
  const checked: ShardSource = {
    ...source,
    async leaf(leaf) {
      onTaken()
      return ours(async () => source.leaf(leaf))
    },
  }
  try {
    for (let tries = 1; ; tries++) {
      try {
        return await transfer.put(peer, root, checked, keepUntilMs, signal)
      } catch (error) {
        const isBusy = error instanceof RefusedError && error.code === 'BUSY'
        if (!isBusy || !isHeldOn || tries === heldOnTriesMax) throw error
        await clock.sleep(heldOnWaitMs, signal)
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
