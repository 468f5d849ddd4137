/** A peer does not dial itself: what is to be had from our own shelf is read there, and what is there is kept longer, or let go. */
import { hashLeaf } from '../../protocols/erasure/index.ts'
import { eachLeaf, type Shelf, type TransferService } from '../../protocols/transfer/index.ts'
import { RefusedError, refusal, type PeerName } from '../../protocols/wire/index.ts'

export function withOwnShelf(transfer: TransferService, self: PeerName, shelf: Shelf): TransferService {
  return {
    ...transfer,
    put: async (peer, root, source, keepUntilMs, signal) => {
      if (peer !== self) return transfer.put(peer, root, source, keepUntilMs, signal)
      signal.throwIfAborted()
      const { shardBytes } = source
      const admission = await shelf.admit({ root, shardBytes, keepUntilMs, from: self })
      if (admission.admit === 'no') throw new RefusedError(admission.refusal)
      if (admission.admit === 'have') return admission.keepUntilMs
      await admission.sink.abandon()
      throw new Error('a shard is not put to oneself, only its term made longer')
    },
    release: async (peer, root, signal) =>
      peer === self ? shelf.release(root, self) : transfer.release(peer, root, signal),
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
