/** A peer does not dial itself: what is to be had from our own shelf is read there. */
import { hashLeaf } from '../../protocols/erasure/index.ts'
import { eachLeaf, type Shelf, type TransferService } from '../../protocols/transfer/index.ts'
import { RefusedError, refusal, type PeerName } from '../../protocols/wire/index.ts'

export function withOwnShelf(transfer: TransferService, self: PeerName, shelf: Shelf): TransferService {
  return {
    ...transfer,
    put: async (peer, root, source, keepUntilMs, signal) => {
      if (peer === self) throw new Error('a shard is not put to oneself')
      return transfer.put(peer, root, source, keepUntilMs, signal)
    },
    get: async (peer, root, shardBytes, leaves, onLeaf, signal) => {
      if (peer !== self) return transfer.get(peer, root, shardBytes, leaves, onLeaf, signal)
      const source = await shelf.open(root)
      if (source === undefined || source.shardBytes !== shardBytes) throw new RefusedError(refusal('NOT_FOUND'))
      try {
        for await (const leaf of eachLeaf(leaves, signal)) {
          signal.throwIfAborted()
          const { bytes } = await source.leaf(leaf)
          await onLeaf(leaf, bytes, hashLeaf(bytes))
        }
      } finally {
        await source.close()
      }
    },
  }
}
