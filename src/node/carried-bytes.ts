/** Bytes of shards that went to each keeper and came from it, until somebody takes them up. What a crash takes with it is not counted. */
import type { ShardSource, TransferService } from '../../protocols/transfer/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'

export interface Carried {
  readonly inBytes: number
  readonly outBytes: number
}

/** Keepers that are counted at once; others' bytes are not. */
const keepersMax = 4_096

export class CarriedBytes {
  readonly #carried = new Map<PeerName, { inBytes: number; outBytes: number }>()

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
        this.#add(peer, 'inBytes', sent)
        return untilMs
      },
      get: async (peer, root, shardBytes, leaves, onLeaf, signal) => {
        const counted: typeof onLeaf = async (leaf, bytes, hash) => {
          this.#add(peer, 'outBytes', bytes.byteLength)
          return onLeaf(leaf, bytes, hash)
        }
        return transfer.get(peer, root, shardBytes, leaves, counted, signal)
      },
    }
  }

  /** Each byte once. */
  take(peer: PeerName): Carried {
    const carried = this.#carried.get(peer) ?? { inBytes: 0, outBytes: 0 }
    this.#carried.delete(peer)
    return carried
  }

  #add(peer: PeerName, way: keyof Carried, bytes: number): void {
    let carried = this.#carried.get(peer)
    if (carried === undefined) {
      if (this.#carried.size >= keepersMax) return
      this.#carried.set(peer, (carried = { inBytes: 0, outBytes: 0 }))
    }
    carried[way] += bytes
  }
}
