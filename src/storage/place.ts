/** Shards to keepers: each shard to one, spread over as many distinct peers as there are. */
import { Fault, RefusedError, type PeerName } from '../../protocols/wire/index.ts'
import type { ShardSource, TransferService } from '../../protocols/transfer/index.ts'
import type { SealedObject } from './seal.ts'
import type { ShardStore } from './shard-store.ts'

/** Where one shard is. */
export interface Placed {
  readonly shard: number
  readonly peer: PeerName
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

/** Shards on their way at once. */
const uploadsMax = 4

/**
 * Resolves once every shard is acknowledged as durable by a keeper. The keeper with the fewest shards of this object comes first,
 * so that they are on as many distinct peers as possible; and none gets more than m, so that the loss of one never is the loss
 * of the object. A keeper that fails or refuses is not tried again, but one that is only busy may be for another shard.
 */
export async function placeObject(
  transfer: Pick<TransferService, 'put'>,
  store: Pick<ShardStore, 'open'>,
  object: SealedObject,
  candidates: readonly PeerName[],
  keepUntilMs: number,
  signal: AbortSignal,
  onFault: (peer: PeerName, fault: Fault) => void = () => {},
): Promise<Placed[]> {
  const shardsPerPeerMax = Math.max(1, object.code.m)
  const load = new Map(candidates.map((peer) => [peer, 0]))
  const reasons: PlacementFailure[] = []
  const placed: Placed[] = []
  const missing: number[] = []
  const queue = object.roots.map((_, shard) => shard)

  const placeOne = async (shard: number): Promise<void> => {
    const busy = new Set<PeerName>()
    for (;;) {
      const peer = leastLoaded(load, shardsPerPeerMax, busy)
      if (peer === undefined) break
      load.set(peer, load.get(peer)! + 1)
      try {
        await upload(transfer, store, object.roots[shard]!, peer, keepUntilMs, signal)
        placed.push({ shard, peer })
        return
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof OwnShardError) throw error
        reasons.push({ peer, reason: error instanceof RefusedError ? error.code : (error as Error).message })
        if (error instanceof RefusedError && error.code === 'BUSY') {
          busy.add(peer)
          if (load.has(peer)) load.set(peer, load.get(peer)! - 1)
        } else load.delete(peer)
        if (error instanceof Fault) onFault(peer, error)
      }
    }
    missing.push(shard)
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
    shardsPerPeerMax,
  )
}

async function upload(
  transfer: Pick<TransferService, 'put'>,
  store: Pick<ShardStore, 'open'>,
  root: Uint8Array,
  peer: PeerName,
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<void> {
  const source = await ours(async () => store.open(root))
  if (source === undefined) throw new OwnShardError('our own shard is gone')
  const checked: ShardSource = { ...source, leaf: async (leaf) => ours(async () => source.leaf(leaf)) }
  try {
    await transfer.put(peer, root, checked, keepUntilMs, signal)
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

function leastLoaded(
  load: ReadonlyMap<PeerName, number>,
  shardsPerPeerMax: number,
  except: ReadonlySet<PeerName>,
): PeerName | undefined {
  let best: PeerName | undefined
  for (const [peer, count] of load) {
    if (count < shardsPerPeerMax && !except.has(peer) && (best === undefined || count < load.get(best)!)) best = peer
  }
  return best
}
