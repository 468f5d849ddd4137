import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'
import { fromString, toString } from 'uint8arrays'

import { hashLeaf, proofOf, rootOf, verifyProof } from '../../protocols/erasure/index.ts'

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

test('every leaf has a proof, and no other leaf, place or size passes with it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (count, pick, other) => {
      const leaves = Array.from({ length: count }, (_, index) => hashLeaf(Uint8Array.of(index)))
      const root = rootOf(leaves)
      const leaf = pick % count
      const proof = proofOf(leaves, leaf)
      assert.equal(verifyProof(root, leaf, count, leaves[leaf]!, proof), true)
      const wrong = other % count
      if (wrong !== leaf) {
        assert.equal(verifyProof(root, leaf, count, leaves[wrong]!, proof), false)
        assert.equal(verifyProof(root, wrong, count, leaves[leaf]!, proof), false)
      }
      assert.equal(verifyProof(root, leaf, count, leaves[leaf]!, [...proof, leaves[0]!]), false)
      if (proof.length > 0) {
        assert.equal(verifyProof(root, leaf, count, leaves[leaf]!, proof.slice(1)), false)
        const bent = proof.map((step) => step.slice())
        bent[other % bent.length]![other % 32]! ^= 1
        assert.equal(verifyProof(root, leaf, count, leaves[leaf]!, bent), false)
      }
      assert.equal(verifyProof(root, count, count, leaves[leaf]!, proof), false)
    }),
  )
})
