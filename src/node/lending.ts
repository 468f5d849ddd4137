/** What the owner lends, as it is published and as bids are judged by it. */
import process from 'node:process'

import { plainCompute, plainPrice, unsaid, type Evidence } from '../../protocols/capability/index.ts'
import packageJson from '../../package.json' with { type: 'json' }
import type { OfferOptions } from '../config/options.ts'
import type { Machine } from '../discovery/detect.ts'
import type { Facts } from '../discovery/publisher.ts'
import type { ExecutorProbe } from '../execution/executor.ts'
import { openHouse, type Lending } from '../market/offer-policy.ts'

/** Longest term for which shards of others are taken. */
export const keepTermMsMax = 30 * 24 * 60 * 60_000

/** A runtime is listed only when its probe passed; a number above what was measured is no more than a claim. */
export function factsOf(offer: OfferOptions, unit: string, machine: Machine, probe: ExecutorProbe): Facts {
  const runtimes = probe.usable
    ? [{ name: probe.engine, version: process.versions.node, isolation: probe.isolation }]
    : []
  const quantity = (value: number, have: number): { value: number; evidence: Evidence } => ({
    value,
    evidence: value <= have ? 'measured' : 'claimed',
  })
  return {
    ...unsaid,
    software: `pleach/${packageJson.version}`,
    compute: probe.usable
      ? {
          ...plainCompute,
          arch: machine.arch,
          cpuMilli: quantity(offer.cpuMilli, machine.cores * 1_000),
          memoryBytes: quantity(offer.memoryBytes, machine.memoryBytes),
          diskBytes: quantity(machine.diskFreeBytes, machine.diskFreeBytes),
          wallMsMax: offer.wallMsMax,
        }
      : null,
    storage:
      offer.keepBytes === 0
        ? null
        : { keepBytes: quantity(offer.keepBytes, machine.diskFreeBytes), termMsMax: keepTermMsMax },
    runtimes,
    price: { ...plainPrice, unit, cpuHourMicro: offer.cpuHourMicro },
  }
}

export function lendingOf(facts: Facts): Lending {
  return { facts, rules: openHouse }
}
