/** Negotiation messages from and to bytes. All validation of a single message is here. */
import { create, toBinary } from '@bufbuild/protobuf'
import { toString } from 'uint8arrays'

import {
  Fault,
  checkedCid,
  checkedHash,
  checkedInteger,
  checkedText,
  cidOfDocument,
  decodeRefusal,
  decodeTariff,
  encodeRefusal,
  encodeTariff,
  openEnvelope,
  parseMessage,
  publicKeyOf,
  refusal,
  sealEnvelope,
  hashOfEnvelope,
  type Notary,
  type Signed,
  type StatementType,
} from '../wire/index.ts'
import {
  acceptType,
  awardType,
  commitType,
  gpusPerLeaseMax,
  manifestBytesMax,
  offerHoldMsMax,
  offerType,
  slotsMax,
  type Accept,
  type Award,
  type Commit,
  type Negotiation,
  type Offer,
} from './messages.ts'
import { AcceptSchema, AwardSchema, CommitSchema, NegotiationSchema, OfferSchema } from './wire_pb.ts'

export type { Notary } from '../wire/index.ts'

const textCharsMax = 64

/** A lease is named after its award. */
export function leaseIdOf(awardEnvelope: Uint8Array): string {
  return toString(hashOfEnvelope(awardEnvelope), 'hex')
}

export function encodeNegotiation(message: Negotiation): Uint8Array {
  switch (message.say) {
    case 'offer':
      return frame({ case: 'offer', value: message.offer.envelope })
    case 'award':
      return frame({ case: 'award', value: message.award.envelope })
    case 'accept':
      return frame({ case: 'accept', value: message.accept.envelope })
    case 'commit':
      return frame({ case: 'commit', value: message.commit.envelope })
    case 'refuse':
      return toBinary(
        NegotiationSchema,
        create(NegotiationSchema, {
          body: { case: 'refuse', value: { ...message.place, refusal: encodeRefusal(message.refusal) } },
        }),
      )
    case 'release':
      return toBinary(
        NegotiationSchema,
        create(NegotiationSchema, {
          body: { case: 'release', value: { job: message.job, because: encodeRefusal(message.because) } },
        }),
      )
    default:
      return message satisfies never
  }
}

function frame(body: { case: 'offer' | 'award' | 'accept' | 'commit'; value: Uint8Array }): Uint8Array {
  return toBinary(NegotiationSchema, create(NegotiationSchema, { body }))
}

/** Parses, validates and checks every signature. Throws a Fault. */
export function decodeNegotiation(notary: Notary, bytes: Uint8Array): Negotiation {
  const { body } = parseMessage(NegotiationSchema, bytes)
  switch (body.case) {
    case 'offer':
      return { say: 'offer', offer: openOffer(notary, body.value) }
    case 'award':
      return { say: 'award', award: openAward(notary, body.value) }
    case 'accept':
      return { say: 'accept', accept: openAccept(notary, body.value) }
    case 'commit':
      return { say: 'commit', commit: openCommit(notary, body.value) }
    case 'refuse': {
      const { job, slot, epoch, refusal: because } = body.value
      return { say: 'refuse', place: { job: checkedCid(job, 'job'), slot, epoch }, refusal: decodeRefusal(because) }
    }
    case 'release':
      return {
        say: 'release',
        job: checkedCid(body.value.job, 'job'),
        because: body.value.because === undefined ? refusal('NOT_CHOSEN') : decodeRefusal(body.value.because),
      }
    default:
      throw new Fault('FIELD_INVALID', 'a negotiation message says nothing that this version knows')
  }
}

export function openOffer(notary: Notary, envelope: Uint8Array): Signed<Offer> {
  return opened(notary, offerType, envelope, decodeOffer)
}

export function openAward(notary: Notary, envelope: Uint8Array): Signed<Award> {
  return opened(notary, awardType, envelope, decodeAward)
}

export function openAccept(notary: Notary, envelope: Uint8Array): Signed<Accept> {
  return opened(notary, acceptType, envelope, decodeAccept)
}

export function openCommit(notary: Notary, envelope: Uint8Array): Signed<Commit> {
  return opened(notary, commitType, envelope, decodeCommit)
}

function opened<Body>(
  notary: Notary,
  type: StatementType,
  envelope: Uint8Array,
  decode: (payload: Uint8Array) => Body,
): Signed<Body> {
  const { by, body } = openEnvelope(notary.signer, notary.network, type, envelope)
  return { by, envelope, body: decode(body) }
}

export function sealOffer({ signer, network }: Notary, offer: Offer): Signed<Offer> {
  const payload = toBinary(
    OfferSchema,
    create(OfferSchema, {
      job: offer.job,
      bid: offer.bid,
      unit: offer.unit,
      tariff: encodeTariff(offer),
      cpuMilli: BigInt(offer.cpuMilli),
      memoryBytes: BigInt(offer.memoryBytes),
      diskBytes: BigInt(offer.diskBytes),
      gpus: offer.gpus,
      issuedMs: BigInt(offer.issuedMs),
      holdUntilMs: BigInt(offer.holdUntilMs),
      bondMicro: BigInt(offer.bondMicro),
    }),
  )
  return { by: signer.peer, body: offer, envelope: sealEnvelope(signer, network, offerType, payload) }
}

export function sealAward({ signer, network }: Notary, award: Award): Signed<Award> {
  const payload = toBinary(
    AwardSchema,
    create(AwardSchema, {
      job: award.job,
      slot: award.slot,
      epoch: award.epoch,
      provider: award.provider,
      offer: award.offer,
      unit: award.unit,
      tariff: encodeTariff(award),
      cpuMilli: BigInt(award.cpuMilli),
      memoryBytes: BigInt(award.memoryBytes),
      diskBytes: BigInt(award.diskBytes),
      gpus: award.gpus,
      wallMsMax: BigInt(award.wallMsMax),
      ceilingMicro: BigInt(award.ceilingMicro),
      paymentIntervalMs: BigInt(award.paymentIntervalMs),
      paymentIntervalMsMax: BigInt(award.paymentIntervalMsMax),
      reclaimMs: BigInt(award.reclaimMs),
      bondMicro: BigInt(award.bondMicro),
      issuedMs: BigInt(award.issuedMs),
      acceptByMs: BigInt(award.acceptByMs),
      manifest: award.manifest,
    }),
  )
  return { by: signer.peer, body: award, envelope: sealEnvelope(signer, network, awardType, payload) }
}

export function sealAccept({ signer, network }: Notary, accept: Accept): Signed<Accept> {
  const payload = toBinary(
    AcceptSchema,
    create(AcceptSchema, {
      lease: accept.lease,
      issuedMs: BigInt(accept.issuedMs),
      commitByMs: BigInt(accept.commitByMs),
    }),
  )
  return { by: signer.peer, body: accept, envelope: sealEnvelope(signer, network, acceptType, payload) }
}

export function sealCommit({ signer, network }: Notary, commit: Commit): Signed<Commit> {
  const payload = toBinary(
    CommitSchema,
    create(CommitSchema, { lease: commit.lease, accept: commit.accept, issuedMs: BigInt(commit.issuedMs) }),
  )
  return { by: signer.peer, body: commit, envelope: sealEnvelope(signer, network, commitType, payload) }
}

function decodeOffer(bytes: Uint8Array): Offer {
  const wire = parseMessage(OfferSchema, bytes)
  const offer: Offer = {
    job: checkedCid(wire.job, 'job'),
    bid: checkedHash(wire.bid, 'bid'),
    unit: checkedText(wire.unit, 'unit', textCharsMax),
    ...decodeTariff(wire.tariff),
    cpuMilli: checkedInteger(wire.cpuMilli, 'cpu_milli'),
    memoryBytes: checkedInteger(wire.memoryBytes, 'memory_bytes'),
    diskBytes: checkedInteger(wire.diskBytes, 'disk_bytes'),
    gpus: checkedInteger(wire.gpus, 'gpus', gpusPerLeaseMax),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
    holdUntilMs: checkedInteger(wire.holdUntilMs, 'hold_until_ms'),
    bondMicro: checkedInteger(wire.bondMicro, 'bond_micro'),
  }
  const holdMs = offer.holdUntilMs - offer.issuedMs
  if (holdMs <= 0 || holdMs > offerHoldMsMax) {
    throw new Fault('FIELD_INVALID', 'the hold of the offer is not lawful', { holdMs, offerHoldMsMax })
  }
  return offer
}

function decodeAward(bytes: Uint8Array): Award {
  const wire = parseMessage(AwardSchema, bytes)
  publicKeyOf(wire.provider)
  if (wire.manifest.byteLength > manifestBytesMax) {
    throw new Fault('FRAME_TOO_LARGE', 'the job manifest is over its cap', {
      bytes: wire.manifest.byteLength,
      manifestBytesMax,
    })
  }
  if (cidOfDocument(wire.manifest) !== wire.job) {
    throw new Fault('FIELD_INVALID', 'the manifest in the award is not the one the job is named after', {
      job: wire.job,
    })
  }
  const award: Award = {
    job: checkedCid(wire.job, 'job'),
    slot: checkedInteger(wire.slot, 'slot', slotsMax - 1),
    epoch: checkedInteger(wire.epoch, 'epoch'),
    provider: wire.provider,
    offer: checkedHash(wire.offer, 'offer'),
    unit: checkedText(wire.unit, 'unit', textCharsMax),
    ...decodeTariff(wire.tariff),
    cpuMilli: checkedInteger(wire.cpuMilli, 'cpu_milli'),
    memoryBytes: checkedInteger(wire.memoryBytes, 'memory_bytes'),
    diskBytes: checkedInteger(wire.diskBytes, 'disk_bytes'),
    gpus: checkedInteger(wire.gpus, 'gpus', gpusPerLeaseMax),
    wallMsMax: checkedInteger(wire.wallMsMax, 'wall_ms_max'),
    ceilingMicro: checkedInteger(wire.ceilingMicro, 'ceiling_micro'),
    paymentIntervalMs: checkedInteger(wire.paymentIntervalMs, 'payment_interval_ms'),
    paymentIntervalMsMax: checkedInteger(wire.paymentIntervalMsMax, 'payment_interval_ms_max'),
    reclaimMs: checkedInteger(wire.reclaimMs, 'reclaim_ms'),
    bondMicro: checkedInteger(wire.bondMicro, 'bond_micro'),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
    acceptByMs: checkedInteger(wire.acceptByMs, 'accept_by_ms'),
    manifest: wire.manifest,
  }
  if (award.paymentIntervalMs === 0 || award.paymentIntervalMsMax < award.paymentIntervalMs) {
    throw new Fault('FIELD_INVALID', 'the payment intervals of the award are not lawful', {
      paymentIntervalMs: award.paymentIntervalMs,
      paymentIntervalMsMax: award.paymentIntervalMsMax,
    })
  }
  return award
}

function decodeAccept(bytes: Uint8Array): Accept {
  const wire = parseMessage(AcceptSchema, bytes)
  return {
    lease: checkedHash(wire.lease, 'lease'),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
    commitByMs: checkedInteger(wire.commitByMs, 'commit_by_ms'),
  }
}

function decodeCommit(bytes: Uint8Array): Commit {
  const wire = parseMessage(CommitSchema, bytes)
  return {
    lease: checkedHash(wire.lease, 'lease'),
    accept: checkedHash(wire.accept, 'accept'),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
  }
}
