/** Terms of shards that keepers have, made longer. */
import type { ObjectManifest } from '../../protocols/erasure/index.ts'
import type { ShardSource, TransferService } from '../../protocols/transfer/index.ts'
import { Fault, RefusedError, refusal, type PeerName } from '../../protocols/wire/index.ts'
import type { Placed } from './place.ts'
import type { ShardStore } from './shard-store.ts'

/** Renewals at once. */
const renewalsMax = 4

export interface RenewDeps {
  readonly transfer: Pick<TransferService, 'put'>
  readonly store: Pick<ShardStore, 'open'>
  readonly onFault?: (peer: PeerName, fault: Fault) => void
}

/**
 * Asks keepers to keep until `keepUntilMs` what they have. Resolves with those that said so. One that lost its shard gets it again only
 * when we have it ourselves; why the others did not, the next audit says. Rejects with the reason of `signal`.
 */
export async function renewTerms(
  { transfer, store, onFault = () => {} }: RenewDeps,
  { shards, shardBytes }: Pick<ObjectManifest, 'shards' | 'shardBytes'>,
  places: readonly Placed[],
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<Placed[]> {
  const queue = [...places]
  const renewed: Placed[] = []
  const worker = async (): Promise<void> => {
    for (let place = queue.shift(); place !== undefined; place = queue.shift()) {
      const { shard, peer } = place
      const root = shards[shard]!
      const source = (await store.open(root).catch(() => undefined)) ?? gone(shardBytes)
      try {
        const untilMs = await transfer.put(peer, root, source, keepUntilMs, signal)
        renewed.push({ shard, peer, keepUntilMs: untilMs, heardUntilMs: untilMs })
      } catch (error) {
        // The next audit says what is the matter with it.
        if (error instanceof Fault) onFault(peer, error)
      } finally {
        await source.close()
      }
    }
  }
  await Promise.all(Array.from({ length: renewalsMax }, worker))
  signal.throwIfAborted()
  return renewed
}

/** To prolong a term needs no bytes, unless they are lost. */
function gone(shardBytes: number): ShardSource {
  return {
    shardBytes,
    leaf: async () => {
      throw new RefusedError(refusal('NOT_FOUND'))
    },
    close: async () => {},
  }
}
