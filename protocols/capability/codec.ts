/** Capability records from and to bytes. All validation of a record is here. */
import { create, toBinary } from '@bufbuild/protobuf'

import {
  Fault,
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
  capabilityBytesMax,
  capabilityTermMsMax,
  capabilityType,
  clockSkewMsMax,
  runtimesMax,
  type Capability,
  type Evidence,
  type Quantity,
} from './messages.ts'
import { CapabilitySchema, Evidence as WireEvidence, type Quantity as WireQuantity } from './wire_pb.ts'

const textCharsMax = 64

export function encodeCapability(capability: Capability): Uint8Array {
  const { compute, storage, price } = capability
  return toBinary(
    CapabilitySchema,
    create(CapabilitySchema, {
      sequence: BigInt(capability.sequence),
      issuedMs: BigInt(capability.issuedMs),
      expiresMs: BigInt(capability.expiresMs),
      withdrawn: capability.withdrawn,
      software: capability.software,
      runtimes: capability.runtimes.map((runtime) => ({ ...runtime })),
      ...(compute === null
        ? {}
        : {
            compute: {
              arch: compute.arch,
              cpuMilli: encodeQuantity(compute.cpuMilli),
              memoryBytes: encodeQuantity(compute.memoryBytes),
              wallMsMax: BigInt(compute.wallMsMax),
            },
          }),
      ...(storage === null
        ? {}
        : { storage: { keepBytes: encodeQuantity(storage.keepBytes), termMsMax: BigInt(storage.termMsMax) } }),
      ...(price === null
        ? {}
        : {
            price: {
              unit: price.unit,
              cpuHourMicro: BigInt(price.cpuHourMicro),
              gbMonthMicro: BigInt(price.gbMonthMicro),
            },
          }),
    }),
  )
}

export function decodeCapability(bytes: Uint8Array): Capability {
  const wire = parseMessage(CapabilitySchema, bytes)
  if (wire.runtimes.length > runtimesMax) {
    throw new Fault('FIELD_INVALID', 'the record lists too many runtimes', {
      runtimes: wire.runtimes.length,
      runtimesMax,
    })
  }
  const { compute, storage, price } = wire
  return {
    sequence: checkedInteger(wire.sequence, 'sequence'),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
    expiresMs: checkedInteger(wire.expiresMs, 'expires_ms'),
    withdrawn: wire.withdrawn,
    software: checkedText(wire.software, 'software', textCharsMax),
    compute:
      compute === undefined
        ? null
        : {
            arch: checkedText(compute.arch, 'arch', textCharsMax),
            cpuMilli: decodeQuantity(compute.cpuMilli, 'cpu_milli'),
            memoryBytes: decodeQuantity(compute.memoryBytes, 'memory_bytes'),
            wallMsMax: checkedInteger(compute.wallMsMax, 'wall_ms_max'),
          },
    storage:
      storage === undefined
        ? null
        : {
            keepBytes: decodeQuantity(storage.keepBytes, 'keep_bytes'),
            termMsMax: checkedInteger(storage.termMsMax, 'term_ms_max'),
          },
    runtimes: wire.runtimes.map((runtime) => ({
      name: checkedText(runtime.name, 'runtime', textCharsMax),
      version: checkedText(runtime.version, 'runtime version', textCharsMax),
      isolation: checkedText(runtime.isolation, 'isolation', textCharsMax),
    })),
    price:
      price === undefined
        ? null
        : {
            unit: checkedText(price.unit, 'unit', textCharsMax),
            cpuHourMicro: checkedInteger(price.cpuHourMicro, 'cpu_hour_micro'),
            gbMonthMicro: checkedInteger(price.gbMonthMicro, 'gb_month_micro'),
          },
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
  if (envelope.byteLength > capabilityBytesMax) {
    throw new Fault('FRAME_TOO_LARGE', 'the record is over its cap', { bytes: envelope.byteLength, capabilityBytesMax })
  }
  const signed = openEnvelope(signer, network, capabilityType, envelope)
  const capability = decodeCapability(signed.body)
  checkDates(capability, nowMs)
  return { by: signed.by, envelope, body: capability }
}

function checkDates({ issuedMs, expiresMs }: Capability, nowMs: number): void {
  if (issuedMs > nowMs + clockSkewMsMax) {
    throw new Fault('FIELD_INVALID', 'the record is from the future', { aheadMs: issuedMs - nowMs, clockSkewMsMax })
  }
  if (expiresMs <= nowMs) throw new Fault('FIELD_INVALID', 'the record has expired', { agoMs: nowMs - expiresMs })
  if (expiresMs - issuedMs > capabilityTermMsMax || expiresMs <= issuedMs) {
    throw new Fault('FIELD_INVALID', 'the term of the record is not lawful', {
      termMs: expiresMs - issuedMs,
      capabilityTermMsMax,
    })
  }
}

const evidenceWords: Record<WireEvidence, Evidence> = {
  [WireEvidence.CLAIMED]: 'claimed',
  [WireEvidence.MEASURED]: 'measured',
  [WireEvidence.CHALLENGED]: 'challenged',
}

const evidenceNumbers: Record<Evidence, WireEvidence> = {
  claimed: WireEvidence.CLAIMED,
  measured: WireEvidence.MEASURED,
  challenged: WireEvidence.CHALLENGED,
}

function encodeQuantity(quantity: Quantity) {
  return { value: BigInt(quantity.value), evidence: evidenceNumbers[quantity.evidence] }
}

/** An evidence word of a later version counts as a claim. */
function decodeQuantity(wire: WireQuantity | undefined, field: string): Quantity {
  const { value, evidence } = required(wire, field)
  return { value: checkedInteger(value, field), evidence: evidenceWords[evidence] ?? 'claimed' }
}
