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

/** Names under which a peer with this record lets itself be found: few, because each costs some fifty messages. */
export function advertsOf(network: string, capability: Capability): string[] {
  if (capability.withdrawn) return []
  const names = capability.runtimes.map((runtime) => runtimeAdvert(network, runtime.name))
  if (capability.storage !== null && capability.storage.keepBytes.value > 0) names.push(keeperAdvert(network))
  return names
}

export function runtimeAdvert(network: string, runtime: string): string {
  return `/pleach/${network}/can/run/${runtime}`
}

export function keeperAdvert(network: string): string {
  return `/pleach/${network}/can/keep`
}
