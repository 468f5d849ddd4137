/** Placement records and messages from and to bytes. All validation of a single one is here. */
import { create, toBinary } from '@bufbuild/protobuf'

import { objectManifestBytesMax, shardsMax } from '../erasure/index.ts'
import {
  Fault,
  checkedHash,
  checkedInteger,
  cidOfHash,
  decodeRefusal,
  encodeRefusal,
  hashOfCid,
  openEnvelope,
  parseMessage,
  peerNameOf,
  publicKeyBytes,
  publicKeyOf,
  required,
  sealEnvelope,
  type Signed,
  type Signer,
} from '../wire/index.ts'
import {
  claimMsMax,
  pagesMax,
  placementBytesMax,
  placementClockSkewMsMax,
  placementTermMsMax,
  placementType,
  placesPerPageMax,
  writersMax,
  type Dossier,
  type Placement,
  type PlacementMessage,
} from './messages.ts'
import { DossierSchema, ExchangeSchema, KeptSchema, PlacementSchema, type Dossier as WireDossier } from './wire_pb.ts'

export function encodePlacement(placement: Placement): Uint8Array {
  const { object, sequence, issuedMs, expiresMs, withdrawn, page, pages, places } = placement
  return toBinary(
    PlacementSchema,
    create(PlacementSchema, {
      object: hashOfCid(object),
      sequence: BigInt(sequence),
      issuedMs: BigInt(issuedMs),
      expiresMs: BigInt(expiresMs),
      withdrawn,
      page,
      pages,
      places: places.map(({ shard, keeper, keepUntilMs }) => ({
        shard,
        keeper: publicKeyOf(keeper),
        keepUntilMs: BigInt(keepUntilMs),
      })),
    }),
  )
}

export function decodePlacement(bytes: Uint8Array): Placement {
  const { object, sequence, issuedMs, expiresMs, withdrawn, page, pages, places } = parseMessage(PlacementSchema, bytes)
  if (pages < 1 || pages > pagesMax || page >= pages)
    throw new Fault('FIELD_INVALID', 'there is no such page', { page, pages, pagesMax })
  if (places.length > placesPerPageMax || (withdrawn && places.length > 0))
    throw new Fault('FIELD_INVALID', 'too many places', { places: places.length, placesPerPageMax })
  return {
    object: cidOfHash(checkedHash(object, 'object')),
    sequence: checkedInteger(sequence, 'sequence'),
    issuedMs: checkedInteger(issuedMs, 'issued_ms'),
    expiresMs: checkedInteger(expiresMs, 'expires_ms'),
    withdrawn,
    page,
    pages,
    places: places.map(({ shard, keeper, keepUntilMs }) => {
      if (shard >= shardsMax) throw new Fault('FIELD_INVALID', 'there is no such shard', { shard, shardsMax })
      if (keeper.byteLength !== publicKeyBytes)
        throw new Fault('FIELD_INVALID', 'keeper is not an Ed25519 key', { bytes: keeper.byteLength })
      return { shard, keeper: peerNameOf(keeper), keepUntilMs: checkedInteger(keepUntilMs, 'keep_until_ms') }
    }),
  }
}

export function sealPlacement(signer: Signer, network: string, placement: Placement): Uint8Array {
  return sealEnvelope(signer, network, placementType, encodePlacement(placement))
}

/** Opens a record that must be lawful now. The size is checked before the signature, the dates after it. Throws a Fault otherwise. */
export function openPlacement(
  signer: Pick<Signer, 'verify'>,
  network: string,
  envelope: Uint8Array,
  nowMs: number,
): Signed<Placement> {
  if (envelope.byteLength > placementBytesMax) {
    throw new Fault('FRAME_TOO_LARGE', 'the record is over its cap', { bytes: envelope.byteLength, placementBytesMax })
  }
  const signed = openEnvelope(signer, network, placementType, envelope)
  const placement = decodePlacement(signed.body)
  const { issuedMs, expiresMs } = placement
  if (issuedMs > nowMs + placementClockSkewMsMax)
    throw new Fault('FIELD_INVALID', 'the record is from the future', { aheadMs: issuedMs - nowMs })
  if (expiresMs <= nowMs) throw new Fault('FIELD_INVALID', 'the record has expired', { agoMs: nowMs - expiresMs })
  if (expiresMs <= issuedMs || expiresMs - issuedMs > placementTermMsMax)
    throw new Fault('FIELD_INVALID', 'the term of the record is not lawful', { termMs: expiresMs - issuedMs })
  return { by: signed.by, envelope, body: placement }
}

export function encodePlacementMessage(message: PlacementMessage): Uint8Array {
  return toBinary(ExchangeSchema, create(ExchangeSchema, { body: bodyOf(message) }))
}

function bodyOf(message: PlacementMessage) {
  switch (message.say) {
    case 'ask':
      return { case: 'ask' as const, value: { object: hashOfCid(message.object) } }
    case 'dossier':
      return { case: 'dossier' as const, value: wireDossier(message) }
    case 'tell':
      return { case: 'tell' as const, value: { dossier: wireDossier(message), advertise: message.advertise } }
    case 'kept':
      return { case: 'kept' as const, value: create(KeptSchema) }
    case 'claim':
      return { case: 'claim' as const, value: { object: hashOfCid(message.object), forMs: BigInt(message.forMs) } }
    case 'claimed':
      return { case: 'claimed' as const, value: { forMs: BigInt(message.forMs) } }
    case 'refused':
      return { case: 'refused' as const, value: encodeRefusal(message.refusal) }
    default:
      return message satisfies never
  }
}

/** Throws a Fault. Manifest and records are only measured: whoever uses them opens them. */
export function decodePlacementMessage(frame: Uint8Array): PlacementMessage {
  const { body } = parseMessage(ExchangeSchema, frame)
  switch (body.case) {
    case 'ask':
      return { say: 'ask', object: cidOfHash(checkedHash(body.value.object, 'object')) }
    case 'dossier':
      return { say: 'dossier', ...dossierOf(body.value) }
    case 'tell':
      return { say: 'tell', ...dossierOf(required(body.value.dossier, 'dossier')), advertise: body.value.advertise }
    case 'kept':
      return { say: 'kept' }
    case 'claim':
      return {
        say: 'claim',
        object: cidOfHash(checkedHash(body.value.object, 'object')),
        forMs: checkedInteger(body.value.forMs, 'for_ms', claimMsMax),
      }
    case 'claimed':
      return { say: 'claimed', forMs: checkedInteger(body.value.forMs, 'for_ms', claimMsMax) }
    case 'refused':
      return { say: 'refused', refusal: decodeRefusal(body.value) }
    default:
      throw new Fault('FIELD_INVALID', 'a placement message says nothing that this version knows')
  }
}

function wireDossier({ manifest, records, cached = [] }: Dossier) {
  return create(DossierSchema, { manifest, records: [...records], cached: [...cached] })
}

function dossierOf({ manifest, records, cached }: WireDossier): Dossier {
  if (manifest.byteLength > objectManifestBytesMax)
    throw new Fault('FRAME_TOO_LARGE', 'the manifest is over its cap', { bytes: manifest.byteLength })
  if (records.length > writersMax * pagesMax)
    throw new Fault('FIELD_INVALID', 'too many records', { records: records.length })
  const over = records.find(({ byteLength }) => byteLength > placementBytesMax)
  if (over !== undefined)
    throw new Fault('FRAME_TOO_LARGE', 'a record is over its cap', { bytes: over.byteLength, placementBytesMax })
  if (new Set(cached).size !== cached.length || cached.some((shard) => shard >= shardsMax))
    throw new Fault('FIELD_INVALID', 'cached shards that there cannot be', { cached: cached.length, shardsMax })
  return { manifest, records, ...(cached.length === 0 ? {} : { cached }) }
}
