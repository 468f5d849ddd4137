/** Questions and quotes from and to bytes. All validation of a single one is here. */
import { create, toBinary } from '@bufbuild/protobuf'

import { openBid } from '../bid/index.ts'
import {
  Fault,
  checkedHash,
  checkedInteger,
  decodeRefusal,
  encodeRefusal,
  openEnvelope,
  parseMessage,
  sealEnvelope,
  type Notary,
  type Signed,
} from '../wire/index.ts'
import { quoteType, type Inquiry, type Quote } from './messages.ts'
import { Heard, InquirySchema, QuoteSchema } from './wire_pb.ts'

export function encodeInquiry(message: Inquiry): Uint8Array {
  switch (message.say) {
    case 'question':
      return toBinary(
        InquirySchema,
        create(InquirySchema, { body: { case: 'question', value: { bid: message.bid.envelope } } }),
      )
    case 'quote':
      return toBinary(InquirySchema, create(InquirySchema, { body: { case: 'quote', value: message.quote.envelope } }))
    case 'refused':
      return toBinary(
        InquirySchema,
        create(InquirySchema, { body: { case: 'refused', value: encodeRefusal(message.refusal) } }),
      )
    default:
      return message satisfies never
  }
}

/** Parses, validates and checks the signature. Throws a Fault. */
export function decodeInquiry({ signer, network }: Notary, bytes: Uint8Array): Inquiry {
  const { body } = parseMessage(InquirySchema, bytes)
  switch (body.case) {
    case 'question':
      return { say: 'question', bid: openBid(signer, network, body.value.bid) }
    case 'quote':
      return { say: 'quote', quote: openQuote({ signer, network }, body.value) }
    case 'refused':
      return { say: 'refused', refusal: decodeRefusal(body.value) }
    default:
      throw new Fault('FIELD_INVALID', 'an inquiry says nothing that this version knows')
  }
}

export function sealQuote({ signer, network }: Notary, quote: Quote): Signed<Quote> {
  const { bid, issuedMs, heard, now } = quote
  const payload = toBinary(
    QuoteSchema,
    create(QuoteSchema, {
      bid,
      issuedMs: BigInt(issuedMs),
      heard: heard === null ? Heard.NOT : heard.offered ? Heard.OFFERED : Heard.DECLINED,
      ...(heard?.offered === false ? { declinedThen: encodeRefusal(heard.because) } : {}),
      ...(now.offers
        ? { would: { cpuHourMicro: BigInt(now.cpuHourMicro) } }
        : { declinedNow: encodeRefusal(now.because) }),
    }),
  )
  return { by: signer.peer, body: quote, envelope: sealEnvelope(signer, network, quoteType, payload) }
}

export function openQuote({ signer, network }: Notary, envelope: Uint8Array): Signed<Quote> {
  const { by, body } = openEnvelope(signer, network, quoteType, envelope)
  const { bid, issuedMs, heard, declinedThen, would, declinedNow } = parseMessage(QuoteSchema, body)
  if ((would === undefined) === (declinedNow === undefined))
    throw new Fault('FIELD_INVALID', 'a quote says either what it would be or why it would not')
  return {
    by,
    envelope,
    body: {
      bid: checkedHash(bid, 'bid'),
      issuedMs: checkedInteger(issuedMs, 'issued_ms'),
      heard:
        heard === Heard.OFFERED
          ? { offered: true }
          : heard === Heard.DECLINED
            ? { offered: false, because: decodeRefusal(declinedThen) }
            : null,
      now:
        would === undefined
          ? { offers: false, because: decodeRefusal(declinedNow) }
          : { offers: true, cpuHourMicro: checkedInteger(would.cpuHourMicro, 'cpu_hour_micro') },
    },
  }
}
