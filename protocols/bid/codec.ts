/** Bids from and to bytes. All validation of a single bid is here; what depends on other bids is in filter.ts. */
import { create, toBinary } from '@bufbuild/protobuf'

import { evidences, type Evidence } from '../capability/index.ts'
import {
  Fault,
  checkedCid,
  checkedInteger,
  checkedText,
  openEnvelope,
  parseMessage,
  required,
  sealEnvelope,
  type Signed,
  type Signer,
} from '../wire/index.ts'
import {
  bidBytesMax,
  bidClassCharsMax,
  bidSpreadMsMax,
  bidTermMsMax,
  bidType,
  bidWordsMax,
  type Bid,
  type GpuWish,
  type Requirements,
} from './messages.ts'
import { BidSchema, type Gpus as WireGpus, type Requirements as WireRequirements } from './wire_pb.ts'

const textCharsMax = 64
/** A feature of a processor, a region, a kind of enclave. */
const wordCharsMax = 24
const gpuCountMax = 1_024

export function encodeBid(bid: Bid): Uint8Array {
  return toBinary(
    BidSchema,
    create(BidSchema, {
      job: bid.job,
      class: bid.class,
      issuedMs: BigInt(bid.issuedMs),
      expiresMs: BigInt(bid.expiresMs),
      requirements: encodeRequirements(bid.requirements),
      unit: bid.unit,
      ceilingMicro: BigInt(bid.ceilingMicro),
      cpuHourMicroMax: BigInt(bid.cpuHourMicroMax),
      spreadMs: bid.spreadMs,
      enough: bid.enough,
    }),
  )
}

export function decodeBid(bytes: Uint8Array): Bid {
  const wire = parseMessage(BidSchema, bytes)
  const bid: Bid = {
    job: checkedCid(wire.job, 'job'),
    class: checkedText(wire.class, 'class', bidClassCharsMax),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
    expiresMs: checkedInteger(wire.expiresMs, 'expires_ms'),
    requirements: decodeRequirements(wire.requirements),
    unit: checkedText(wire.unit, 'unit', textCharsMax),
    ceilingMicro: checkedInteger(wire.ceilingMicro, 'ceiling_micro'),
    cpuHourMicroMax: checkedInteger(wire.cpuHourMicroMax, 'cpu_hour_micro_max'),
    spreadMs: checkedInteger(wire.spreadMs, 'spread_ms', bidSpreadMsMax),
    enough: wire.enough,
  }
  if (bid.expiresMs <= bid.issuedMs || bid.expiresMs - bid.issuedMs > bidTermMsMax) {
    throw new Fault('FIELD_INVALID', 'the term of the bid is not lawful', {
      termMs: bid.expiresMs - bid.issuedMs,
      bidTermMsMax,
    })
  }
  return bid
}

/** For whoever else says what work needs. */
export function encodeRequirements({ evidence, features, regions, gpus, ...requirements }: Requirements) {
  return {
    runtime: requirements.runtime,
    cpuMilli: BigInt(requirements.cpuMilli),
    memoryBytes: BigInt(requirements.memoryBytes),
    diskBytes: BigInt(requirements.diskBytes),
    wallMsMax: BigInt(requirements.wallMsMax),
    arch: requirements.arch,
    features: [...features],
    regions: [...regions],
    isolation: requirements.isolation,
    tee: requirements.tee,
    evidence: evidences.indexOf(evidence),
    egress: requirements.egress,
    gasMax: BigInt(requirements.gasMax),
    inBytes: BigInt(requirements.inBytes),
    bondMicroMin: BigInt(requirements.bondMicroMin),
    ...(gpus === null ? {} : { gpus: { ...gpus, memoryBytes: BigInt(gpus.memoryBytes) } }),
  }
}

/** Throws a Fault. */
export function decodeRequirements(wire: WireRequirements | undefined): Requirements {
  const requirements = required(wire, 'requirements')
  const cpuMilli = checkedInteger(requirements.cpuMilli, 'cpu_milli')
  if (cpuMilli === 0) throw new Fault('FIELD_INVALID', 'a bid asks for some processor', { field: 'cpu_milli' })
  return {
    runtime: checkedText(requirements.runtime, 'runtime', textCharsMax),
    cpuMilli,
    memoryBytes: checkedInteger(requirements.memoryBytes, 'memory_bytes'),
    diskBytes: checkedInteger(requirements.diskBytes, 'disk_bytes'),
    wallMsMax: checkedInteger(requirements.wallMsMax, 'wall_ms_max'),
    arch: checkedText(requirements.arch, 'arch', textCharsMax),
    features: words(requirements.features, 'features'),
    gpus: requirements.gpus === undefined ? null : decodeGpus(requirements.gpus),
    regions: words(requirements.regions, 'regions'),
    isolation: checkedText(requirements.isolation, 'isolation', textCharsMax),
    tee: checkedText(requirements.tee, 'tee', wordCharsMax),
    evidence: checkedEvidence(requirements.evidence),
    egress: requirements.egress,
    gasMax: checkedInteger(requirements.gasMax, 'gas_max'),
    inBytes: checkedInteger(requirements.inBytes, 'in_bytes'),
    bondMicroMin: checkedInteger(requirements.bondMicroMin, 'bond_micro_min'),
  }
}

function decodeGpus({ count, memoryBytes, vendor, model }: WireGpus): GpuWish {
  if (count === 0) throw new Fault('FIELD_INVALID', 'a bid for GPUs asks for at least one', { field: 'count' })
  return {
    count: checkedInteger(count, 'count', gpuCountMax),
    memoryBytes: checkedInteger(memoryBytes, 'gpu memory_bytes'),
    vendor: checkedText(vendor, 'vendor', wordCharsMax),
    model: checkedText(model, 'model', textCharsMax),
  }
}

function words(list: readonly string[], field: string): string[] {
  if (list.length > bidWordsMax)
    throw new Fault('FIELD_INVALID', `the bid has too many ${field}`, { count: list.length, bidWordsMax })
  return list.map((word) => checkedText(word, field, wordCharsMax))
}

/** What we do not know cannot be shown: whoever asks for it is not served by us. */
function checkedEvidence(number: number): Evidence {
  const evidence = evidences[number]
  if (evidence === undefined) throw new Fault('FIELD_INVALID', 'no such evidence', { field: 'evidence', number })
  return evidence
}

export function sealBid(signer: Signer, network: string, bid: Bid): Uint8Array {
  const envelope = sealEnvelope(signer, network, bidType, encodeBid(bid))
  if (envelope.byteLength > bidBytesMax)
    throw new RangeError(`the bid has ${envelope.byteLength} of ${bidBytesMax} bytes`)
  return envelope
}

/** Opens a bid and checks its signature; dates against the clock are judged by the filter. Throws a Fault. */
export function openBid(signer: Pick<Signer, 'verify'>, network: string, envelope: Uint8Array): Signed<Bid> {
  if (envelope.byteLength > bidBytesMax) {
    throw new Fault('FRAME_TOO_LARGE', 'the bid is over its cap', { bytes: envelope.byteLength, bidBytesMax })
  }
  const signed = openEnvelope(signer, network, bidType, envelope)
  return { by: signed.by, envelope, body: decodeBid(signed.body) }
}
