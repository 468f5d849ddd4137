// What is passed on of the records that peers announce: cheapest first, and only provable malice is held against anybody.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  capabilityType,
  encodeCapability,
  sealCapability,
  unsaid,
  type Capability,
} from '../../protocols/capability/index.ts'
import {
  judgeRecord,
  recordsPerAuthorMax,
  recordsToleratedPerAuthorMax,
  recordWindowMs,
} from '../../protocols/discover/index.ts'
import { nobodyHeard, openEnvelope, sealEnvelope, type PeerName, type Verdict } from '../../protocols/wire/index.ts'
import { network, signer } from '../support/peers.ts'

const nowMs = 1_700_000_000_000
const [author, other] = [signer(1), signer(2)]

const record = (over: Partial<Capability> = {}): Capability => ({
  sequence: 5,
  issuedMs: nowMs,
  expiresMs: nowMs + 600_000,
  withdrawn: false,
  software: '',
  ...unsaid,
  compute: null,
  storage: null,
  runtimes: [],
  price: null,
  ...over,
})
const sealed = (over: Partial<Capability> = {}) => sealCapability(author, network, record(over))
const turned = (bytes: Uint8Array, at: number) => bytes.with(at, bytes[at]! ^ 1)

function judged(envelope: Uint8Array, seen = 4, by: PeerName = author.peer) {
  let verified = 0
  const [, { verdict, record: accepted }] = judgeRecord(nobodyHeard, { author: by, envelope }, nowMs, {
    network,
    verify: (bytes) => {
      verified++
      openEnvelope(author, network, capabilityType, bytes)
    },
    floorOf: () => seen,
  })
  return { verdict, accepted, verified }
}

const verdicts: readonly [what: string, verdict: Verdict, envelope: Uint8Array, signaturesChecked: number][] = [
  ['a new record', 'accept', sealed(), 1],
  ['one that takes everything back', 'accept', sealed({ withdrawn: true }), 1],
  ['the same again', 'ignore', sealed({ sequence: 4 }), 0],
  ['an older one, played back', 'ignore', sealed({ sequence: 3 }), 0],
  ['one that has expired', 'ignore', sealed({ issuedMs: nowMs - 2, expiresMs: nowMs }), 0],
  ['one of the future', 'ignore', sealed({ issuedMs: nowMs + 30_001 }), 0],
  ['one of a clock that is ahead', 'accept', sealed({ issuedMs: nowMs + 30_000 }), 1],
  ['a term that no clock makes lawful', 'reject', sealed({ expiresMs: nowMs + 3_600_001 }), 0],
  ['a bit that was turned over', 'reject', turned(sealed({ software: 'abc' }), sealed().length - 70), 1],
  ['a signature of nothing', 'reject', turned(sealed(), sealed().length - 1), 1],
  ['a record of another network', 'reject', sealCapability(author, 'elsewhere', record()), 0],
  [
    'another kind of statement',
    'reject',
    sealEnvelope(author, network, { name: 'bid', version: 1 }, encodeCapability(record())),
    0,
  ],
  ['too large', 'reject', new Uint8Array(4_097), 0],
  ['nothing', 'reject', new Uint8Array(), 0],
]
for (const [what, verdict, envelope, signatures] of verdicts)
  test(`${what}: ${verdict}, with ${signatures} signatures checked`, () => {
    const judgement = judged(envelope)
    assert.equal(judgement.verdict, verdict)
    assert.equal(judgement.verified, signatures)
    assert.equal(judgement.accepted !== undefined, verdict === 'accept')
  })

test('nobody announces the record of another', () => {
  assert.deepEqual(judged(sealed(), 4, other.peer), { verdict: 'reject', accepted: undefined, verified: 0 })
})

test('an author that announces too often is passed on no more in this minute, and counts against itself when it is far too often', () => {
  let state = nobodyHeard
  const say = (sequence: number, atMs = nowMs): Verdict => {
    const envelope = sealed({ sequence, issuedMs: atMs, expiresMs: atMs + 1_000 })
    const [next, { verdict }] = judgeRecord(state, { author: author.peer, envelope }, atMs, {
      network,
      verify: () => {},
      floorOf: () => sequence - 1,
    })
    state = next
    return verdict
  }
  const said = Array.from({ length: recordsToleratedPerAuthorMax + 1 }, (_, index) => say(index + 1))
  assert.deepEqual(new Set(said.slice(0, recordsPerAuthorMax)), new Set(['accept']))
  assert.deepEqual(new Set(said.slice(recordsPerAuthorMax, -1)), new Set(['ignore']))
  assert.equal(said.at(-1), 'excess')
  assert.equal(say(100, nowMs + recordWindowMs), 'accept', 'the next minute is another')
})
