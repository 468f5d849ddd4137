/** Who sends a shard: sends what it was asked for, in that order, within the credit. Pure. */
import { hashesAfterNeighbour, leafCount } from '../erasure/index.ts'
import { Fault } from '../wire/index.ts'
import { creditLeavesMax, proofHashesMax } from './messages.ts'

export interface SenderState {
  readonly shardBytes: number
  /** Asked for and not sent. */
  readonly owed: number
  /** The leaf that was asked for last; -2: none was. */
  readonly last: number
}

export type SenderInput =
  | { readonly is: 'want'; readonly firstLeaf: number; readonly count: number }
  | { readonly is: 'sent' }
/** `proofHashes`: so many hashes of its proof are to be sent with it; the rest the receiver knows from the leaf before. */
export type SenderEffect = { readonly do: 'send-leaf'; readonly leaf: number; readonly proofHashes: number }

export function offerShard(shardBytes: number): SenderState {
  return { shardBytes, owed: 0, last: -2 }
}

/** Throws a Fault when the receiver broke the protocol; the state is then unchanged. */
export function stepSender(state: SenderState, input: SenderInput): readonly [SenderState, readonly SenderEffect[]] {
  if (input.is === 'sent') return [{ ...state, owed: state.owed - 1 }, []]
  const { firstLeaf, count } = input
  const leaves = leafCount(state.shardBytes)
  if (count < 1 || firstLeaf + count > leaves)
    throw new Fault('FIELD_INVALID', 'there are no such leaves', { firstLeaf, count, leaves })
  const owed = state.owed + count
  if (owed > creditLeavesMax)
    throw new Fault('CREDIT_EXCEEDED', 'more was asked for than may be under way', { owed, creditLeavesMax })
  return [
    { ...state, owed, last: firstLeaf + count - 1 },
    Array.from({ length: count }, (_, index) => {
      const leaf = firstLeaf + index
      const isNext = index > 0 || leaf === state.last + 1
      return { do: 'send-leaf', leaf, proofHashes: isNext ? hashesAfterNeighbour(leaf, leaves) : proofHashesMax }
    }),
  ]
}
