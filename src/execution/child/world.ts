/**
 * Time and chance as the program finds them: the machine's own, or, in the deterministic profile, made from the job's name alone.
 *
 * There the clock goes by gas, one nanosecond for each: a program that waits for the clock by asking again and again comes to
 * its end, one that measures itself measures what it is billed, and the count is the same everywhere. A sleep only moves
 * the clock. Chance is a stream of AES-256 in counter mode.
 */
import type * as Crypto from 'node:crypto'

import { wasi } from '@bjorn3/browser_wasi_shim'

/** Loaded when it is asked for: it costs 5 ms of each start. */
const crypto = (): typeof Crypto => process.getBuiltinModule('node:crypto')

const nsPerMs = 1_000_000n
const nsPerSecond = 1_000_000_000n
const sleeper = new Int32Array(new SharedArrayBuffer(4))

export interface World {
  /** Of a clock of WASI, or undefined when there is no such clock. */
  clockNs(clock: number): bigint | undefined
  /** Returns when so much time has passed. */
  sleep(ns: bigint): void
  fillRandom(bytes: Uint8Array<ArrayBuffer>): void
}

/** The wall limit of the task ends a sleep that is too long. */
export const machineWorld: World = {
  clockNs(clock) {
    switch (clock) {
      case wasi.CLOCKID_REALTIME:
        return BigInt(Date.now()) * nsPerMs
      case wasi.CLOCKID_MONOTONIC:
        return process.hrtime.bigint()
      case wasi.CLOCKID_PROCESS_CPUTIME_ID:
      case wasi.CLOCKID_THREAD_CPUTIME_ID: {
        const { user, system } = process.cpuUsage()
        return BigInt(user + system) * 1_000n
      }
      default:
        return undefined
    }
  },
  /** Blocks this thread without spending CPU. */
  sleep(ns) {
    const endNs = process.hrtime.bigint() + ns
    for (let leftNs = ns; leftNs > 0n; leftNs = endNs - process.hrtime.bigint()) {
      Atomics.wait(sleeper, 0, 0, Number(leftNs) / Number(nsPerMs))
    }
  },
  fillRandom(bytes) {
    crypto().randomFillSync(bytes)
  },
}

/** 2026-01-01 in seconds. The clock of a job begins within a year of it. */
const epochSeconds = 1_767_225_600n
const yearSeconds = 31_536_000n
/** Sleeps add up; beyond this the clock stands. 64 bits of nanoseconds reach to the year 2554. */
const sleptNsMax = 2n ** 62n

/** `seed`: the job's name. `gasUsed`: so far, the call that asks included. */
export function seededWorld(seed: string, gasUsed: () => number): World {
  const hash = (what: string): Buffer =>
    crypto().createHash('sha256').update(`pleach/deterministic/1\0${what}\0${seed}`).digest()
  const stream = crypto().createCipheriv('aes-256-ctr', hash('random'), new Uint8Array(16))
  const beganNs = (epochSeconds + (hash('clock').readBigUInt64BE() % yearSeconds)) * nsPerSecond
  let sleptNs = 0n
  const ranNs = (): bigint => BigInt(gasUsed())
  return {
    clockNs(clock) {
      switch (clock) {
        case wasi.CLOCKID_REALTIME:
          return beganNs + ranNs() + sleptNs
        case wasi.CLOCKID_MONOTONIC:
          return ranNs() + sleptNs
        case wasi.CLOCKID_PROCESS_CPUTIME_ID:
        case wasi.CLOCKID_THREAD_CPUTIME_ID:
          return ranNs()
        default:
          return undefined
      }
    },
    sleep(ns) {
      if (ns > 0n && sleptNs + ns < sleptNsMax) sleptNs += ns
    },
    fillRandom(bytes) {
      bytes.set(stream.update(new Uint8Array(bytes.byteLength)))
    },
  }
}
