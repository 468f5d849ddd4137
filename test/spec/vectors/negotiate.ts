/** Every message of a negotiation, and those that no honest peer sends. */
import { create, toBinary } from '@bufbuild/protobuf'
import { fromString } from 'uint8arrays'

import { encodeJobManifest } from '../../../protocols/execute/index.ts'
import {
  awardType,
  encodeNegotiation,
  offerType,
  sealAward,
  sealOffer,
  type Award,
  type Negotiation,
  type Offer,
} from '../../../protocols/negotiate/index.ts'
import { NegotiationSchema, AwardSchema, OfferSchema } from '../../../protocols/negotiate/wire_pb.ts'
import { microMax, sealEnvelope } from '../../../protocols/wire/index.ts'
import { manifestOf, released, startMs } from '../../negotiate/parties.ts'
import { bad, good, type VectorFile } from './cases.ts'
import { asker, network, worker } from './kinds.ts'
import { accept, award, commit, job, offer, terms } from './lease.ts'

const says = (name: string, message: Negotiation) => good('negotiation', name, encodeNegotiation(message))
const offers = (name: string, over: Partial<Offer>) =>
  bad(
    'negotiation',
    name,
    'FIELD_INVALID',
    encodeNegotiation({ say: 'offer', offer: sealOffer(worker, { ...offer.body, ...over }) }),
  )
const awards = (name: string, over: Partial<Award>, fault = 'FIELD_INVALID') =>
  bad('negotiation', name, fault, encodeNegotiation({ say: 'award', award: sealAward(asker, { ...terms, ...over }) }))
const place = { job, slot: 0, epoch: 1 }
const another = encodeJobManifest(manifestOf('another')).bytes
const refused = (code: string) =>
  toBinary(
    NegotiationSchema,
    create(NegotiationSchema, { body: { case: 'refuse', value: { ...place, refusal: { code } } } }),
  )

/** What is left out is nothing; but whoever has prices has all of them. */
const withoutPrices = toBinary(
  OfferSchema,
  create(OfferSchema, {
    job,
    bid: offer.body.bid,
    unit: offer.body.unit,
    cpuMilli: 1n,
    issuedMs: BigInt(startMs),
    holdUntilMs: BigInt(startMs + 1),
  }),
)

const negotiation: VectorFile = {
  what: 'Frames of /pleach/negotiate/1. The first four are one negotiation, each naming the one before.',
  cases: [
    says('OFFER', { say: 'offer', offer }),
    says('AWARD', { say: 'award', award }),
    says('ACCEPT', { say: 'accept', accept }),
    says('COMMIT', { say: 'commit', commit }),
    says('AWARD of the next epoch', { say: 'award', award: sealAward(asker, { ...terms, epoch: 2 }) }),
    says('REFUSE without facts', { say: 'refuse', place, refusal: { code: 'CLOSED', facts: {} } }),
    says('REFUSE with facts of each kind', {
      say: 'refuse',
      place: { ...place, slot: 3, epoch: 2 },
      refusal: { code: 'COMMIT_LATE', facts: { lateMs: 17, aheadMs: -4, by: 'the clock', again: true } },
    }),
    says('RELEASE', { say: 'release', job, because: released }),
    says('an OFFER of disk and GPUs', {
      say: 'offer',
      offer: sealOffer(worker, { ...offer.body, diskBytes: 1_000_000, gpus: 2 }),
    }),
    offers('a hold of no time', { holdUntilMs: offer.body.issuedMs }),
    offers('a hold too long', { holdUntilMs: offer.body.issuedMs + 15_001 }),
    offers('a bid that is no hash', { bid: new Uint8Array(31) }),
    offers('a price over 2^53 - 1', { cpuHourMicro: microMax + 1 }),
    offers('a price of gas over 2^53 - 1', { gigaGasMicro: microMax + 1 }),
    bad(
      'negotiation',
      'an OFFER without prices',
      'FIELD_INVALID',
      encodeNegotiation({
        say: 'offer',
        offer: { ...offer, envelope: sealEnvelope(worker.signer, network, offerType, withoutPrices) },
      }),
    ),
    awards('a manifest that is not the job', { manifest: another }),
    awards('a provider that is no peer', { provider: 'somebody' }),
    awards('a slot too high', { slot: 1_024 }),
    awards('no payment interval', { paymentIntervalMs: 0 }),
    awards('a longest interval that is shorter than the first', { paymentIntervalMsMax: 999 }),
    bad(
      'negotiation',
      'an award that is not of this form',
      'FRAME_MALFORMED',
      encodeNegotiation({
        say: 'award',
        award: { ...award, envelope: sealEnvelope(asker.signer, network, awardType, Uint8Array.of(0xff)) },
      }),
    ),
    bad(
      'negotiation',
      'an ACCEPT in the place of a COMMIT',
      'DOMAIN_UNEXPECTED',
      toBinary(NegotiationSchema, create(NegotiationSchema, { body: { case: 'commit', value: accept.envelope } })),
    ),
    bad('negotiation', 'a refusal without a code', 'FIELD_INVALID', refused('')),
    bad('negotiation', 'a code in small letters', 'FIELD_INVALID', refused('closed')),
    bad('negotiation', 'nothing said', 'FIELD_INVALID', new Uint8Array()),
    bad('negotiation', 'a message of a later version', 'FIELD_INVALID', Uint8Array.of(0x7a, 0x01, 0x00)),
    bad('negotiation', 'not of this form', 'FRAME_MALFORMED', fromString('AWARD')),
  ],
}

/** Fields that a reader does not know stay under the signature, and out of what is decided. */
const later = toBinary(
  AwardSchema,
  create(AwardSchema, {
    job,
    slot: 0,
    epoch: 1,
    provider: terms.provider,
    offer: terms.offer,
    unit: terms.unit,
    tariff: {},
    paymentIntervalMs: 1n,
    paymentIntervalMsMax: 1n,
    issuedMs: BigInt(startMs),
    manifest: terms.manifest,
  }),
)
const unknownFields: VectorFile = {
  what: 'A statement with a field of a later version: it is read, and named by its own bytes. Encoding the meaning gives other bytes.',
  cases: [
    {
      ...good(
        'negotiation',
        'AWARD with field 99',
        encodeNegotiation({
          say: 'award',
          award: {
            ...award,
            envelope: sealEnvelope(
              asker.signer,
              network,
              awardType,
              Uint8Array.from([...later, 0x9a, 0x06, 0x01, 0x2a]),
            ),
          },
        }),
      ),
    },
  ],
}

export const negotiateVectors = { negotiation, 'unknown-fields': unknownFields }
