/** Carries out inquiries: one stream, one question, one quote. */
import { equals } from 'uint8arrays'

import type { Bid } from '../bid/index.ts'
import {
  AskWindow,
  Fault,
  RefusedError,
  hashOfEnvelope,
  refusal,
  type Channel,
  type Notary,
  type PeerName,
  type Signed,
  type Streams,
} from '../wire/index.ts'

import { decodeInquiry, encodeInquiry, sealQuote } from './codec.ts'
import {
  inquireLimits,
  inquireProtocol,
  inquireWithinMs,
  inquiriesPerPeerMax,
  inquiriesServedMax,
  inquiryWindowMs,
  type Inquiry,
  type Quote,
} from './messages.ts'

export interface InquireService {
  serve(): Promise<void>
  /** Rejects with RefusedError, a Fault, or the reason of `signal`. The quote is the peer's, and of this bid. */
  ask(peer: PeerName, bid: Signed<Bid>, signal: AbortSignal): Promise<Signed<Quote>>
}

export interface Timekeeper {
  nowMs(): number
  monotonicMs(): number
  deadline(delayMs: number, parent?: AbortSignal): { readonly signal: AbortSignal; [Symbol.dispose](): void }
}

export function createInquire(deps: {
  readonly streams: Streams
  readonly timekeeper: Timekeeper
  readonly notary: Notary
  /** What a bid of this peer was answered, and would be now. */
  readonly quote: (bid: Signed<Bid>) => Pick<Quote, 'heard' | 'now'>
}): InquireService {
  const { streams, timekeeper, notary, quote } = deps
  let served = 0
  const asked = new AskWindow(inquiryWindowMs, inquiriesPerPeerMax)

  const answerTo = (question: Inquiry, from: PeerName): Inquiry => {
    if (question.say !== 'question') throw new Fault('OUT_OF_TURN', 'QUESTION was due', { said: question.say })
    const { bid } = question
    if (bid.by !== from) throw new Fault('SIGNER_UNEXPECTED', 'the bid is of another peer', { by: bid.by })
    const body = { bid: hashOfEnvelope(bid.envelope), issuedMs: timekeeper.nowMs(), ...quote(bid) }
    return { say: 'quote', quote: sealQuote(notary, body) }
  }

  const answer = async (channel: Channel): Promise<void> => {
    using deadline = timekeeper.deadline(inquireWithinMs)
    const frame = await channel.read(deadline.signal)
    if (frame === undefined) return
    let message: Inquiry
    // Before the signature is checked: that is what costs.
    if (served >= inquiriesServedMax || !asked.takes(channel.remote, timekeeper.monotonicMs()))
      message = { say: 'refused', refusal: refusal('BUSY', { inquiriesPerPeerMax, inquiryWindowMs }) }
    else {
      served++
      try {
        message = answerTo(decodeInquiry(notary, frame), channel.remote)
      } finally {
        served--
      }
    }
    await channel.write(encodeInquiry(message), deadline.signal)
    await channel.close(deadline.signal)
  }

  return {
    serve: async () => streams.handle(inquireProtocol, inquireLimits, answer),
    async ask(peer, bid, signal) {
      using deadline = timekeeper.deadline(inquireWithinMs, signal)
      const channel = await streams.open(peer, inquireProtocol, inquireLimits, deadline.signal)
      try {
        await channel.write(encodeInquiry({ say: 'question', bid }), deadline.signal)
        const frame = await channel.read(deadline.signal)
        if (frame === undefined) throw new Fault('OUT_OF_TURN', 'a quote was due')
        const answered = decodeInquiry(notary, frame)
        if (answered.say === 'refused') throw new RefusedError(answered.refusal)
        if (answered.say !== 'quote') throw new Fault('OUT_OF_TURN', 'QUOTE was due', { said: answered.say })
        if (answered.quote.by !== peer)
          throw new Fault('SIGNER_UNEXPECTED', 'the quote is of another peer', { by: answered.quote.by })
        if (!equals(answered.quote.body.bid, hashOfEnvelope(bid.envelope)))
          throw new Fault('FIELD_INVALID', 'the quote is of another bid', { field: 'bid' })
        await channel.close(deadline.signal)
        return answered.quote
      } finally {
        channel.abort(new Error('the exchange is over'))
      }
    },
  }
}
