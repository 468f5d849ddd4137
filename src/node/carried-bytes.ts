/** Bytes of shards that went to each keeper and came from it, until somebody takes them up. */
import type { ShardSource, TransferService } from '../../protocols/transfer/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import { ByteTally } from './byte-tally.ts'

export interface Carried {
  readonly inBytes: number
  readonly outBytes: number
}

export class CarriedBytes {
  readonly #in = new ByteTally()
  readonly #out = new ByteTally()

  /** The same transfers, counted: leaves that were sent for a STORED, and leaves that came and were right. */
  counted(transfer: TransferService): TransferService {
    return {
      ...transfer,
      put: async (peer, root, source, keepUntilMs, signal) => {
        let sent = 0
        const counted: ShardSource = {
          ...source,
          leaf: async (leaf) => {
            const found = await source.leaf(leaf)
            sent += found.bytes.byteLength
            return found
          },
        }
        const untilMs = await transfer.put(peer, root, counted, keepUntilMs, signal)
        this.#in.add(peer, sent)
        return untilMs
      },
      get: async (peer, root, shardBytes, leaves, onLeaf, signal) => {
        const counted: typeof onLeaf = async (leaf, bytes, hash) => {
          this.#out.add(peer, bytes.byteLength)
          return onLeaf(leaf, bytes, hash)
        }
        return transfer.get(peer, root, shardBytes, leaves, counted, signal)
      },
    }
  }

  /** Each byte once. */
  take(peer: PeerName): Carried {
    return { inBytes: this.#in.take(peer), outBytes: this.#out.take(peer) }
  }
}
