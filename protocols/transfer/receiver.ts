/**
 * Who receives a shard: asks for leaves with a credit, takes them in the order in which it asked, checks each, and asks for more
 * as they are written. Pure.
 */
import { hashLeaf, leafCount, leafLength, verifyProof } from '../erasure/index.ts'
import { Fault } from '../wire/index.ts'
import { creditLeavesMax, type Block, type Transfer } from './messages.ts'

export interface ReceiverState {
  readonly root: Uint8Array
  readonly shardBytes: number
  /** Leaves that are needed, in the order in which they are asked for. */
  readonly needed: readonly number[]
  /** How many of them were asked for, have come, and were written. */
  readonly asked: number
  readonly come: number
  readonly written: number
}

export type ReceiverInput = ({ readonly is: 'block' } & Block) | { readonly is: 'written' }

export type ReceiverEffect =
  | { readonly do: 'send'; readonly message: Transfer }
  | { readonly do: 'write'; readonly leaf: number; readonly bytes: Uint8Array; readonly hash: Uint8Array }
  | { readonly do: 'finish' }

export type ReceiverStep = readonly [ReceiverState, readonly ReceiverEffect[]]

export function receive(root: Uint8Array, shardBytes: number, needed: readonly number[]): ReceiverStep {
  const state: ReceiverState = { root, shardBytes, needed, asked: 0, come: 0, written: 0 }
  return needed.length === 0 ? [state, [{ do: 'finish' }]] : askMore(state)
}

/** Throws a Fault when the sender broke the protocol; the state is then unchanged. */
export function stepReceiver(state: ReceiverState, input: ReceiverInput): ReceiverStep {
  if (input.is === 'block') {
    const hash = check(state, input)
    return [{ ...state, come: state.come + 1 }, [{ do: 'write', leaf: input.leaf, bytes: input.bytes, hash }]]
  }
  const next = { ...state, written: state.written + 1 }
  if (next.written === next.needed.length) return [next, [{ do: 'finish' }]]
  // Half of the credit is given back at a time, so that one message asks for many leaves.
  return next.asked - next.written <= creditLeavesMax / 2 ? askMore(next) : [next, []]
}

function check(state: ReceiverState, { leaf, proof, bytes }: Block): Uint8Array {
  if (state.come >= state.asked) throw new Fault('CREDIT_EXCEEDED', 'a block that was not asked for', { leaf })
  const expected = state.needed[state.come]!
  if (leaf !== expected)
    throw new Fault('OUT_OF_TURN', 'the blocks come in another order than was asked', { leaf, expected })
  const wanted = leafLength(state.shardBytes, leaf)
  if (bytes.byteLength !== wanted)
    throw new Fault('PROOF_INVALID', 'a block of the wrong size', { leaf, bytes: bytes.byteLength, wanted })
  const hash = hashLeaf(bytes)
  if (!verifyProof(state.root, leaf, leafCount(state.shardBytes), hash, proof)) {
    throw new Fault('PROOF_INVALID', 'a block that is not of this shard', { leaf })
  }
  return hash
}

/** One WANT for each run of neighbouring leaves that the credit covers. */
function askMore(state: ReceiverState): ReceiverStep {
  const until = Math.min(state.needed.length, state.written + creditLeavesMax)
  const effects: ReceiverEffect[] = []
  for (let at = state.asked; at < until;) {
    const firstLeaf = state.needed[at]!
    let count = 1
    while (at + count < until && state.needed[at + count] === firstLeaf + count) count++
    effects.push({ do: 'send', message: { say: 'want', firstLeaf, count } })
    at += count
  }
  return [{ ...state, asked: until }, effects]
}
