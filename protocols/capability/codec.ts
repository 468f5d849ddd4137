/** Capability records from and to bytes. All validation of a record is here. */
import { create, toBinary } from '@bufbuild/protobuf'

import {
  Fault,
  checkedInteger,
  checkedText,
  decodeTariff,
  encodeTariff,
  openEnvelope,
  parseMessage,
  peekEnvelope,
  peerNameOf,
  publicKeyBytes,
  publicKeyOf,
  required,
  sealEnvelope,
  type PeerName,
  type Signed,
  type Signer,
} from '../wire/index.ts'
import {
  capabilityBytesMax,
  capabilityTermMsMax,
  capabilityType,
  challengersMax,
  clockSkewMsMax,
  evidences,
  featuresMax,
  freeParts,
  gpusMax,
  hoursMax,
  reachabilities,
  runtimesMax,
  tripsMax,
  weekMinutes,
  type Attested,
  type Capability,
  type Compute,
  type Gpu,
  type NetworkFacts,
  type Price,
  type Quantity,
} from './messages.ts'
import {
  CapabilitySchema,
  type Compute as WireCompute,
  type Evidence as WireEvidence,
  type Gpu as WireGpu,
  type Network as WireNetwork,
  type Price as WirePrice,
  type Quantity as WireQuantity,
  type Reachability as WireReachability,
} from './wire_pb.ts'

const textCharsMax = 64
/** A word among several: a feature of a processor, a region, a kind of enclave. */
const wordCharsMax = 24
const gpuCountMax = 1_024
const percentMax = 10_000
const tripMsMax = 60_000

export function encodeCapability(capability: Capability): Uint8Array {
  const { compute, storage, price, network, tee, free } = capability
  return toBinary(
    CapabilitySchema,
    create(CapabilitySchema, {
      sequence: BigInt(capability.sequence),
      issuedMs: BigInt(capability.issuedMs),
      expiresMs: BigInt(capability.expiresMs),
      withdrawn: capability.withdrawn,
      software: capability.software,
      operator: capability.operator,
      runtimes: capability.runtimes.map((runtime) => ({ ...runtime })),
      gpus: capability.gpus.map((gpu) => ({ ...gpu, memoryBytes: encodeQuantity(gpu.memoryBytes) })),
      hours: capability.hours.map((hours) => ({ ...hours })),
      ...(compute === null ? {} : { compute: encodeCompute(compute) }),
      ...(storage === null
        ? {}
        : { storage: { keepBytes: encodeQuantity(storage.keepBytes), termMsMax: BigInt(storage.termMsMax) } }),
      ...(price === null ? {} : { price: encodePrice(price) }),
      ...(network === null ? {} : { network: encodeNetwork(network) }),
      ...(tee === null ? {} : { tee: { kind: tee.kind, ...encodeAttested(tee) } }),
      ...(free === null ? {} : { free: { ...free } }),
    }),
  )
}

function encodeCompute({ arch, model, features, egress, ...compute }: Compute) {
  return {
    arch,
    cpuMilli: encodeQuantity(compute.cpuMilli),
    memoryBytes: encodeQuantity(compute.memoryBytes),
    diskBytes: encodeQuantity(compute.diskBytes),
    wallMsMax: BigInt(compute.wallMsMax),
    model,
    features: [...features],
    egress,
  }
}

function encodePrice({ unit, gbMonthMicro, measuredPercent, challengedPercent, ...tariff }: Price) {
  return {
    unit,
    tariff: encodeTariff(tariff),
    gbMonthMicro: BigInt(gbMonthMicro),
    measuredPercent,
    challengedPercent,
  }
}

function encodeNetwork({ upBytesPerSecond, downBytesPerSecond, reachability, region, trips }: NetworkFacts) {
  return {
    upBytesPerSecond: encodeQuantity(upBytesPerSecond),
    downBytesPerSecond: encodeQuantity(downBytesPerSecond),
    reachability: reachabilities.indexOf(reachability) as WireReachability,
    region,
    trips: trips.map(({ peer, ms }) => ({ peer: publicKeyOf(peer), ms })),
  }
}

export function decodeCapability(bytes: Uint8Array): Capability {
  const wire = parseMessage(CapabilitySchema, bytes)
  const { compute, storage, price, network, tee, free } = wire
  return {
    sequence: checkedInteger(wire.sequence, 'sequence'),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
    expiresMs: checkedInteger(wire.expiresMs, 'expires_ms'),
    withdrawn: wire.withdrawn,
    software: checkedText(wire.software, 'software', textCharsMax),
    operator: checkedText(wire.operator, 'operator', textCharsMax),
    compute: compute === undefined ? null : decodeCompute(compute),
    storage:
      storage === undefined
        ? null
        : {
            keepBytes: decodeQuantity(storage.keepBytes, 'keep_bytes'),
            termMsMax: checkedInteger(storage.termMsMax, 'term_ms_max'),
          },
    runtimes: atMost(wire.runtimes, runtimesMax, 'runtimes').map((runtime) => ({
      name: checkedText(runtime.name, 'runtime', textCharsMax),
      version: checkedText(runtime.version, 'runtime version', textCharsMax),
      isolation: checkedText(runtime.isolation, 'isolation', textCharsMax),
    })),
    price: price === undefined ? null : decodePrice(price),
    gpus: atMost(wire.gpus, gpusMax, 'gpus').map(decodeGpu),
    network: network === undefined ? null : decodeNetwork(network),
    tee: tee === undefined ? null : { kind: checkedText(tee.kind, 'tee', wordCharsMax), ...decodeAttested(tee) },
    hours: atMost(wire.hours, hoursMax, 'hours').map((hours) => ({
      fromMinute: checkedInteger(hours.fromMinute, 'from_minute', weekMinutes - 1),
      toMinute: checkedInteger(hours.toMinute, 'to_minute', weekMinutes - 1),
    })),
    free:
      free === undefined
        ? null
        : {
            cpuEighths: checkedInteger(free.cpuEighths, 'cpu_eighths', freeParts),
            memoryEighths: checkedInteger(free.memoryEighths, 'memory_eighths', freeParts),
            keepEighths: checkedInteger(free.keepEighths, 'keep_eighths', freeParts),
          },
  }
}

function decodeCompute(wire: WireCompute): Compute {
  return {
    arch: checkedText(wire.arch, 'arch', textCharsMax),
    cpuMilli: decodeQuantity(wire.cpuMilli, 'cpu_milli'),
    memoryBytes: decodeQuantity(wire.memoryBytes, 'memory_bytes'),
    diskBytes: decodeQuantity(wire.diskBytes, 'disk_bytes'),
    wallMsMax: checkedInteger(wire.wallMsMax, 'wall_ms_max'),
    model: checkedText(wire.model, 'model', textCharsMax),
    features: atMost(wire.features, featuresMax, 'features').map((word) => checkedText(word, 'feature', wordCharsMax)),
    egress: wire.egress,
  }
}

function decodeGpu(wire: WireGpu): Gpu {
  return {
    vendor: checkedText(wire.vendor, 'gpu vendor', textCharsMax),
    model: checkedText(wire.model, 'gpu model', textCharsMax),
    memoryBytes: decodeQuantity(wire.memoryBytes, 'gpu memory_bytes'),
    count: checkedInteger(wire.count, 'gpu count', gpuCountMax),
    driver: checkedText(wire.driver, 'gpu driver', textCharsMax),
  }
}

function decodePrice(wire: WirePrice): Price {
  return {
    unit: checkedText(wire.unit, 'unit', textCharsMax),
    ...decodeTariff(wire.tariff),
    gbMonthMicro: checkedInteger(wire.gbMonthMicro, 'gb_month_micro'),
    measuredPercent: checkedInteger(wire.measuredPercent, 'measured_percent', percentMax),
    challengedPercent: checkedInteger(wire.challengedPercent, 'challenged_percent', percentMax),
  }
}

/** A word of a later version for where a peer can be reached from says nothing to us. */
function decodeNetwork(wire: WireNetwork): NetworkFacts {
  return {
    upBytesPerSecond: decodeQuantity(wire.upBytesPerSecond, 'up_bytes_per_second'),
    downBytesPerSecond: decodeQuantity(wire.downBytesPerSecond, 'down_bytes_per_second'),
    reachability: reachabilities[wire.reachability] ?? 'unknown',
    region: checkedText(wire.region, 'region', wordCharsMax),
    trips: atMost(wire.trips, tripsMax, 'trips').map(({ peer, ms }) => ({
      peer: peerOf(peer, 'peer of a trip'),
      ms: checkedInteger(ms, 'ms of a trip', tripMsMax),
    })),
  }
}

export function sealCapability(signer: Signer, network: string, capability: Capability): Uint8Array {
  return sealEnvelope(signer, network, capabilityType, encodeCapability(capability))
}

/** Opens a record that must be lawful now. The size is checked before the signature, the dates after it. Throws a Fault otherwise. */
export function openCapability(
  signer: Pick<Signer, 'verify'>,
  network: string,
  envelope: Uint8Array,
  nowMs: number,
): Signed<Capability> {
  checkSize(envelope)
  const signed = openEnvelope(signer, network, capabilityType, envelope)
  const capability = decodeCapability(signed.body)
  checkTerm(capability)
  const late = lateness(capability, nowMs)
  if (late !== undefined) throw new Fault('FIELD_INVALID', late, { issuedMs: capability.issuedMs, nowMs })
  return { by: signed.by, envelope, body: capability }
}

/**
 * What a record says and who it says it is by, before anything is spent on its signature: enough to drop it, and not to believe
 * it. Throws a Fault for what no clock makes lawful.
 */
export function peekCapability(network: string, envelope: Uint8Array): Signed<Capability> {
  checkSize(envelope)
  const { by, body } = peekEnvelope(network, capabilityType, envelope)
  const capability = decodeCapability(body)
  checkTerm(capability)
  return { by, envelope, body: capability }
}

/** Why a record is none at this time: of the future, or over. Undefined when it is lawful now. */
export function lateness({ issuedMs, expiresMs }: Capability, nowMs: number): string | undefined {
  if (issuedMs > nowMs + clockSkewMsMax) return 'the record is from the future'
  return expiresMs <= nowMs ? 'the record has expired' : undefined
}

function checkSize(envelope: Uint8Array): void {
  if (envelope.byteLength <= capabilityBytesMax) return
  throw new Fault('FRAME_TOO_LARGE', 'the record is over its cap', { bytes: envelope.byteLength, capabilityBytesMax })
}

function checkTerm({ issuedMs, expiresMs }: Capability): void {
  const termMs = expiresMs - issuedMs
  if (termMs > capabilityTermMsMax || termMs <= 0)
    throw new Fault('FIELD_INVALID', 'the term of the record is not lawful', { termMs, capabilityTermMsMax })
}

function encodeAttested({ evidence, atMs, by }: Attested) {
  return {
    evidence: evidences.indexOf(evidence) as WireEvidence,
    atMs: BigInt(atMs ?? 0),
    by: (by ?? []).map(publicKeyOf),
  }
}

/** An evidence word of a later version counts as a claim. */
function decodeAttested(wire: { evidence: number; atMs: bigint; by: Uint8Array[] }): Attested {
  const atMs = checkedInteger(wire.atMs, 'at_ms')
  const by = atMost(wire.by, challengersMax, 'challengers').map((peer) => peerOf(peer, 'challenger'))
  return {
    evidence: evidences[wire.evidence] ?? 'claimed',
    ...(atMs === 0 ? {} : { atMs }),
    ...(by.length === 0 ? {} : { by }),
  }
}

function encodeQuantity({ value, ...attested }: Quantity) {
  return { value: BigInt(value), ...encodeAttested(attested) }
}

function decodeQuantity(wire: WireQuantity | undefined, field: string): Quantity {
  const quantity = required(wire, field)
  return { value: checkedInteger(quantity.value, field), ...decodeAttested(quantity) }
}

function peerOf(publicKey: Uint8Array, field: string): PeerName {
  if (publicKey.byteLength === publicKeyBytes) return peerNameOf(publicKey)
  throw new Fault('FIELD_INVALID', `${field} is not a public key`, { field, bytes: publicKey.byteLength })
}

function atMost<Item>(items: readonly Item[], most: number, what: string): readonly Item[] {
  if (items.length <= most) return items
  throw new Fault('FIELD_INVALID', `the record lists too many ${what}`, { count: items.length, most })
}
