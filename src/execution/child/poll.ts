/** poll_oneoff: how programs sleep and wait. The shim takes one subscription only, spins, and never says how many came. */
import { wasi } from '@bjorn3/browser_wasi_shim'

import { eventBytes, readSubscription, subscriptionBytes, writeEvent, type Subscription } from './structs.ts'

/** As many as a program could have open, and some clocks. */
const subscriptionsMax = 2_048
const nsPerMs = 1_000_000n
const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** ns of a clock of WASI, or undefined when there is no such clock. */
export function clockNs(clock: number): bigint | undefined {
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
}

/** Files and streams are always ready, so a wait that asks for any of them is over at once; otherwise the first clock ends it. */
export function pollOneoff(view: DataView, input: number, output: number, count: number, countOut: number): number {
  if (count === 0 || count > subscriptionsMax) return wasi.ERRNO_INVAL
  const ready: [Subscription, errno: number][] = []
  const clocks: [Subscription, dueNs: bigint][] = []
  for (let index = 0; index < count; index++) {
    const subscription = readSubscription(view, input + index * subscriptionBytes)
    if (subscription === undefined) return wasi.ERRNO_INVAL
    if (subscription.kind !== 'clock') ready.push([subscription, wasi.ERRNO_SUCCESS])
    else {
      const nowNs = clockNs(subscription.clock)
      if (nowNs === undefined) ready.push([subscription, wasi.ERRNO_INVAL])
      else clocks.push([subscription, subscription.timeoutNs - (subscription.absolute ? nowNs : 0n)])
    }
  }
  const beganNs = process.hrtime.bigint()
  if (ready.length === 0) sleep(clocks.reduce((least, [, dueNs]) => (dueNs < least ? dueNs : least), clocks[0]![1]))
  const passedNs = process.hrtime.bigint() - beganNs
  for (const [subscription, dueNs] of clocks) if (dueNs <= passedNs) ready.push([subscription, wasi.ERRNO_SUCCESS])
  ready.forEach(([subscription, errno], index) => writeEvent(view, output + index * eventBytes, subscription, errno))
  view.setUint32(countOut, ready.length, true)
  return wasi.ERRNO_SUCCESS
}

/** Blocks this thread without spending CPU. The wall limit of the task ends a sleep that is too long. */
function sleep(durationNs: bigint): void {
  const endNs = process.hrtime.bigint() + durationNs
  for (let leftNs = durationNs; leftNs > 0n; leftNs = endNs - process.hrtime.bigint()) {
    Atomics.wait(sleeper, 0, 0, Number(leftNs) / Number(nsPerMs))
  }
}
