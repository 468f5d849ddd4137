/** What the owner lends, as it is published and as bids are judged by it. */
import process from 'node:process'

import {
  gpusMax,
  plainCompute,
  unsaid,
  type Gpu,
  type KnownCapability,
  type NetworkFacts,
  type Quantity,
} from '../../protocols/capability/index.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { plainPolicy, type ClaimedGpu, type OfferOptions } from '../config/options.ts'
import type { Machine } from '../discovery/detect.ts'
import type { Hardware } from '../discovery/hardware.ts'
import type { Facts } from '../discovery/publisher.ts'
import { containerEngine } from '../execution/container/container-executor.ts'
import type { ExecutorProbe } from '../execution/executor.ts'
import { formatMicro, tariffOf, type PeerName } from '../../protocols/wire/index.ts'
import type { Lending } from '../market/offer-policy.ts'
import type { ReadyFacts } from './peer.ts'

/** Longest term for which shards of others are taken. */
export const keepTermMsMax = 30 * 24 * 60 * 60_000

/** A runtime is listed only when its probe passed; a number above what was measured is no more than a claim. */
export function factsOf(
  offer: OfferOptions,
  unit: string,
  machine: Machine,
  hardware: Hardware,
  probes: readonly ExecutorProbe[],
  nowMs: number,
): Facts {
  const policy = offer.policy ?? plainPolicy
  const runtimes = probes
    .filter(({ usable }) => usable)
    .map(({ engine, version = process.versions.node, isolation }) => ({ name: engine, version, isolation }))
  const quantity = (value: number, have: number): Quantity =>
    value <= have ? { value, evidence: 'measured', atMs: nowMs } : { value, evidence: 'claimed' }
  return {
    ...unsaid,
    software: `pleach/${packageJson.version}`,
    operator: policy.operator,
    compute:
      runtimes.length > 0
        ? {
            ...plainCompute,
            arch: machine.arch,
            model: hardware.cpuModel,
            features: hardware.features,
            cpuMilli: quantity(offer.cpuMilli, machine.cores * 1_000),
            memoryBytes: quantity(offer.memoryBytes, machine.memoryBytes),
            diskBytes: quantity(machine.diskFreeBytes, machine.diskFreeBytes),
            wallMsMax: offer.wallMsMax,
            egress: (offer.containers?.mayEgress ?? false) && runtimes.some(({ name }) => name === containerEngine),
          }
        : null,
    storage:
      offer.keepBytes === 0
        ? null
        : { keepBytes: quantity(offer.keepBytes, machine.diskFreeBytes), termMsMax: keepTermMsMax },
    runtimes,
    price: {
      unit,
      ...tariffOf({ ...policy, cpuHourMicro: offer.cpuHourMicro }),
      gbMonthMicro: policy.gbMonthMicro,
      measuredPercent: policy.measuredPercent,
      challengedPercent: policy.challengedPercent,
    },
    gpus: [...hardware.gpus, ...policy.gpus.map(claimedGpu)].slice(0, gpusMax),
    network: policy.region === '' ? null : { ...unmeasured, region: policy.region },
    tee: policy.tee && hardware.tee !== '' ? { kind: hardware.tee, evidence: 'claimed' } : null,
    hours: policy.hours,
  }
}

/** Our own record as its owner is shown it, whether it is published or not. */
export function shownRecord(peer: PeerName, facts: Facts, nowMs: number): KnownCapability {
  const capability = { ...facts, sequence: 0, issuedMs: 0, expiresMs: nowMs, withdrawn: false }
  return { peer, envelope: new Uint8Array(), capability }
}

export function lendingOf(facts: Facts, { policy = plainPolicy }: OfferOptions): Lending {
  const { allow, deny, oversubscription, bondMicro, bondGrows } = policy
  const bond = { leastMicro: bondMicro, grows: bondGrows }
  return { facts, rules: { allow, deny, oversubscription, bond } }
}

/** What a peer that is ready says it lends, and of what. */
export function standsFor(
  offer: OfferOptions | null,
  { cores, memoryBytes, diskFreeBytes }: Machine,
  probes: readonly ExecutorProbe[],
): Pick<ReadyFacts, 'offering' | 'isolation' | 'measured'> {
  return {
    offering:
      offer === null
        ? null
        : {
            cpuMilli: offer.cpuMilli,
            memoryBytes: offer.memoryBytes,
            keepBytes: offer.keepBytes,
            price: formatMicro(offer.cpuHourMicro),
            gasPrice: formatMicro(offer.policy?.gigaGasMicro ?? 0),
            unit: offer.unit,
          },
    isolation: isolationOf(probes),
    measured: { cores, memoryBytes, diskFreeBytes },
  }
}

/** How programs are kept apart from this machine, engine by engine, and why containers are not run where they might be. */
function isolationOf(probes: readonly ExecutorProbe[]): string {
  return probes
    .map(({ engine, isolation, version, usable, detail }) => {
      if (engine !== containerEngine) {
        if (!usable) return `none: ${detail}`
        return detail === '' ? isolation : detail
      }
      return usable
        ? `containers: ${version}`
        : `no containers: ${detail}  (apt install podman lets you take container jobs)`
    })
    .join('; ')
}

const notSaid: Quantity = { value: 0, evidence: 'claimed' }
const unmeasured = {
  upBytesPerSecond: notSaid,
  downBytesPerSecond: notSaid,
  reachability: 'unknown',
  trips: [],
} as const satisfies Partial<NetworkFacts>

/** What its owner says of it, and nothing of this machine does. */
function claimedGpu({ model, memoryBytes, count }: ClaimedGpu): Gpu {
  return { vendor: '', model, memoryBytes: { value: memoryBytes, evidence: 'claimed' }, count, driver: '' }
}
