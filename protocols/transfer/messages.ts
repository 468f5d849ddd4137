/** What is said in a transfer, and its limits. */
import type { ProtocolLimits, Refusal } from '../wire/index.ts'

export const transferProtocol = '/pleach/transfer/1'
export const transferLimits: ProtocolLimits = { frameBytesMax: 66 * 1024, streamsPerPeerMax: 16 }

/** Blocks asked for and not yet here: 4 MiB. */
export const creditLeavesMax = 64
export const shardBytesMax = 2 ** 34
export const proofHashesMax = 32
/** A peer that says nothing for this long has ended the exchange. */
export const idleMsMax = 10_000

export interface Block {
  readonly leaf: number
  readonly proof: readonly Uint8Array[]
  readonly bytes: Uint8Array
}

export type Transfer =
  | { readonly say: 'get'; readonly root: Uint8Array }
  | { readonly say: 'have'; readonly shardBytes: number }
  | { readonly say: 'put'; readonly root: Uint8Array; readonly shardBytes: number; readonly keepUntilMs: number }
  | { readonly say: 'want'; readonly firstLeaf: number; readonly count: number }
  | { readonly say: 'stored'; readonly keepUntilMs: number }
  | { readonly say: 'refused'; readonly refusal: Refusal }
  | ({ readonly say: 'block' } & Block)
