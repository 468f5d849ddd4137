/** What a job asks of its provider: for the bid, and for our own choice. */
import type { Requirements } from '../../protocols/bid/index.ts'
import type { JobManifest } from '../../protocols/execute/index.ts'
import type { OfferWish } from '../control/api.ts'
import { noWish, type Wishes } from '../market/wishes.ts'
import { amountOf } from './amount.ts'

type Fetched = Pick<JobManifest, 'module' | 'inputs' | 'stdin'>

/** All that is fetched for a job; nothing of one that is only thought of. */
export function inBytesOf({ module = null, inputs = [], stdin = null }: Partial<Fetched>): number {
  return [module, ...inputs, stdin].reduce((sum, one) => sum + (one?.bytes ?? 0), 0)
}

export function requirementsOf(
  spec: OfferWish,
  { engine, resources, ...fetched }: Pick<JobManifest, 'engine' | 'resources'> & Partial<Fetched>,
): Requirements {
  const { gpus, gpuMemoryBytes, gpuVendor, gpuModel } = spec
  const wantsGpu = [gpus, gpuMemoryBytes, gpuVendor, gpuModel].some((wish) => wish !== undefined)
  return {
    runtime: engine,
    cpuMilli: resources.cpuMilli,
    memoryBytes: resources.memoryBytes,
    diskBytes: resources.diskBytes,
    wallMsMax: resources.wallMs,
    arch: spec.arch ?? '',
    features: spec.features ?? [],
    gpus: wantsGpu
      ? { count: gpus ?? 1, memoryBytes: gpuMemoryBytes ?? 0, vendor: gpuVendor ?? '', model: gpuModel ?? '' }
      : null,
    regions: spec.regions ?? [],
    isolation: spec.isolation ?? '',
    tee: spec.tee ?? '',
    evidence: spec.evidence ?? 'claimed',
    egress: spec.egress ?? false,
    gasMax: resources.gas ?? 0,
    inBytes: inBytesOf(fetched),
    bondMicroMin: amountOf(spec.bondMin ?? '0', '--min-bond'),
  }
}

export function wishesOf(spec: OfferWish): Wishes {
  return {
    rttMsMax: spec.rttMs ?? null,
    standingMin: spec.standingMin ?? noWish.standingMin,
    allow: spec.allow ?? [],
    deny: spec.deny ?? [],
    spread: spec.spread ?? 'none',
  }
}
