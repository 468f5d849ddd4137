import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'
import { fromString } from 'uint8arrays'

import { Fault, isPeerName, openEnvelope, peerNameOf, publicKeyOf, sealEnvelope } from '../../protocols/wire/index.ts'
import { network, signer } from '../support/peers.ts'

const type = { name: 'offer', version: 1 }
const payload = fromString('twelve bytes')
const codeOf = (run: () => unknown) => {
  try {
    run()
    return 'no fault'
  } catch (error) {
    assert.ok(error instanceof Fault, String(error))
    return error.code
  }
}

test('an envelope opens to its payload and names its signer', () => {
  const opened = openEnvelope(signer(2), network, type, sealEnvelope(signer(1), network, type, payload))
  assert.equal(opened.by, signer(1).peer)
  assert.deepEqual(opened.body, payload)
})

test('any flipped bit is a fault, and never an exception of another kind', () => {
  const envelope = sealEnvelope(signer(1), network, type, payload)
  fc.assert(
    fc.property(fc.nat(envelope.byteLength * 8 - 1), (bit) => {
      const bad = envelope.slice()
      bad[bit >> 3]! ^= 1 << (bit & 7)
      // Protobuf has unknown fields: a flip may rename a field to one, but then what was under the signature is missing.
      assert.notEqual(
        codeOf(() => openEnvelope(signer(2), network, type, bad)),
        'no fault',
      )
    }),
    { numRuns: 500 },
  )
})

test('random bytes are a fault', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) =>
      assert.notEqual(
        codeOf(() => openEnvelope(signer(2), network, type, bytes)),
        'no fault',
      ),
    ),
  )
})

test('a statement of one type, version or network is nothing as another', () => {
  const envelope = sealEnvelope(signer(1), network, type, payload)
  assert.equal(
    codeOf(() => openEnvelope(signer(2), network, { name: 'award', version: 1 }, envelope)),
    'DOMAIN_UNEXPECTED',
  )
  assert.equal(
    codeOf(() => openEnvelope(signer(2), network, { name: 'offer', version: 2 }, envelope)),
    'DOMAIN_UNEXPECTED',
  )
  assert.equal(
    codeOf(() => openEnvelope(signer(2), 'another', type, envelope)),
    'NETWORK_FOREIGN',
  )
})

test('peer names and keys convert both ways', () => {
  for (let seed = 0; seed < 20; seed++) {
    const { peer, publicKey } = signer(seed)
    assert.equal(peerNameOf(publicKey), peer)
    assert.deepEqual(publicKeyOf(peer), publicKey)
    assert.match(peer, /^12D3KooW/)
  }
  for (const bad of ['', 'x', '12D3KooW', 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG', '0OIl', '1'.repeat(1000)])
    assert.equal(isPeerName(bad), false, bad)
})
