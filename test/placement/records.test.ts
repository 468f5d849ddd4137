import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  auditLeavesMax,
  decodePlacement,
  decodePlacementMessage,
  drawLeaves,
  encodePlacement,
  encodePlacementMessage,
  newestVersions,
  objectAdvert,
  openPlacement,
  placementBytesMax,
  placementClockSkewMsMax,
  placementKey,
  placementRules,
  placementTermMsMax,
  placesPerPageMax,
  sealPlacement,
  writersMax,
  type Placement,
  type PlacementMessage,
} from '../../protocols/placement/index.ts'
import { cidOfDocument, hashOfCid, microMax, networkCharsMax, sha256 } from '../../protocols/wire/index.ts'
import { faultOf, flipped } from '../negotiate/parties.ts'
import { network, signer } from '../support/peers.ts'

const nowMs = 1_700_000_000_000
const object = cidOfDocument(Uint8Array.of(1))
const other = cidOfDocument(Uint8Array.of(2))
const [owner, stranger] = [signer(1), signer(2)]
const rules = placementRules(stranger, network)
const placesOf = (count: number) =>
  Array.from({ length: count }, (_, shard) => ({
    shard,
    keeper: signer(10 + (shard % 3)).peer,
    keepUntilMs: nowMs + 5,
  }))

const record = (over: Partial<Placement> = {}): Placement => ({
  object,
  sequence: 7,
  issuedMs: nowMs,
  expiresMs: nowMs + 3_600_000,
  withdrawn: false,
  page: 0,
  pages: 1,
  places: placesOf(3),
  ...over,
})
const sealed = (over: Partial<Placement> = {}, by = owner, on = network) => sealPlacement(by, on, record(over))
const verdictOn = (envelope: Uint8Array, key = placementKey(object, owner.peer, 0)) =>
  faultOf(() => rules.validate(key, envelope, nowMs))

test('a record reads back as it was written', () => {
  const integer = fc.nat(microMax)
  const place = fc.record(
    { shard: fc.nat(255), keeper: fc.constantFrom(owner.peer, stranger.peer), keepUntilMs: integer },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(
      integer,
      integer,
      fc.array(place, { maxLength: placesPerPageMax }),
      fc.nat(7),
      (one, two, places, page) => {
        const placement = record({ sequence: one, issuedMs: two, expiresMs: two, places, page, pages: 8 })
        assert.deepEqual(decodePlacement(encodePlacement(placement)), placement)
      },
    ),
  )
})

test('a lawful record says whose it is and how new; a full page fits', () => {
  assert.deepEqual(rules.validate(placementKey(object, owner.peer, 0), sealed(), nowMs), {
    sequence: 7,
    by: owner.peer,
  })
  const full = sealed({ places: placesOf(placesPerPageMax), sequence: microMax }, owner, 'x'.repeat(networkCharsMax))
  assert.ok(full.byteLength <= placementBytesMax)
  assert.equal(verdictOn(sealed({ places: placesOf(placesPerPageMax) })), 'no fault')
  assert.equal(rules.ownerOf?.(placementKey(object, owner.peer, 3)), owner.peer)
  assert.equal(rules.ownerOf?.(hashOfCid(object)), undefined)
})

test('a forged record is refused: of another writer, object, page or network, or changed by one bit', () => {
  assert.equal(verdictOn(sealed({}, stranger)), 'SIGNER_UNEXPECTED')
  assert.equal(verdictOn(sealed({ object: other })), 'SIGNER_UNEXPECTED')
  assert.equal(verdictOn(sealed({ page: 1, pages: 2 })), 'SIGNER_UNEXPECTED')
  assert.equal(verdictOn(sealed({}, owner, 'elsewhere')), 'NETWORK_FOREIGN')
  const envelope = sealed()
  for (let bit = 0; bit < envelope.byteLength * 8; bit++)
    assert.notEqual(verdictOn(flipped(envelope, bit)), 'no fault', `bit ${bit}`)
})

test('a record with dates, pages or places that are not lawful is refused', () => {
  for (const [what, over] of Object.entries<Partial<Placement>>({
    future: { issuedMs: nowMs + placementClockSkewMsMax + 1 },
    expired: { expiresMs: nowMs },
    'too long': { expiresMs: nowMs + placementTermMsMax + 1 },
    'no page': { pages: 0 },
    'page beyond': { pages: 9 },
    'too many places': { places: placesOf(placesPerPageMax + 1).map((place) => ({ ...place, shard: 0 })) },
    'a shard above 255': { places: [{ ...placesOf(1)[0]!, shard: 256 }] },
    'withdrawn, with places': { withdrawn: true },
  }))
    assert.equal(verdictOn(sealed(over)), 'FIELD_INVALID', what)
  const long = new Uint8Array(placementBytesMax + 1)
  assert.equal(verdictOn(long), 'FRAME_TOO_LARGE')
  assert.equal(verdictOn(sealed({ issuedMs: nowMs + placementClockSkewMsMax })), 'no fault')
})

test('of several values the highest sequence is taken, among equals the greater bytes, and what does not open never', () => {
  const key = placementKey(object, owner.peer, 0)
  const [old, one, two] = [sealed({ sequence: 6 }), sealed(), sealed({ expiresMs: nowMs + 1 })]
  assert.equal(rules.select(key, [Uint8Array.of(1), old, one]), 2)
  const between = [one, two].map((value) => rules.select(key, [old, value, value === one ? two : one]))
  assert.deepEqual(
    between.toSorted((left, right) => left - right),
    [1, 2],
  )
})

test('of what is said of an object, the newest of each writer counts, and of so many writers', () => {
  const of = (envelopes: Uint8Array[]) => newestVersions(stranger, network, object, envelopes, nowMs)
  const [page0, page1] = [
    sealed({ pages: 2 }),
    sealed({ pages: 2, page: 1, places: [{ ...placesOf(1)[0]!, shard: 9 }] }),
  ]
  const [version, ...more] = of([
    page1,
    sealed({ sequence: 6 }),
    page0,
    sealed({ object: other, sequence: 9 }),
    flipped(page0, 900),
  ])
  assert.deepEqual(more, [])
  assert.deepEqual([version!.sequence, version!.places.map(({ shard }) => shard)], [7, [0, 1, 2, 9]])
  assert.deepEqual(of([sealed({ sequence: 8, withdrawn: true, places: [] }), page0])[0]!.places, [])
  const many = Array.from({ length: 2 * writersMax }, (_, seed) =>
    sealed({ issuedMs: nowMs - seed }, signer(30 + seed)),
  )
  assert.deepEqual(
    of(many).map(({ writer }) => writer),
    Array.from({ length: writersMax }, (_, seed) => signer(30 + seed).peer),
  )
})

test('the adverts of an object are its own', () => {
  assert.equal(objectAdvert('main', object), `/pleach/main/object/${object}`)
})

test('leaves of an audit are drawn anew for each nonce and peer, and can be drawn again', () => {
  const draw = (seed: number, peer = owner.peer, leaves = 1_000) =>
    drawLeaves(sha256(Uint8Array.of(seed)), peer, sha256(Uint8Array.of(9)), leaves)
  assert.deepEqual(draw(1), draw(1))
  for (const leaves of [draw(2), draw(1, stranger.peer)]) assert.notDeepEqual(leaves, draw(1))
  assert.equal(draw(1).length, auditLeavesMax)
  assert.deepEqual(draw(1, owner.peer, 3), [0, 1, 2])
  const counts = Array.from({ length: 64 }, () => 0)
  for (let seed = 0; seed < 256; seed++)
    for (const leaf of drawLeaves(Uint8Array.of(seed), owner.peer, sha256(Uint8Array.of(9)), 64)) counts[leaf]!++
  // 128 expected of each: eight standard deviations.
  assert.ok(
    counts.every((count) => count > 64 && count < 192),
    String(counts),
  )
})

test('messages read back as they were written, and what is too much is refused', () => {
  const dossier = { manifest: Uint8Array.of(1, 2), records: [sealed()] }
  const messages: PlacementMessage[] = [
    { say: 'ask', object },
    { say: 'dossier', ...dossier },
    { say: 'tell', ...dossier, advertise: true },
    { say: 'kept' },
    { say: 'claim', object, forMs: 0 },
    { say: 'claimed', forMs: 60_000 },
    { say: 'refused', refusal: { code: 'CLAIMED', facts: { forMs: 5 } } },
  ]
  for (const message of messages) assert.deepEqual(decodePlacementMessage(encodePlacementMessage(message)), message)
  const verdict = (message: PlacementMessage) => faultOf(() => decodePlacementMessage(encodePlacementMessage(message)))
  assert.equal(verdict({ say: 'dossier', manifest: new Uint8Array(16 * 1024 + 1), records: [] }), 'FRAME_TOO_LARGE')
  assert.equal(verdict({ say: 'dossier', ...dossier, records: [new Uint8Array(4097)] }), 'FRAME_TOO_LARGE')
  assert.equal(
    verdict({ say: 'dossier', ...dossier, records: Array.from({ length: 33 }, () => sealed()) }),
    'FIELD_INVALID',
  )
  assert.equal(verdict({ say: 'claim', object, forMs: 2 * 3_600_000 + 1 }), 'FIELD_INVALID')
  assert.equal(
    faultOf(() => decodePlacementMessage(new Uint8Array())),
    'FIELD_INVALID',
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      faultOf(() => decodePlacementMessage(bytes))
      faultOf(() => openPlacement(stranger, network, bytes, nowMs))
    }),
  )
})
