/** What stands in for storage and execution where they are not modelled: a job that is described, an order, and how it ended. */
import * as dagCbor from '@ipld/dag-cbor'

import { noWishes } from '../../protocols/bid/index.ts'
import { plainCompute, plainPrice, unsaid, type Quantity } from '../../protocols/capability/index.ts'
import type { Exit, Grant, JobManifest, StartOrder } from '../../protocols/execute/index.ts'
import { cidOfDocument } from '../../protocols/wire/index.ts'
import type { Facts } from '../../src/discovery/publisher.ts'
import type { Carry } from '../../src/market/carry.ts'
import { openHouse, type Lending } from '../../src/market/offer-policy.ts'
import type { JobTerms } from '../../src/market/terms.ts'
import { noWish } from '../../src/market/wishes.ts'

const unit = 'credit'
const resources = { cpuMilli: 1_000, memoryBytes: 65_536, diskBytes: 0 }
const price = { unit, cpuHourMicroMax: 5_000_000, ceilingMicro: 1_000_000 }
const wallMs = 60_000
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const nothing = { bytes: 0, sha256: emptyHash }

const emptyModule: Grant = {
  guestPath: '',
  kind: 'module',
  manifest: new Uint8Array(),
  key: new Uint8Array(),
  sources: [],
  inline: Uint8Array.of(0),
}

export const emptyOrder: StartOrder = {
  module: emptyModule,
  inputs: [],
  outputKey: new Uint8Array(32),
  outputKeepers: [],
}

/** A job of one processor for at most a minute. Another nonce makes another job. */
export interface TermsOptions {
  readonly class?: string
  readonly slots?: number
  readonly cpuHourMicroMax?: number
  readonly fitting?: number
  /** Of the deterministic profile: what strangers make of it may be compared. */
  readonly checksStrangers?: boolean
}

export function plainTerms(nonce: string, nowMs: number, options: TermsOptions = {}): JobTerms {
  const { class: bidClass = 'compute', slots = 1, cpuHourMicroMax = price.cpuHourMicroMax, fitting = 0 } = options
  const { checksStrangers = false } = options
  // Not through its schema, which is for what people write: this is lawful (test/sim/model.test.ts), and made for every job.
  const bytes = dagCbor.encode({
    apiVersion: 'pleach/v1',
    kind: 'job',
    name: 'plain',
    engine: 'wasi-preview1',
    module: { bytes: 1, sha256: '0'.repeat(64), object: null },
    container: null,
    args: [],
    env: {},
    inputs: [],
    stdin: null,
    resources: { ...resources, wallMs, logBytes: 1_000, outputBytes: 0, gas: null },
    deterministic: checksStrangers,
    code: { k: 4, m: 2 },
    price: { ...price, cpuHourMicroMax },
    nonce,
  } satisfies JobManifest)
  return {
    job: cidOfDocument(bytes),
    manifest: bytes,
    ...price,
    cpuHourMicroMax,
    class: bidClass,
    slots,
    requirements: { ...noWishes, runtime: 'wasi-preview1', ...resources, wallMsMax: wallMs, inBytes: 1 },
    wishes: noWish,
    checksStrangers,
    paymentIntervalMs: 2_000,
    paymentIntervalMsMax: 8_000,
    reclaimMs: 15_000,
    collectWithinMs: 15_000,
    retriesMax: 2,
    fitting,
    bidFromMs: nowMs,
    bidUntilMs: nowMs + 15_000,
  }
}

/** Behind each lease. */
const bondMicro = 40_000

export function plainLending(cpuHourMicro: number): Lending {
  const measured = (value: number): Quantity => ({ value, evidence: 'measured' })
  return {
    facts: {
      ...unsaid,
      compute: {
        ...plainCompute,
        arch: 'x86_64',
        cpuMilli: measured(2_000),
        memoryBytes: measured(2 ** 30),
        diskBytes: measured(2 ** 30),
        wallMsMax: 3_600_000,
      },
      runtimes: [{ name: 'wasi-preview1', version: '1', isolation: 'model' }],
      price: { ...plainPrice, unit, cpuHourMicro },
    },
    rules: { ...openHouse, bond: { leastMicro: bondMicro, grows: false } },
  }
}

/** Prices: the cheapest, and the steps by which others are dearer. */
export const cpuHourMicroMin = 500_000
export const cpuHourMicroStep = 100_000
export const priceSteps = 7

/** So many of each ten peers lend, spread evenly; prices differ, so that there is something to choose from. */
export function lendingOf(number: number, share: number): Lending | null {
  const isLending = Math.floor((number + 1) * share) > Math.floor(number * share)
  return isLending ? plainLending(cpuHourMicroMin + cpuHourMicroStep * (number % priceSteps)) : null
}

export function classOf(index: number): string {
  return index === 0 ? 'compute' : `compute-${index}`
}

/** What a message weighs on the line, about: their real sizes are of this order. */
export function bytesOf({ message }: Carry): number {
  switch (message.say) {
    case 'award':
      return 1_500
    case 'start':
      return 2_500
    case 'result':
      return 1_500
    case 'receipt':
      return 700
    case 'offer':
      return 500
    default:
      return 300
  }
}

/** The end of a program that said nothing and wrote nothing. */
export function plainExit(ranMs: number, isCancelled: boolean): Exit {
  return {
    reason: isCancelled ? 'cancelled' : 'exited',
    exitCode: isCancelled ? null : 0,
    detail: '',
    stdout: nothing,
    stderr: nothing,
    usage: { wallMs: ranMs, cpuMs: ranMs, memoryBytesPeak: 0, gas: 0, inBytes: 0, outBytes: 0 },
    outputBytes: 0,
    outputFiles: 0,
    outputsSha256: null,
    image: null,
  }
}

/** What a peer that lends this says of itself. */
export function factsOf({ facts }: Lending): Facts {
  return { ...facts, operator: '', free: null, software: 'pleach/model', storage: null }
}
