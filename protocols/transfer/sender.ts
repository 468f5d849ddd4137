/** Who sends a shard: sends what it was asked for, in that order, within the credit. Pure. */
import { leafCount } from '../erasure/index.ts'
import { Fault } from '../wire/index.ts'
import { creditLeavesMax } from './messages.ts'

export interface SenderState {
  readonly shardBytes: number
  /** Asked for and not sent. */
  readonly owed: number
}

export type SenderInput =
  | { readonly is: 'want'; readonly firstLeaf: number; readonly count: number }
  | { readonly is: 'sent' }
export type SenderEffect = { readonly do: 'send-leaf'; readonly leaf: number }

export function offerShard(shardBytes: number): SenderState {
  return { shardBytes, owed: 0 }
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
    { ...state, owed },
    Array.from({ length: count }, (_, index) => ({ do: 'send-leaf', leaf: firstLeaf + index })),
  ]
}
