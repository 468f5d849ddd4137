/** The CID of a document has one spelling, and the hash of it one length. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { base32 } from 'multiformats/bases/base32'
import { base58btc } from 'multiformats/bases/base58'

import { checkedCid, cidOfDocument } from '../../protocols/wire/index.ts'
import { isCid } from '../../verify/bytes.ts'
import { isFault } from '../negotiate/parties.ts'

const cid = cidOfDocument(Uint8Array.of(0xa0))
const bytes = base32.decode(cid)
const spelt = (...head: number[]): string => base32.encode(Uint8Array.of(...head, ...bytes.subarray(4)))

test('what names a document is lawful, and nothing beside it', () => {
  assert.equal(checkedCid(cid, 'job'), cid)
  assert.ok(isCid(cid))
  const wrong = {
    'capitals within': cid.replace('y', 'Y'),
    'capitals throughout': `b${cid.slice(1).toUpperCase()}`,
    'another base': base58btc.encode(bytes),
    'a bit at the end': `${cid.slice(0, -1)}${cid.endsWith('a') ? 'b' : 'a'}`,
    'a shorter hash': base32.encode(Uint8Array.of(0x01, 0x71, 0x12, 0x10, ...bytes.subarray(4, 20))),
    'of raw bytes': spelt(0x01, 0x55, 0x12, 0x20),
    'by another hash': spelt(0x01, 0x71, 0x1b, 0x20),
    'a number spelt long': spelt(0x81, 0x00, 0x71, 0x12, 0x20),
    'a letter more': `${cid}a`,
    nothing: '',
  }
  for (const [name, text] of Object.entries(wrong)) {
    assert.notEqual(text, cid, name)
    assert.throws(() => checkedCid(text, 'job'), isFault('FIELD_INVALID'), name)
    assert.ok(!isCid(text), name)
  }
})
