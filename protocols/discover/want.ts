/** What fits a wish, and under which names of the DHT it may be found. Pure. */
import { lacksOf } from '../bid/index.ts'
import {
  keeperAdvert,
  memoryAdverts,
  gpuAdvert,
  gpuMemoryAdverts,
  regionAdvert,
  runtimeAdvert,
  type Capability,
} from '../capability/index.ts'
import type { Want } from './messages.ts'

/** Whether a record has what is wanted. One that was taken back has nothing. */
export function fitsWant(want: Want, capability: Capability, nowMs: number): boolean {
  if (capability.withdrawn) return false
  switch (want.kind) {
    case 'work':
      return lacksOf(want.ask, capability, nowMs).length === 0
    case 'keep':
      return (capability.storage?.keepBytes.value ?? 0) >= Math.max(1, want.keepBytes)
    default:
      return true
  }
}

/** The adverts under which all that fits is found: the most selective kind that the wish allows. Every name of the list is one of its rungs. */
export function advertsFor(network: string, want: Want): string[] {
  if (want.kind === 'keep') return [keeperAdvert(network)]
  if (want.kind !== 'work') return []
  const { runtime, gpus, memoryBytes, regions } = want.ask.requirements
  if (gpus !== null) {
    const named = gpuAdvert(network, gpus.model)
    if (named !== undefined) return [named]
    const rungs = gpuMemoryAdverts(network, gpus.memoryBytes)
    if (rungs.length > 0) return rungs
  }
  const large = memoryAdverts(network, memoryBytes)
  if (large.length > 0) return large
  if (regions.length > 0) return regions.map((region) => regionAdvert(network, region))
  return [runtimeAdvert(network, runtime)]
}
