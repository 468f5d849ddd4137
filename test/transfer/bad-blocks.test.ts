// No bit of a block may be another, and nothing of a frame that cannot be one is held.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { concat } from 'uint8arrays'

import { MerkleTree, hashLeaf, leafBytes } from '../../protocols/erasure/index.ts'
import {
  BadBlockFault,
  decodeTransfer,
  encodeTransfer,
  receive,
  stepReceiver,
  transferLimits,
  type ReceiverState,
} from '../../protocols/transfer/index.ts'
import { Fault, FrameDecoder, encodeFrame } from '../../protocols/wire/index.ts'
import { allLeaves, block, root, shardBytes, tree } from './other-peer.ts'

/** A shard of five leaves, the last of 100 bytes, so that every bit of a block can be tried. */
const short = Array.from({ length: 5 }, (_, leaf) => new Uint8Array(leaf === 4 ? 100 : leafBytes).fill(leaf + 1))
const shortTree = new MerkleTree(concat(short.map(hashLeaf)))
const shortBytes = 4 * leafBytes + 100

/** Takes a frame as the receiver of a shard does. */
function take(state: ReceiverState, frame: Uint8Array): ReceiverState {
  const message = decodeTransfer(frame)
  if (message.say !== 'block') throw new Fault('OUT_OF_TURN', 'a block was due')
  const { leaf, proof, bytes } = message
  return stepReceiver(state, { is: 'block', leaf, proof, bytes })[0]
}

function flipped(frame: Uint8Array, bit: number): Uint8Array {
  const other = frame.slice()
  other[bit >> 3]! ^= 1 << (bit & 7)
  return other
}

test('every single bit of a block that flips is a fault: tag, number, count, proof and bytes', () => {
  const [first] = receive(shortTree.root, shortBytes, [3, 4])
  const before = take(first, encodeTransfer({ say: 'block', leaf: 3, bytes: short[3]!, proof: shortTree.proof(3) }))
  const whole = encodeTransfer({ say: 'block', leaf: 4, bytes: short[4]!, proof: shortTree.proof(4) })
  assert.equal(take(before, whole).come, 2)
  for (let bit = 0; bit < whole.byteLength * 8; bit++) {
    assert.throws(() => take(before, flipped(whole, bit)), Fault, `bit ${bit}`)
  }
})

test('a bit of any byte of a full block, and every bit of its header and proof', () => {
  const [first] = receive(root, shardBytes, [8, 9, 10])
  const after = (state: ReceiverState, leaf: number): ReceiverState =>
    take(state, encodeTransfer({ ...block(leaf), proof: leaf === 8 ? tree.proof(8) : [] }))
  const nine = after(first, 8)
  // Leaf 10 comes after its neighbour, with the one hash below where their paths meet.
  const ten = encodeTransfer({ ...block(10), proof: tree.proof(10).slice(0, 1) })
  const state = after(nine, 9)
  assert.equal(take(state, ten).come, 3)
  const head = (6 + 32) * 8
  for (let bit = 0; bit < head; bit++) assert.throws(() => take(state, flipped(ten, bit)), Fault, `bit ${bit}`)
  for (let byte = 38; byte < ten.byteLength; byte += 997)
    assert.throws(() => take(state, flipped(ten, byte * 8 + (byte % 8))), Fault, `byte ${byte}`)
})

test('a bit of the root, or another size of the shard, is a fault of the block', () => {
  const frame = encodeTransfer(block(0))
  for (let bit = 0; bit < 256; bit++) {
    const [state] = receive(flipped(root, bit), shardBytes, [0])
    assert.throws(() => take(state, frame), BadBlockFault)
  }
  // As many levels would prove it as well: the size comes from the manifest, and HAVE must say the same.
  for (const bytes of [shardBytes + leafBytes * 64, leafBytes, 100]) {
    const [state] = receive(root, bytes, [0])
    assert.throws(() => take(state, frame), Fault, `${bytes} bytes`)
  }
})

test('a tree that is cut short or goes on, a node for a leaf, a leaf of another place: faults', () => {
  const [state] = receive(root, shardBytes, [5, 6])
  const proof = tree.proof(5)
  const strange = {
    'a hash less': { ...block(5), proof: proof.slice(0, -1) },
    'a hash more': { ...block(5), proof: [...proof, proof[0]!] },
    'no proof': { ...block(5), proof: [] },
    'two hashes in the place of a leaf': {
      ...block(5),
      bytes: concat([hashLeaf(block(4).bytes), hashLeaf(block(5).bytes)]),
      proof: proof.slice(1),
    },
    'another leaf under its number': { ...block(7), leaf: 5 },
    'a leaf that is not due': block(6),
    'a leaf that does not exist': { ...block(5), leaf: 2 ** 32 - 1 },
    'a byte less': { ...block(5), bytes: block(5).bytes.subarray(1) },
  }
  for (const [what, message] of Object.entries(strange))
    assert.throws(() => take(state, encodeTransfer(message)), Fault, what)
  const came = take(state, encodeTransfer(block(5)))
  assert.throws(() => take(came, encodeTransfer(block(5))), Fault, 'twice')
  const [others] = receive(root, shardBytes, [5, 7])
  const five = take(others, encodeTransfer(block(5)))
  assert.throws(
    () => take(five, encodeTransfer({ ...block(7), proof: [] })),
    Fault,
    'a proof that ends early, of a leaf whose neighbour was not proved',
  )
})

test('the evidence of a bad block is enough to see what is wrong with it, and is no view of a frame', () => {
  const [state] = receive(root, shardBytes, allLeaves)
  const frame = flipped(encodeTransfer(block(0)), 8 * 5_000)
  try {
    take(state, frame)
    assert.fail('it was taken')
  } catch (error) {
    assert.ok(error instanceof BadBlockFault)
    const kept = error.block.bytes.slice()
    frame.fill(0)
    assert.deepEqual(error.block.bytes, kept)
    assert.deepEqual([error.root, error.shardBytes, error.block.leaf, error.before], [root, shardBytes, 0, []])
    assert.notDeepEqual(kept, block(0).bytes)
  }
})

test('a length over the cap is refused before a byte of what follows is held', () => {
  for (const bytes of [transferLimits.frameBytesMax + 1, 2 ** 20, 2 ** 28 - 1]) {
    const decoder = new FrameDecoder(transferLimits.frameBytesMax)
    const head = encodeFrame(new Uint8Array(bytes)).subarray(0, 4)
    assert.throws(
      () => decoder.push(head),
      (error: unknown) => error instanceof Fault && error.code === 'FRAME_TOO_LARGE',
    )
  }
  const decoder = new FrameDecoder(transferLimits.frameBytesMax)
  assert.throws(() => decoder.push(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f)), Fault)
})
