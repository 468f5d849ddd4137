/**
 * How records are judged by whoever stores or reads them: `validate` and `select` of the DHT namespace. Pure, so that every
 * peer comes to the same verdict about the same bytes.
 */
import { compare, equals } from 'uint8arrays'

import {
  Fault,
  openEnvelope,
  peerNameOf,
  publicKeyBytes,
  publicKeyOf,
  type RecordRules,
  type Signer,
} from '../wire/index.ts'
import { decodeCapability, openCapability } from './codec.ts'
import { capabilityBytesMax, capabilityNamespace, capabilityType, type Capability } from './messages.ts'

export function capabilityRules(signer: Pick<Signer, 'verify'>, network: string): RecordRules {
  return {
    namespace: capabilityNamespace,
    valueBytesMax: capabilityBytesMax,
    validate(key, value, nowMs) {
      const record = openCapability(signer, network, value, nowMs)
      if (!equals(publicKeyOf(record.by), key)) {
        throw new Fault('SIGNER_UNEXPECTED', 'the record is not by the peer whose key it is stored under', {
          by: record.by,
        })
      }
      return { sequence: record.body.sequence, by: record.by }
    },
    ownerOf: (key) => (key.byteLength === publicKeyBytes ? peerNameOf(key) : undefined),
    select: (_key, values) =>
      selectCapability(values.map((value) => ({ value, sequence: sequenceOf(signer, network, value) }))),
  }
}

/** Highest sequence first; among equals the greater bytes, so that every reader picks the same one. */
export function selectCapability(candidates: readonly { value: Uint8Array; sequence: number }[]): number {
  let best = 0
  for (const [index, candidate] of candidates.entries()) {
    const champion = candidates[best]!
    const ahead = candidate.sequence - champion.sequence
    if (ahead > 0 || (ahead === 0 && compare(candidate.value, champion.value) > 0)) best = index
  }
  return best
}

/** A record that cannot be opened loses to any that can. Dates do not matter here: `validate` judged them. */
function sequenceOf(signer: Pick<Signer, 'verify'>, network: string, value: Uint8Array): number {
  try {
    return decodeCapability(openEnvelope(signer, network, capabilityType, value).body).sequence
  } catch {
    return -1
  }
}

/** Names that one peer places: each costs some fifty messages. */
export const advertsMax = 6
/** Memory, and that of one GPU, from which it has an advert of its own: below, most have as much. In GiB, each a rung. */
const memoryRungsGib = [64, 256, 1_024]
const gpuMemoryRungsGib = [8, 16, 24, 40, 80]
const gib = 2 ** 30

/**
 * Names under which a peer with this record lets itself be found, the most useful first: what it runs, that it keeps, and what few
 * have. Of rungs the highest that it reaches; whoever looks, looks at that and those above.
 */
export function advertsOf(
  network: string,
  { withdrawn, runtimes, storage, gpus, compute, network: at }: Capability,
): string[] {
  if (withdrawn) return []
  const names = runtimes.slice(0, advertsMax / 2).map((runtime) => runtimeAdvert(network, runtime.name))
  if (storage !== null && storage.keepBytes.value > 0) names.push(keeperAdvert(network))
  if (runtimes.length === 0) return names
  const [gpu] = gpus.toSorted((left, right) => right.memoryBytes.value - left.memoryBytes.value)
  const rare = [
    ...(gpu === undefined ? [] : [gpuAdvert(network, gpu.model), gpuMemoryAdvert(network, gpu.memoryBytes.value)]),
    rungAdvert(network, 'memory', memoryRungsGib, compute?.memoryBytes.value ?? 0),
    at === null || at.region === '' ? undefined : regionAdvert(network, at.region),
  ]
  return [...names, ...rare.filter((name) => name !== undefined)].slice(0, advertsMax)
}

export function runtimeAdvert(network: string, runtime: string): string {
  return `/pleach/${network}/can/run/${runtime}`
}

export function keeperAdvert(network: string): string {
  return `/pleach/${network}/can/keep`
}

export function regionAdvert(network: string, region: string): string {
  return `/pleach/${network}/can/in/${region}`
}

/**
 * By what tells one model from another and is in every spelling of its name, the first word with a digit: `4090` of "NVIDIA GeForce RTX
 * 4090" and of "rtx 4090". Undefined when there is none.
 */
export function gpuAdvert(network: string, model: string): string | undefined {
  const word = model
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .find((each) => /[0-9]/.test(each))
  return word === undefined ? undefined : `/pleach/${network}/can/gpu/${word}`
}

/** Under which those are found that have at least so much in one GPU; none: it is too little to be looked for by. */
export function gpuMemoryAdverts(network: string, bytes: number): string[] {
  return rungsFor(network, 'gpu-memory', gpuMemoryRungsGib, bytes)
}

/** Under which those are found that lend at least so much memory. */
export function memoryAdverts(network: string, bytes: number): string[] {
  return rungsFor(network, 'memory', memoryRungsGib, bytes)
}

function gpuMemoryAdvert(network: string, bytes: number): string | undefined {
  return rungAdvert(network, 'gpu-memory', gpuMemoryRungsGib, bytes)
}

/** Of the highest rung that is reached. */
function rungAdvert(network: string, of: string, rungsGib: readonly number[], bytes: number): string | undefined {
  const rung = rungsGib.findLast((each) => bytes >= each * gib)
  return rung === undefined ? undefined : `/pleach/${network}/can/${of}/${rung}`
}

/** The highest rung that everybody with so much has reached, and all above. */
function rungsFor(network: string, of: string, rungsGib: readonly number[], bytes: number): string[] {
  const first = rungsGib.findLastIndex((each) => bytes >= each * gib)
  return first === -1 ? [] : rungsGib.slice(first).map((rung) => `/pleach/${network}/can/${of}/${rung}`)
}
