/** What is asked of a provider, and its quotes. */
import { create, toBinary } from '@bufbuild/protobuf'

import { sealBid } from '../../../protocols/bid/index.ts'
import { encodeInquiry, quoteType, sealQuote, type Inquiry, type Quote } from '../../../protocols/inquire/index.ts'
import { InquirySchema, QuoteSchema } from '../../../protocols/inquire/wire_pb.ts'
import { hashOfEnvelope, microMax, sealEnvelope } from '../../../protocols/wire/index.ts'
import { startMs } from '../../negotiate/parties.ts'
import { ask } from './announcements.ts'
import { bad, good, type VectorFile } from './cases.ts'
import { asker, network, worker } from './kinds.ts'

const envelope = sealBid(asker.signer, network, ask)
const bid = { by: asker.signer.peer, body: ask, envelope }
const quote: Quote = {
  bid: hashOfEnvelope(envelope),
  issuedMs: startMs,
  heard: null,
  now: { offers: true, cpuHourMicro: 1_000_000 },
}
const busy = { code: 'BUSY', facts: { wanted: 4_000, free: 1_500 } }
const says = (name: string, message: Inquiry) => good('inquiry', name, encodeInquiry(message))
const quotes = (name: string, over: Partial<Quote>) =>
  says(name, { say: 'quote', quote: sealQuote(worker, { ...quote, ...over }) })
const framed = (payload: Uint8Array) =>
  toBinary(
    InquirySchema,
    create(InquirySchema, { body: { case: 'quote', value: sealEnvelope(worker.signer, network, quoteType, payload) } }),
  )

const inquire: VectorFile = {
  what: 'Messages of /pleach/inquire/1 (protocols/inquire/README.md).',
  cases: [
    says('QUESTION', { say: 'question', bid }),
    quotes('QUOTE of a price', {}),
    quotes('QUOTE of the highest price, offered before', {
      heard: { offered: true },
      now: { offers: true, cpuHourMicro: microMax },
    }),
    quotes('QUOTE that declines, as before', {
      heard: { offered: false, because: { code: 'LACKS_GPU_MEMORY', facts: { wanted: 25_769_803_776, has: 0 } } },
      now: { offers: false, because: busy },
    }),
    says('REFUSED', { say: 'refused', refusal: busy }),
    bad(
      'inquiry',
      'neither a price nor why not',
      'FIELD_INVALID',
      framed(toBinary(QuoteSchema, create(QuoteSchema, { bid: quote.bid, issuedMs: BigInt(startMs) }))),
    ),
    bad(
      'inquiry',
      'a bid that is no hash',
      'FIELD_INVALID',
      encodeInquiry({ say: 'quote', quote: sealQuote(worker, { ...quote, bid: new Uint8Array(31) }) }),
    ),
    bad('inquiry', 'nothing', 'FIELD_INVALID', new Uint8Array()),
    bad('inquiry', 'not of this form', 'FRAME_MALFORMED', Uint8Array.of(0x12, 0xff)),
  ],
}

export const inquireVectors = { inquire }
