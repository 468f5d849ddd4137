// Inquiries over joined channels; what no honest peer sends is said by hand.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { sealBid, type Bid } from '../../protocols/bid/index.ts'
import {
  createInquire,
  decodeInquiry,
  encodeInquiry,
  inquireLimits,
  inquireProtocol,
  inquiriesPerPeerMax,
  sealQuote,
  type Quote,
} from '../../protocols/inquire/index.ts'
import { Fault, RefusedError, hashOfEnvelope, refusal, type Signed, type Signer } from '../../protocols/wire/index.ts'
import { realClock } from '../../src/environment.ts'
import { ask } from '../spec/vectors/announcements.ts'
import { Switchboard } from '../support/channel-pair.ts'
import { network, signer } from '../support/peers.ts'

const never = new AbortController().signal
const [provider, asker, stranger] = [signer(1), signer(2), signer(3)]
const bidBy = (by: Signer): Signed<Bid> => ({ by: by.peer, body: ask, envelope: sealBid(by, network, ask) })
const price = { heard: null, now: { offers: true, cpuHourMicro: 5 } } as const

async function stage(quote: (bid: Signed<Bid>) => Pick<Quote, 'heard' | 'now'> = () => price) {
  const board = new Switchboard()
  const of = (self: Signer) =>
    createInquire({
      streams: board.streamsOf(self.peer),
      timekeeper: realClock,
      notary: { signer: self, network },
      quote,
    })
  await of(provider).serve()
  return { board, asks: of(asker), of }
}

const faultWith = (code: string) => (error: unknown) => error instanceof Fault && error.code === code

test('a question is quoted: what would be answered now, and what was then', async () => {
  const because = refusal('LACKS_CPU', { wanted: 8_000, has: 4_000 })
  const answers: Pick<Quote, 'heard' | 'now'>[] = [
    price,
    { heard: { offered: false, because }, now: { offers: false, because: refusal('BUSY') } },
    { heard: { offered: true }, now: { offers: false, because } },
  ]
  for (const answer of answers) {
    const { asks } = await stage(() => answer)
    const bid = bidBy(asker)
    const { by, body } = await asks.ask(provider.peer, bid, never)
    assert.equal(by, provider.peer)
    assert.deepEqual({ heard: body.heard, now: body.now }, answer)
    assert.deepEqual(body.bid, hashOfEnvelope(bid.envelope))
  }
})

test('nobody asks in the name of another', async () => {
  let quoted = 0
  const { board, asks } = await stage(() => {
    quoted++
    return price
  })
  await assert.rejects(asks.ask(provider.peer, bidBy(stranger), never))
  assert.equal(quoted, 0)
  assert.ok(board.faults.some(({ peer, error }) => peer === asker.peer && faultWith('SIGNER_UNEXPECTED')(error)))
})

test('who asks too often is refused before anything is checked, and others are not', async () => {
  const { asks, of } = await stage()
  const bid = bidBy(asker)
  for (let count = 0; count < inquiriesPerPeerMax; count++) await asks.ask(provider.peer, bid, never)
  await assert.rejects(
    asks.ask(provider.peer, bid, never),
    (error) => error instanceof RefusedError && error.code === 'BUSY',
  )
  await of(stranger).ask(provider.peer, bidBy(stranger), never)
})

test('a quote of another peer, of another bid, or something else is the answerer’s fault', async () => {
  const bid = bidBy(asker)
  const good: Quote = { bid: hashOfEnvelope(bid.envelope), issuedMs: 1, ...price }
  const by = (who: Signer, quote: Quote) =>
    encodeInquiry({ say: 'quote', quote: sealQuote({ signer: who, network }, quote) })
  const cases: [Uint8Array, string][] = [
    [by(stranger, good), 'SIGNER_UNEXPECTED'],
    [by(provider, { ...good, bid: new Uint8Array(32) }), 'FIELD_INVALID'],
    [encodeInquiry({ say: 'question', bid: bidBy(provider) }), 'OUT_OF_TURN'],
    [Uint8Array.of(0xff), 'FRAME_MALFORMED'],
  ]
  for (const [bytes, code] of cases) {
    const board = new Switchboard()
    await board.streamsOf(provider.peer).handle(inquireProtocol, inquireLimits, async (channel) => {
      await channel.read(never)
      await channel.write(bytes, never)
      await channel.close(never)
    })
    const streams = board.streamsOf(asker.peer)
    const service = createInquire({
      streams,
      timekeeper: realClock,
      notary: { signer: asker, network },
      quote: () => price,
    })
    await assert.rejects(service.ask(provider.peer, bid, never), faultWith(code), code)
  }
})

test('every flipped bit of a signed quote is a fault', () => {
  const notary = { signer: provider, network }
  const bytes = encodeInquiry({
    say: 'quote',
    quote: sealQuote(notary, { bid: new Uint8Array(32), issuedMs: 1, ...price }),
  })
  const envelopeFrom =
    bytes.length - sealQuote(notary, { bid: new Uint8Array(32), issuedMs: 1, ...price }).envelope.length
  for (let bit = envelopeFrom * 8; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice()
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    assert.throws(() => decodeInquiry(notary, flipped), Fault, `bit ${bit}`)
  }
})
