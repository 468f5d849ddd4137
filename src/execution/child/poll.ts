/** poll_oneoff: how programs sleep and wait. The shim takes one subscription only, spins, and never says how many came. */
import { wasi } from '@bjorn3/browser_wasi_shim'

import type { World } from './world.ts'
import { eventBytes, readSubscription, subscriptionBytes, writeEvent, type Subscription } from './structs.ts'

/** As many as a program could have open, and some clocks. */
const subscriptionsMax = 2_048

/** Files and streams are always ready, so a wait that asks for any of them is over at once; otherwise the first clock ends it. */
export function pollOneoff(
  world: World,
  view: DataView,
  input: number,
  output: number,
  count: number,
  countOut: number,
): number {
  if (count === 0 || count > subscriptionsMax) return wasi.ERRNO_INVAL
  const ready: [Subscription, errno: number][] = []
  const clocks: [Subscription, dueNs: bigint][] = []
  for (let index = 0; index < count; index++) {
    const subscription = readSubscription(view, input + index * subscriptionBytes)
    if (subscription === undefined) return wasi.ERRNO_INVAL
    if (subscription.kind !== 'clock') ready.push([subscription, wasi.ERRNO_SUCCESS])
    else {
      const nowNs = world.clockNs(subscription.clock)
      if (nowNs === undefined) ready.push([subscription, wasi.ERRNO_INVAL])
      else clocks.push([subscription, subscription.timeoutNs - (subscription.absolute ? nowNs : 0n)])
    }
  }
  const monotonic = wasi.CLOCKID_MONOTONIC
  const beganNs = world.clockNs(monotonic)!
  if (ready.length === 0)
    world.sleep(clocks.reduce((least, [, dueNs]) => (dueNs < least ? dueNs : least), clocks[0]![1]))
  const passedNs = world.clockNs(monotonic)! - beganNs
  for (const [subscription, dueNs] of clocks) if (dueNs <= passedNs) ready.push([subscription, wasi.ERRNO_SUCCESS])
  ready.forEach(([subscription, errno], index) => writeEvent(view, output + index * eventBytes, subscription, errno))
  view.setUint32(countOut, ready.length, true)
  return wasi.ERRNO_SUCCESS
}
