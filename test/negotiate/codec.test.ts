import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  decodeNegotiation,
  encodeNegotiation,
  leaseIdOf,
  manifestBytesMax,
  negotiateLimits,
  openAward,
  sealAward,
  sealOffer,
  type Award,
  type Negotiation,
  type Offer,
} from '../../protocols/negotiate/index.ts'
import { cidOfDocument, microMax, sha256 } from '../../protocols/wire/index.ts'
import {
  asker,
  awardTerms,
  faultOf,
  flipped,
  job,
  offerTerms,
  other,
  provider,
  startMs,
  statements,
  worker,
  released,
} from './parties.ts'

const { award, accept, commit } = statements()
const messages: Readonly<Record<string, Negotiation>> = {
  OFFER: { say: 'offer', offer: sealOffer(worker, offerTerms()) },
  AWARD: { say: 'award', award },
  ACCEPT: { say: 'accept', accept },
  COMMIT: { say: 'commit', commit },
  REFUSE: {
    say: 'refuse',
    place: { job, slot: 3, epoch: 4_294_967_295 },
    refusal: { code: 'COMMIT_LATE', facts: { lateMs: 12, why: 'slow', mine: true, below: -5 } },
  },
  RELEASE: { say: 'release', job, because: released },
}

for (const [name, message] of Object.entries(messages)) {
  test(`${name} reads back as it was written`, () => {
    const bytes = encodeNegotiation(message)
    assert.ok(bytes.byteLength <= negotiateLimits.frameBytesMax)
    assert.deepEqual(decodeNegotiation(worker, bytes), message)
  })

  test(`a flipped bit in ${name} is a fault, or leaves every signed word as it was`, () => {
    const bytes = encodeNegotiation(message)
    const signed = message.say !== 'refuse' && message.say !== 'release'
    fc.assert(
      fc.property(fc.nat(bytes.byteLength * 8 - 1), (bit) => {
        let heard: Negotiation | undefined
        const code = faultOf(() => {
          heard = decodeNegotiation(worker, flipped(bytes, bit))
        })
        // The frame around an envelope may have two spellings; what is signed has one.
        if (signed && code === 'no fault') assert.deepEqual(heard, message)
      }),
      { numRuns: 150 },
    )
  })

  test(`${name} cut short is a fault`, () => {
    const bytes = encodeNegotiation(message)
    fc.assert(
      fc.property(fc.nat(bytes.byteLength - 1), (length) =>
        assert.notEqual(
          faultOf(() => decodeNegotiation(worker, bytes.subarray(0, length))),
          'no fault',
        ),
      ),
      { numRuns: 100 },
    )
  })
}

test('random bytes are a fault and nothing worse', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) =>
      assert.notEqual(
        faultOf(() => decodeNegotiation(worker, bytes)),
        'no fault',
      ),
    ),
    { numRuns: 500 },
  )
})

test('a message of another network is a fault', () => {
  const elsewhere = { ...worker, network: 'elsewhere' }
  for (const name of ['OFFER', 'AWARD', 'ACCEPT', 'COMMIT'])
    assert.equal(
      faultOf(() => decodeNegotiation(elsewhere, encodeNegotiation(messages[name]!))),
      'NETWORK_FOREIGN',
      name,
    )
})

test('no statement passes for another', () => {
  // The envelopes of one message under the field numbers of the others: one tag byte apart.
  for (const name of ['OFFER', 'AWARD', 'ACCEPT', 'COMMIT']) {
    const bytes = encodeNegotiation(messages[name]!)
    for (let field = 1; field <= 4; field++) {
      const tag = (field << 3) | 2
      if (bytes[0] === tag) continue
      const renamed = bytes.slice()
      renamed[0] = tag
      assert.equal(
        faultOf(() => decodeNegotiation(worker, renamed)),
        'DOMAIN_UNEXPECTED',
        `${name} as field ${field}`,
      )
    }
  }
})

const awardCodes = (over: Partial<Award>) =>
  faultOf(() => openAward(worker, sealAward(asker, awardTerms(over)).envelope))
const offerCodes = (over: Partial<Offer>) =>
  faultOf(() =>
    decodeNegotiation(asker, encodeNegotiation({ say: 'offer', offer: sealOffer(worker, offerTerms(over)) })),
  )

test('an AWARD that no honest requester sends is a fault', () => {
  const sized = (bytes: number): Partial<Award> => {
    const manifest = new Uint8Array(bytes)
    return { manifest, job: cidOfDocument(manifest) }
  }
  const rows: readonly [string, Partial<Award>, string][] = [
    ['a manifest at the cap', sized(manifestBytesMax), 'no fault'],
    ['a manifest over the cap', sized(manifestBytesMax + 1), 'FRAME_TOO_LARGE'],
    ["another job's manifest", { manifest: other.bytes }, 'FIELD_INVALID'],
    ["another job's name", { job: other.job }, 'FIELD_INVALID'],
    ['no manifest', { manifest: new Uint8Array() }, 'FIELD_INVALID'],
    ['a provider that is no peer', { provider: 'somebody' }, 'FIELD_INVALID'],
    ['an offer that is no hash', { offer: new Uint8Array(31) }, 'FIELD_INVALID'],
    ['the last slot', { slot: 1023 }, 'no fault'],
    ['a slot too many', { slot: 1024 }, 'FIELD_INVALID'],
    ['the last epoch', { epoch: 2 ** 32 - 1 }, 'no fault'],
    ['a unit that breaks lines', { unit: 'a\nb' }, 'FIELD_INVALID'],
    ['a unit too long', { unit: 'x'.repeat(65) }, 'FIELD_INVALID'],
    ['no payment interval', { paymentIntervalMs: 0 }, 'FIELD_INVALID'],
    ['a longest interval under the first', { paymentIntervalMs: 5_000, paymentIntervalMsMax: 4_999 }, 'FIELD_INVALID'],
    ['the greatest ceiling', { ceilingMicro: microMax }, 'no fault'],
  ]
  for (const [what, over, code] of rows) assert.equal(awardCodes(over), code, what)
})

test('an OFFER that no honest provider sends is a fault', () => {
  const rows: readonly [string, Partial<Offer>, string][] = [
    ['the longest hold', { holdUntilMs: startMs + 15_000 }, 'no fault'],
    ['a hold too long', { holdUntilMs: startMs + 15_001 }, 'FIELD_INVALID'],
    ['no hold', { holdUntilMs: startMs }, 'FIELD_INVALID'],
    ['a hold that ends before it begins', { holdUntilMs: startMs - 1 }, 'FIELD_INVALID'],
    ['a bid that is no hash', { bid: new Uint8Array(33) }, 'FIELD_INVALID'],
    ['a job that is no CID', { job: 'bafy' }, 'FIELD_INVALID'],
  ]
  for (const [what, over, code] of rows) assert.equal(offerCodes(over), code, what)
})

test('an integer over 2^53 - 1 is a fault in every field', () => {
  for (const field of ['cpuHourMicro', 'ceilingMicro', 'wallMsMax', 'issuedMs', 'acceptByMs', 'reclaimMs'] as const)
    assert.equal(awardCodes({ [field]: 2 ** 53 }), 'FIELD_INVALID', field)
})

test('an AWARD at the cap of its manifest fits into a frame', () => {
  const manifest = new Uint8Array(manifestBytesMax)
  const terms = awardTerms({ manifest, job: cidOfDocument(manifest), unit: 'x'.repeat(64), ceilingMicro: microMax })
  const bytes = encodeNegotiation({ say: 'award', award: sealAward(asker, terms) })
  assert.ok(bytes.byteLength <= negotiateLimits.frameBytesMax, String(bytes.byteLength))
})

test('a lease is named after the bytes of its award', () => {
  assert.equal(leaseIdOf(award.envelope), Buffer.from(sha256(award.envelope)).toString('hex'))
  assert.notEqual(leaseIdOf(statements({ epoch: 2 }).award.envelope), leaseIdOf(award.envelope))
  assert.equal(award.body.provider, provider)
})
