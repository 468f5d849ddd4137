import { evidences } from '../../protocols/capability/index.ts'
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  bidBytesMax,
  bidSpreadMsMax,
  bidSkewMsMax,
  bidTermMsMax,
  bidTopic,
  bidWindowMs,
  bidsToleratedPerAuthorMax,
  bidsPerAuthorMax,
  bidType,
  decodeBid,
  encodeBid,
  judgeBid,
  openBid,
  sealBid,
  type Bid,
  type Judgement,
  type Requirements,
  noWishes,
  type GpuWish,
} from '../../protocols/bid/index.ts'
import {
  nobodyHeard,
  type AuthorRate,
  cidOfDocument,
  microMax,
  networkCharsMax,
  sealEnvelope,
} from '../../protocols/wire/index.ts'
import { faultOf, flipped } from '../negotiate/parties.ts'
import { network, signer } from '../support/peers.ts'

const nowMs = 1_700_000_000_000
const [asker, stranger] = [signer(1), signer(2)]
const context = { signer: signer(3), network }
const job = cidOfDocument(Uint8Array.of(1))

const bid = (over: Partial<Bid> = {}): Bid => ({
  job,
  class: 'compute',
  issuedMs: nowMs,
  expiresMs: nowMs + 60_000,
  requirements: {
    ...noWishes,
    runtime: 'wasi-preview1',
    cpuMilli: 1_000,
    memoryBytes: 65_536,
    diskBytes: 0,
    wallMsMax: 60_000,
  },
  unit: 'credit',
  ceilingMicro: 1_000_000,
  cpuHourMicroMax: 2_000_000,
  spreadMs: 100,
  enough: false,
  ...over,
})
const requiring = (over: Partial<Requirements>) => ({ requirements: { ...bid().requirements, ...over } })
/** As a program makes it that checks nothing. */
const unchecked = (over: Partial<Bid> = {}, by = asker, on = network) =>
  sealEnvelope(by, on, bidType, encodeBid(bid(over)))
const openCode = (envelope: Uint8Array) => faultOf(() => openBid(context.signer, network, envelope))
const judged = (
  envelope: Uint8Array,
  over: { author?: string; class?: string; atMs?: number; state?: AuthorRate } = {},
): readonly [AuthorRate, Judgement] => {
  const { author = asker.peer, class: topic = 'compute', atMs = nowMs, state = nobodyHeard } = over
  return judgeBid(state, { author, envelope, class: topic }, atMs, (bytes) => openBid(context.signer, network, bytes))
}

test('a bid reads back as it was written', () => {
  const integer = fc.nat(microMax)
  const text = fc.string({ maxLength: 32, unit: 'grapheme-ascii' })
  const word = fc.string({ maxLength: 24, unit: 'grapheme-ascii' })
  const words = fc.array(word, { maxLength: 16 })
  const anyBid = fc.record<Bid>(
    {
      job: fc.uint8Array({ maxLength: 8 }).map((bytes) => cidOfDocument(bytes)),
      class: text,
      issuedMs: fc.constant(nowMs),
      expiresMs: fc.integer({ min: nowMs + 1, max: nowMs + bidTermMsMax }),
      requirements: fc.record<Requirements>(
        {
          runtime: text,
          cpuMilli: fc.integer({ min: 1, max: microMax }),
          memoryBytes: integer,
          diskBytes: integer,
          wallMsMax: integer,
          arch: text,
          features: words,
          gpus: fc.option(
            fc.record<GpuWish>(
              { count: fc.integer({ min: 1, max: 1_024 }), memoryBytes: integer, vendor: word, model: text },
              { noNullPrototype: true },
            ),
          ),
          regions: words,
          isolation: text,
          tee: word,
          evidence: fc.constantFrom(...evidences),
          egress: fc.boolean(),
          gasMax: integer,
          inBytes: integer,
          bondMicroMin: integer,
        },
        { noNullPrototype: true },
      ),
      unit: text,
      ceilingMicro: integer,
      cpuHourMicroMax: integer,
      spreadMs: fc.nat(bidSpreadMsMax),
      enough: fc.boolean(),
    },
    { noNullPrototype: true },
  )
  fc.assert(fc.property(anyBid, (one) => assert.deepEqual(decodeBid(encodeBid(one)), one)))
})

test('the greatest lawful bid fits under the cap, and one that does not is not made', () => {
  const long = { unit: 'x'.repeat(64), class: 'x'.repeat(32), ...requiring({ runtime: 'x'.repeat(64) }) }
  assert.ok(sealBid(asker, 'x'.repeat(networkCharsMax), bid(long)).byteLength <= bidBytesMax)
  assert.ok(sealBid(asker, network, bid()).byteLength < 400, 'a typical bid is small')
  assert.throws(() => sealBid(asker, network, bid({ unit: 'x'.repeat(1024) })), RangeError)
})

test('a bid that no honest requester makes is a fault', () => {
  const rows: readonly [string, Partial<Bid>, string][] = [
    ['a lawful one', {}, 'no fault'],
    ['the longest term', { expiresMs: nowMs + bidTermMsMax }, 'no fault'],
    ['a term too long', { expiresMs: nowMs + bidTermMsMax + 1 }, 'FIELD_INVALID'],
    ['the longest spread', { spreadMs: bidSpreadMsMax }, 'no fault'],
    ['a spread too long', { spreadMs: bidSpreadMsMax + 1 }, 'FIELD_INVALID'],
    ['no term', { expiresMs: nowMs }, 'FIELD_INVALID'],
    ['a term that runs backwards', { expiresMs: nowMs - 1 }, 'FIELD_INVALID'],
    ['a job that is no CID', { job: 'bafy' }, 'FIELD_INVALID'],
    ['no job', { job: '' }, 'FIELD_INVALID'],
    ['no processor', requiring({ cpuMilli: 0 }), 'FIELD_INVALID'],
    ['a class too long', { class: 'x'.repeat(33) }, 'FIELD_INVALID'],
    ['a unit that breaks lines', { unit: 'a\nb' }, 'FIELD_INVALID'],
    ['a runtime too long', requiring({ runtime: 'x'.repeat(65) }), 'FIELD_INVALID'],
    ['an amount that is not exact', { ceilingMicro: 2 ** 53 }, 'FIELD_INVALID'],
    ['over the cap', { unit: 'x'.repeat(1_024) }, 'FRAME_TOO_LARGE'],
  ]
  for (const [what, over, code] of rows) assert.equal(openCode(unchecked(over)), code, what)
  assert.equal(openCode(sealEnvelope(asker, network, bidType, new Uint8Array())), 'FIELD_INVALID', 'an empty payload')
  assert.equal(openCode(unchecked({}, asker, 'elsewhere')), 'NETWORK_FOREIGN')
})

test('what no honest peer passes on is rejected, what may be late or too often is ignored', () => {
  const rows: readonly [string, Uint8Array, Parameters<typeof judged>[1], Judgement['verdict'], string?][] = [
    ['a lawful bid', unchecked(), {}, 'accept'],
    [
      'its last moment, as far behind as clocks differ',
      unchecked(),
      { atMs: nowMs + 60_000 + bidSkewMsMax - 1 },
      'accept',
    ],
    ['expired', unchecked(), { atMs: nowMs + 60_000 + bidSkewMsMax }, 'ignore', 'expired'],
    ['as far ahead as clocks differ', unchecked(), { atMs: nowMs - 30_000 }, 'accept'],
    ['from the future', unchecked(), { atMs: nowMs - 30_001 }, 'ignore', 'from the future'],
    ['by another author', unchecked(), { author: stranger.peer }, 'reject', 'author is not the signer'],
    ['on the wrong topic', unchecked(), { class: 'storage' }, 'reject', 'wrong topic'],
    ['on the wrong topic, and expired', unchecked(), { class: 'storage', atMs: nowMs + 99_000 }, 'reject'],
    ['of another network', unchecked({}, asker, 'elsewhere'), {}, 'reject'],
    ['with an unlawful term', unchecked({ expiresMs: nowMs }), {}, 'reject'],
    ['over the cap', unchecked({ unit: 'x'.repeat(1_024) }), {}, 'reject'],
    ['junk', Uint8Array.of(1, 2, 3), {}, 'reject'],
    ['nothing', new Uint8Array(), {}, 'reject'],
  ]
  for (const [what, envelope, over, verdict, because] of rows) {
    const [, judgement] = judged(envelope, over)
    assert.equal(judgement.verdict, verdict, what)
    if (because !== undefined) assert.equal(judgement.because, because, what)
    assert.equal(judgement.bid !== undefined, verdict === 'accept', `${what}: a bid comes with its acceptance only`)
  }
  const [, { bid: accepted }] = judged(unchecked())
  assert.deepEqual([accepted?.by, accepted?.body], [asker.peer, bid()])
})

test('a bid is repeated unchanged and accepted each time, up to 120 in a minute', () => {
  const envelope = sealBid(asker, network, bid())
  let state = nobodyHeard
  let judgement: Judgement
  const hear = (atMs: number, author = asker.peer, what = envelope) => {
    ;[state, judgement] = judged(what, { state, atMs, author })
    return judgement.verdict
  }
  for (let count = 0; count < bidsPerAuthorMax; count++) assert.equal(hear(nowMs + count), 'accept', String(count))
  assert.equal(hear(nowMs + 200), 'ignore')
  assert.equal(hear(nowMs + 200, asker.peer, Uint8Array.of(1)), 'ignore', 'cheapest first: junk is not even looked at')
  const others = sealBid(stranger, network, bid())
  assert.equal(hear(nowMs + 200, stranger.peer, others), 'accept', 'another author has a count of its own')
  assert.equal(hear(nowMs + bidWindowMs - 1), 'ignore')
  const later = sealBid(asker, network, bid({ expiresMs: nowMs + 300_000 }))
  assert.equal(hear(nowMs + bidWindowMs, asker.peer, later), 'accept', 'the next window')
  const tooLateMs = nowMs + bidWindowMs + bidSkewMsMax
  assert.equal(hear(tooLateMs, stranger.peer, others), 'ignore', 'expired by then')
})

test('three times as many are no mistake', () => {
  const envelope = unchecked()
  let state = nobodyHeard
  let judgement: Judgement | undefined
  for (let count = 0; count < bidsToleratedPerAuthorMax; count++) [state, judgement] = judged(envelope, { state })
  assert.equal(judgement?.verdict, 'ignore')
  assert.equal(judged(envelope, { state })[1].verdict, 'excess')
  assert.equal(judged(unchecked({}, stranger), { state, author: stranger.peer })[1].verdict, 'accept')
})

test('what is rejected counts as well: junk does not buy more of it', () => {
  let state = nobodyHeard
  for (let count = 0; count < bidsPerAuthorMax; count++) [state] = judged(Uint8Array.of(count), { state })
  assert.equal(judged(unchecked(), { state })[1].because, 'author over its rate')
})

test('the memory of authors is bounded, and who is not remembered is heard', () => {
  let state = nobodyHeard
  for (let author = 0; author < 10_050; author++) [state] = judged(new Uint8Array(), { state, author: String(author) })
  assert.equal(state.counts.size, 10_000)
  assert.equal(judged(unchecked(), { state })[1].verdict, 'accept')
})

test('a flipped bit or random bytes are rejected, and never an exception', () => {
  const envelope = sealBid(asker, network, bid())
  fc.assert(
    fc.property(fc.nat(envelope.byteLength * 8 - 1), (bit) =>
      assert.equal(judged(flipped(envelope, bit))[1].verdict, 'reject'),
    ),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_100 }), (bytes) => assert.equal(judged(bytes)[1].verdict, 'reject')),
  )
  // A payload under a good signature may be anything.
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (payload) => {
      const signed = sealEnvelope(asker, network, bidType, payload)
      assert.notEqual(judged(signed)[1].verdict, 'accept')
    }),
  )
})

test('a topic names its network and its class of work', () => {
  assert.equal(bidTopic('main', 'compute'), '/pleach/main/bid/1/compute')
})
