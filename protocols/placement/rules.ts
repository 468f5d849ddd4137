/** How records are judged by whoever stores or reads them: `validate` and `select` of the DHT namespace. Pure. */
import { compare, concat, equals } from 'uint8arrays'

import {
  Fault,
  hashBytes,
  hashOfCid,
  openEnvelope,
  peerNameOf,
  publicKeyBytes,
  publicKeyOf,
  type PeerName,
  type RecordRules,
  type Signed,
  type Signer,
} from '../wire/index.ts'
import { decodePlacement, openPlacement } from './codec.ts'
import {
  placementBytesMax,
  placementNamespace,
  placementType,
  writersMax,
  type Place,
  type Placement,
} from './messages.ts'

/** Digest of the manifest, public key of the writer, page. */
export function placementKey(object: string, writer: PeerName, page: number): Uint8Array {
  return concat([hashOfCid(object), publicKeyOf(writer), Uint8Array.of(page)])
}

/** Name under which writers and keepers of an object let themselves be found. */
export function objectAdvert(network: string, object: string): string {
  return `/pleach/${network}/object/${object}`
}

export function placementRules(signer: Pick<Signer, 'verify'>, network: string): RecordRules {
  return {
    namespace: placementNamespace,
    valueBytesMax: placementBytesMax,
    validate(key, value, nowMs) {
      const { by, body } = openPlacement(signer, network, value, nowMs)
      if (!equals(placementKey(body.object, by, body.page), key)) {
        throw new Fault('SIGNER_UNEXPECTED', 'the record is of another object, writer or page than its key', { by })
      }
      return { sequence: body.sequence, by }
    },
    ownerOf: (key) =>
      key.byteLength === hashBytes + publicKeyBytes + 1
        ? peerNameOf(key.slice(hashBytes, hashBytes + publicKeyBytes))
        : undefined,
    select(_key, values) {
      const sequences = values.map((value) => sequenceOf(signer, network, value))
      let best = 0
      for (const [index, value] of values.entries()) {
        const ahead = sequences[index]! - sequences[best]!
        if (ahead > 0 || (ahead === 0 && compare(value, values[best]!) > 0)) best = index
      }
      return best
    },
  }
}

/** A record that cannot be opened loses to any that can. Dates do not matter here: `validate` judged them. */
function sequenceOf(signer: Pick<Signer, 'verify'>, network: string, value: Uint8Array): number {
  try {
    return decodePlacement(openEnvelope(signer, network, placementType, value).body).sequence
  } catch {
    return -1
  }
}

/** The newest version of each writer, with all of its pages that are there. */
export interface Version {
  readonly writer: PeerName
  readonly sequence: number
  readonly issuedMs: number
  readonly withdrawn: boolean
  readonly places: readonly Place[]
  readonly envelopes: readonly Uint8Array[]
}

/**
 * What envelopes from anywhere say of an object: of each writer its newest version, the newest first, of `writersMax` writers.
 * What does not open, or is of another object, is left out.
 */
export function newestVersions(
  signer: Pick<Signer, 'verify'>,
  network: string,
  object: string,
  envelopes: Iterable<Uint8Array>,
  nowMs: number,
  rankOf: (writer: PeerName) => number = () => 0,
): Version[] {
  const byWriter = new Map<PeerName, Map<number, Signed<Placement>>>()
  for (const envelope of envelopes) {
    const record = lawful(signer, network, object, envelope, nowMs)
    if (record === undefined) continue
    const { by, body } = record
    const pages = byWriter.get(by) ?? new Map<number, Signed<Placement>>()
    const newest = pages.values().next().value?.body.sequence ?? -1
    if (body.sequence < newest) continue
    if (body.sequence > newest) pages.clear()
    const other = pages.get(body.page)
    if (other === undefined || compare(envelope, other.envelope) > 0) pages.set(body.page, record)
    byWriter.set(by, pages)
  }
  const versions = [...byWriter].map(([writer, pages]): Version => {
    const records = [...pages.values()].toSorted((left, right) => left.body.page - right.body.page)
    const { sequence, issuedMs, withdrawn } = records[0]!.body
    const places = records.flatMap(({ body }) => body.places)
    return { writer, sequence, issuedMs, withdrawn, places, envelopes: records.map(({ envelope }) => envelope) }
  })
  return versions
    .toSorted((left, right) => rankOf(left.writer) - rankOf(right.writer) || right.issuedMs - left.issuedMs)
    .slice(0, writersMax)
}

function lawful(
  signer: Pick<Signer, 'verify'>,
  network: string,
  object: string,
  envelope: Uint8Array,
  nowMs: number,
): Signed<Placement> | undefined {
  try {
    const record = openPlacement(signer, network, envelope, nowMs)
    return record.body.object === object ? record : undefined
  } catch (error) {
    if (error instanceof Fault) return undefined
    throw error
  }
}
