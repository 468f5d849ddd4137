/**
 * Who receives a shard: asks for leaves with a credit, takes them in the order in which it asked, checks each, and asks for more
 * as they are written. Pure.
 */
import { hashLeaf, leafCount, leafLength, provedPath } from '../erasure/index.ts'
import { Fault } from '../wire/index.ts'
import { BadBlockFault, creditLeavesMax, type Block, type Transfer } from './messages.ts'

export interface ReceiverState {
  readonly root: Uint8Array
  readonly shardBytes: number
  /** Leaves that are needed, in the order in which they are asked for. What was written long ago may be gone from it. */
  readonly needed: readonly number[]
  /** More may yet turn out to be needed. */
  readonly isOpen: boolean
  /** How many of them were asked for, have come, and were written. */
  readonly asked: number
  readonly come: number
  readonly written: number
  /** What was proved last, and the hashes from there to the root. */
  readonly proved: { readonly leaf: number; readonly path: readonly Uint8Array[] } | null
}

export type ReceiverInput =
  | ({ readonly is: 'block' } & Block)
  | { readonly is: 'written' }
  | { readonly is: 'need'; readonly leaves: readonly number[] }
  | { readonly is: 'enough' }

export type ReceiverEffect =
  | { readonly do: 'send'; readonly message: Transfer }
  | { readonly do: 'write'; readonly leaf: number; readonly bytes: Uint8Array; readonly hash: Uint8Array }
  | { readonly do: 'finish' }

export type ReceiverStep = readonly [ReceiverState, readonly ReceiverEffect[]]

/** `isOpen`: these are not all; what else is needed is said as it becomes known. */
export function receive(
  root: Uint8Array,
  shardBytes: number,
  needed: readonly number[],
  isOpen: boolean = false,
): ReceiverStep {
  return goOn({ root, shardBytes, needed, isOpen, asked: 0, come: 0, written: 0, proved: null })
}

/** Throws a Fault when the sender broke the protocol; the state is then unchanged. */
export function stepReceiver(state: ReceiverState, input: ReceiverInput): ReceiverStep {
  switch (input.is) {
    case 'block': {
      const { leaf, bytes } = input
      const path = check(state, input)
      return [
        { ...state, come: state.come + 1, proved: { leaf, path } },
        [{ do: 'write', leaf, bytes, hash: path[0]! }],
      ]
    }
    case 'written':
      return goOn({ ...state, written: state.written + 1 })
    case 'need': {
      const { needed, asked, come, written } = state
      // What is done with is dropped, so that a long exchange does not grow.
      return askMore({
        ...state,
        needed: [...needed.slice(written), ...input.leaves],
        asked: asked - written,
        come: come - written,
        written: 0,
      })
    }
    case 'enough':
      return goOn({ ...state, isOpen: false })
    default:
      return input satisfies never
  }
}

function goOn(state: ReceiverState): ReceiverStep {
  const { needed, asked, written, isOpen } = state
  if (written === needed.length) return [state, isOpen ? [] : [{ do: 'finish' }]]
  // Half of the credit is given back at a time, so that one message asks for many leaves.
  return asked - written <= creditLeavesMax / 2 ? askMore(state) : [state, []]
}

function check(state: ReceiverState, block: Block): readonly Uint8Array[] {
  const { root, shardBytes, proved } = state
  const { leaf, proof, bytes } = block
  if (state.come >= state.asked) throw new Fault('CREDIT_EXCEEDED', 'a block that was not asked for', { leaf })
  const expected = state.needed[state.come]!
  if (leaf !== expected)
    throw new Fault('OUT_OF_TURN', 'the blocks come in another order than was asked', { leaf, expected })
  const before = proved?.leaf === leaf - 1 ? proved.path : undefined
  const wanted = leafLength(shardBytes, leaf)
  if (bytes.byteLength !== wanted) {
    const facts = { leaf, bytes: bytes.byteLength, wanted }
    throw new BadBlockFault('a block of the wrong size', facts, state, block, before ?? [])
  }
  const path = provedPath(root, leaf, leafCount(shardBytes), hashLeaf(bytes), proof, before)
  if (path === undefined) {
    throw new BadBlockFault('a block that is not of this shard', { leaf }, state, block, before ?? [])
  }
  return path
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
