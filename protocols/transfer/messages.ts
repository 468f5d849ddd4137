/** What is said in a transfer, and its limits. */
import { Fault, type Facts, type ProtocolLimits, type Refusal } from '../wire/index.ts'

export const transferProtocol = '/pleach/transfer/1'
/**
 * A block with 32 proof hashes has 66,566 bytes. More streams than are served, so that one too many hears why. The window fits what a sender reads at
 * once, eight blocks, and a little more.
 */
export const transferLimits: ProtocolLimits = {
  frameBytesMax: 66 * 1024,
  streamsPerPeerMax: 32,
  windowBytes: 640 * 1024,
}
/** Exchanges that one peer may have served at once. */
export const exchangesPerPeerMax = 16
/** Exchanges that one peer serves at once, for all others together: 64 × (4 MiB under way + a tree). */
export const exchangesServedMax = 64

/** Blocks asked for and not yet here: 4 MiB. */
export const creditLeavesMax = 64
/** 16 GiB: 2^18 leaves, whose tree takes 16 MiB while the shard is served. */
export const shardBytesMax = 2 ** 34
export const proofHashesMax = 32
/** A peer that owes a block, an answer or room for a frame, and does nothing for this long, has ended the exchange. */
export const idleMsMax = 10_000
/**
 * A receiver that grants no credit for this long has ended the exchange. Longer than `idleMsMax`: whoever reads an object has
 * to wait for the slowest of k keepers, and the others are not to hang up meanwhile.
 */
export const creditIdleMsMax = 60_000
/** Slower than this, a transfer is only a place that is occupied. */
const bytesPerSecondMin = 16 * 1024
const exchangeBaseMs = 120_000

/** Longest duration of one exchange over so many bytes: who feeds us crumbs within the idle limit ends here. */
export function exchangeMsMax(bytes: number): number {
  return exchangeBaseMs + Math.ceil((bytes / bytesPerSecondMin) * 1000)
}

export interface Block {
  readonly leaf: number
  readonly proof: readonly Uint8Array[]
  readonly bytes: Uint8Array
}

/** A block that is not of the shard it was asked of, and all that is needed to see so: kept as evidence. */
export class BadBlockFault extends Fault {
  readonly root: Uint8Array
  readonly shardBytes: number
  readonly block: Block
  /** The proved hashes from the leaf before to the root, where the proof may end at them. */
  readonly before: readonly Uint8Array[]

  constructor(
    message: string,
    facts: Facts,
    shard: { readonly root: Uint8Array; readonly shardBytes: number },
    block: Block,
    before: readonly Uint8Array[],
  ) {
    super('PROOF_INVALID', message, facts)
    this.root = shard.root
    this.shardBytes = shard.shardBytes
    this.before = before
    this.block = { leaf: block.leaf, proof: block.proof.map((step) => step.slice()), bytes: block.bytes.slice() }
  }
}

export type Transfer =
  | { readonly say: 'get'; readonly root: Uint8Array }
  | { readonly say: 'have'; readonly shardBytes: number }
  | { readonly say: 'put'; readonly root: Uint8Array; readonly shardBytes: number; readonly keepUntilMs: number }
  | { readonly say: 'want'; readonly firstLeaf: number; readonly count: number }
  | { readonly say: 'stored'; readonly keepUntilMs: number }
  | { readonly say: 'release'; readonly root: Uint8Array }
  | { readonly say: 'released'; readonly keepUntilMs: number }
  | { readonly say: 'refused'; readonly refusal: Refusal }
  | ({ readonly say: 'block' } & Block)
