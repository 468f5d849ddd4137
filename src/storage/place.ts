/** Shards to keepers: each shard to one, spread over as many distinct peers as there are. */
import { RefusedError, type PeerName } from '../../protocols/wire/index.ts'
import type { TransferService } from '../../protocols/transfer/index.ts'
import type { SealedObject } from './seal.ts'
import type { ShardStore } from './shard-store.ts'

/** Where one shard is. */
export interface Placed {
  readonly shard: number
  readonly peer: PeerName
}

/** Not all shards found a keeper. What was placed stays where it is until its term ends. */
export class PlacementError extends Error {
  override readonly name = 'PlacementError'
  /** What did find one. */
  readonly placed: readonly Placed[]
  readonly missing: readonly number[]
  readonly reasons: readonly { readonly peer: PeerName; readonly reason: string }[]

  constructor(
    placed: readonly Placed[],
    missing: readonly number[],
    reasons: readonly { peer: PeerName; reason: string }[],
  ) {
    const why =
      reasons.length === 0
        ? 'there are no keepers'
        : reasons.map(({ peer, reason }) => `${peer.slice(-6)}: ${reason}`).join('; ')
    super(`no keeper for shard ${missing.join(', ')} (${why})`)
    this.placed = placed
    this.missing = missing
    this.reasons = reasons
  }
}

/** Shards on their way at once. */
const uploadsMax = 4
/** Keepers that are tried for one shard. */
const triesMax = 8

/**
 * Resolves once every shard is acknowledged as durable by a keeper. A keeper that refuses or fails is not tried again; the one with
 * the fewest shards of this object comes first, so that the shards are on as many distinct peers as possible.
 */
export async function placeObject(
  transfer: TransferService,
  store: ShardStore,
  object: SealedObject,
  candidates: readonly PeerName[],
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<Placed[]> {
  const load = new Map(candidates.map((peer) => [peer, 0]))
  const reasons: { peer: PeerName; reason: string }[] = []
  const placed: Placed[] = []
  const missing: number[] = []
  const queue = object.roots.map((_, shard) => shard)

  const placeOne = async (shard: number): Promise<void> => {
    for (let tries = 0; tries < triesMax; tries++) {
      const peer = leastLoaded(load)
      if (peer === undefined) break
      load.set(peer, load.get(peer)! + 1)
      try {
        await upload(transfer, store, object.roots[shard]!, peer, keepUntilMs, signal)
        placed.push({ shard, peer })
        return
      } catch (error) {
        signal.throwIfAborted()
        load.delete(peer)
        reasons.push({ peer, reason: error instanceof RefusedError ? error.code : (error as Error).message })
      }
    }
    missing.push(shard)
  }
  const worker = async (): Promise<void> => {
    for (let shard = queue.shift(); shard !== undefined; shard = queue.shift()) await placeOne(shard)
  }
  await Promise.all(Array.from({ length: uploadsMax }, worker))
  if (missing.length > 0)
    throw new PlacementError(
      placed,
      missing.sort((left, right) => left - right),
      reasons,
    )
  return placed.sort((left, right) => left.shard - right.shard)
}

async function upload(
  transfer: TransferService,
  store: ShardStore,
  root: Uint8Array,
  peer: PeerName,
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<void> {
  const source = await store.open(root)
  if (source === undefined) throw new Error('our own shard is gone')
  try {
    await transfer.put(peer, root, source, keepUntilMs, signal)
  } finally {
    await source.close()
  }
}

function leastLoaded(load: ReadonlyMap<PeerName, number>): PeerName | undefined {
  let best: PeerName | undefined
  for (const [peer, count] of load) if (best === undefined || count < load.get(best)!) best = peer
  return best
}
