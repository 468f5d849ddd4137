import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'

import fc from 'fast-check'
import { concat, fromString, toString } from 'uint8arrays'

import { MerkleBuilder, MerkleTree, hashLeaf, hashLeaves, rootOf, verifyProof } from '../../protocols/erasure/index.ts'

const leavesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => hashLeaf(Uint8Array.of(index, index >> 8)))

/** The definition of RFC 6962, section 2.1, word for word. */
function headOf(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  const node = concat([Uint8Array.of(1), headOf(leaves.slice(0, split)), headOf(leaves.slice(split))])
  return fromString(hash('sha256', node, 'hex'), 'hex')
}

test('roots are those of RFC 6962 (the test vectors of certificate-transparency)', () => {
  const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
  const leaves = inputs.map((hex) => hashLeaf(fromString(hex, 'hex')))
  assert.equal(toString(rootOf([]), 'hex'), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  assert.equal(
    toString(rootOf(leaves.slice(0, 1)), 'hex'),
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  )
  assert.equal(
    toString(rootOf(leaves.slice(0, 3)), 'hex'),
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  )
  assert.equal(toString(rootOf(leaves), 'hex'), '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328')
})

test('builder and tree agree with the definition for every size, and at every moment', () => {
  const builder = new MerkleBuilder()
  for (let count = 1; count <= 130; count++) {
    const leaves = leavesOf(count)
    builder.add(leaves.at(-1)!)
    const expected = headOf(leaves)
    assert.deepEqual(builder.root(), expected, `${count} leaves, one after the other`)
    assert.equal(builder.leaves, count)
    const tree = new MerkleTree(concat(leaves))
    assert.deepEqual(tree.root, expected, `${count} leaves at once`)
    assert.equal(tree.leaves, count)
    for (const [leaf, hash] of leaves.entries()) {
      assert.equal(verifyProof(expected, leaf, count, hash, tree.proof(leaf)), true, `leaf ${leaf} of ${count}`)
    }
  }
})

test('no other leaf, place or proof passes for one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (count, pick, other) => {
      const leaves = leavesOf(count)
      const tree = new MerkleTree(concat(leaves))
      const leaf = pick % count
      const proof = tree.proof(leaf)
      const passes = (at: number, hash: Uint8Array, steps: readonly Uint8Array[]) =>
        verifyProof(tree.root, at, count, hash, steps)
      assert.equal(passes(leaf, leaves[leaf]!, proof), true)
      const wrong = other % count
      if (wrong !== leaf) {
        assert.equal(passes(leaf, leaves[wrong]!, proof), false)
        assert.equal(passes(wrong, leaves[leaf]!, proof), false)
      }
      assert.equal(passes(leaf, leaves[leaf]!, [...proof, leaves[0]!]), false)
      assert.equal(passes(count, leaves[leaf]!, proof), false)
      assert.equal(passes(-1, leaves[leaf]!, proof), false)
      if (proof.length > 0) {
        assert.equal(passes(leaf, leaves[leaf]!, proof.slice(1)), false)
        assert.equal(passes(leaf, leaves[leaf]!, proof.slice(0, -1)), false)
        assert.equal(passes(leaf, leaves[leaf]!, [proof[0]!.subarray(1), ...proof.slice(1)]), false)
        const bent = proof.map((step) => step.slice())
        bent[other % bent.length]![other % 32]! ^= 1
        assert.equal(passes(leaf, leaves[leaf]!, bent), false)
      }
    }),
  )
})

test('a proof binds a leaf only for a known number of leaves', () => {
  // The two leaves of this tree pass for the last of three: the number must come from the manifest, not from who proves.
  const [left, right] = [leavesOf(2)[0]!, leavesOf(2)[1]!]
  const { root } = new MerkleTree(concat([left, right]))
  assert.equal(verifyProof(root, 2, 3, right, [left]), true)
  assert.equal(verifyProof(root, 2, 2, right, [left]), false)
})

test('a tree that is built in steps is the same tree', () => {
  for (const count of [1, 2, 1_023, 1_024, 1_025, 2_048, 2_049, 5_001]) {
    const hashes = concat(Array.from({ length: count }, (_, leaf) => hashLeaf(Uint8Array.of(leaf & 255, leaf >> 8))))
    const growing = MerkleTree.inSteps(hashes)
    let steps = 0
    let step = growing.next()
    for (; step.done !== true; step = growing.next()) steps++
    assert.equal(steps, Math.ceil(count / 1_024))
    const whole = new MerkleTree(hashes)
    assert.deepEqual(step.value.root, whole.root)
    for (const leaf of [0, count >> 1, count - 1]) assert.deepEqual(step.value.proof(leaf), whole.proof(leaf))
    assert.ok(verifyProof(whole.root, count - 1, count, whole.leafHash(count - 1), step.value.proof(count - 1)))
  }
  assert.throws(() => MerkleTree.inSteps(new Uint8Array(33)).next(), RangeError)
})

test('a leaf cannot pass for a node, nor a node for a leaf', () => {
  const [left, right] = [leavesOf(2)[0]!, leavesOf(2)[1]!]
  assert.notDeepEqual(hashLeaf(concat([left, right])), rootOf([left, right]))
})

test('bytes fall into leaves of 64 KiB, the last shorter', () => {
  const bytes = Uint8Array.from({ length: 65_536 + 3 }, (_, index) => index)
  assert.deepEqual(hashLeaves(bytes), [hashLeaf(bytes.subarray(0, 65_536)), hashLeaf(bytes.subarray(65_536))])
  assert.deepEqual(hashLeaves(new Uint8Array()), [])
  assert.throws(() => new MerkleTree(new Uint8Array()), RangeError)
  assert.throws(() => new MerkleTree(new Uint8Array(33)), RangeError)
})
