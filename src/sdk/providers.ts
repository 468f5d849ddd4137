/** The words of the known compute SDKs for finding a provider, and for a container there. */
import { isPeerName } from '../../protocols/wire/index.ts'
import type { Job } from './job.ts'
import type { RunSpec } from './run-spec.ts'
import { ControlError, type FoundOffersView, type OfferView, type OfferWish } from '../control/api.ts'

/** Left out: any. */
export interface ProviderRequirements {
  /** Part of the name of a GPU's model. */
  readonly gpu_type?: string
  /** Of each GPU, in GB. */
  readonly min_vram_gb?: number
  /** So many at least, or none is found. */
  readonly min_nodes?: number
  readonly region?: string
  /** For one processor for one hour, GPU and memory included. */
  readonly max_price_per_hour?: number
}

export interface Provider {
  readonly id: string
  readonly petname: string
  /** For one processor for one hour with all that was asked for. */
  readonly price: number
  readonly unit: string
  /** Claimed; empty: not said. */
  readonly region: string
  readonly standing: number
  readonly offer: OfferView
}

export interface ContainerRequest {
  readonly providerId: string
  /** Path of an OCI archive, or an image in a registry by digest: `NAME@sha256:…`. */
  readonly image: string
  readonly envVars?: Readonly<Record<string, string>>
}

export interface Deployment {
  /** Answers with the job as JSON, on this machine alone, for as long as the peer runs. */
  readonly statusUrl: string
  readonly job: Job
}

const bytesInGb = 1e9
const nodesMax = 1_000

/** Throws a ControlError BAD_SPEC. */
export function wishOfRequirements(requirements: ProviderRequirements): OfferWish {
  const { gpu_type, min_vram_gb, min_nodes = 1, region, max_price_per_hour } = requirements
  for (const name of Object.keys(requirements)) {
    if (!known.includes(name)) throw bad(name, `there are ${known.join(', ')}`)
  }
  checkNumber('min_vram_gb', min_vram_gb)
  checkNumber('max_price_per_hour', max_price_per_hour)
  if (!Number.isInteger(min_nodes) || min_nodes < 1 || min_nodes > nodesMax)
    throw bad('min_nodes', `it is a whole number from 1 to ${nodesMax}`)
  return {
    ...(gpu_type === undefined ? {} : { gpuModel: gpu_type }),
    ...(min_vram_gb === undefined ? {} : { gpuMemoryBytes: Math.round(min_vram_gb * bytesInGb) }),
    ...(region === undefined ? {} : { regions: [region] }),
    // A price has six places at most.
    ...(max_price_per_hour === undefined ? {} : { priceMax: max_price_per_hour.toFixed(6) }),
  }
}

/** Best standing first, then cheapest; none when there are fewer than are needed. */
export function providersIn({ offers }: FoundOffersView, { min_nodes = 1 }: ProviderRequirements): Provider[] {
  if (offers.length < min_nodes) return []
  return offers
    .map((offer) => ({
      id: offer.peer,
      petname: offer.petname,
      price: Number(offer.askedPerCpuHour),
      unit: offer.unit,
      region: offer.region,
      standing: offer.standing,
      offer,
    }))
    .toSorted((left, right) => right.standing - left.standing || left.price - right.price)
}

/** What it asks of `EmbeddedPeer.run`. Throws a ControlError BAD_SPEC. */
export function runSpecOf({ providerId, image, envVars = {} }: ContainerRequest): RunSpec {
  if (!isPeerName(providerId)) throw bad('providerId', 'it is the id of a peer: 12D3KooW…')
  if (typeof image !== 'string' || image === '')
    throw bad('image', 'it is an OCI archive, or an image by digest: NAME@sha256:…')
  if (Object.values(envVars).some((value) => typeof value !== 'string')) throw bad('envVars', 'its values are text')
  return { image, env: envVars, allow: [providerId] }
}

/** Nobody that may be asked runs containers. */
export function noContainers({ image }: ContainerRequest): ControlError {
  return new ControlError({
    code: 'NO_CONTAINER_RUNTIME',
    what: `${image.slice(0, 200)} cannot be deployed there`,
    why: 'that provider is not known to run containers',
    cure: "findProviders, and one whose offer's runtimes have oci; or peer.run({ image }) for any of them",
    exit: 4,
  })
}

const known: readonly string[] = ['gpu_type', 'min_vram_gb', 'min_nodes', 'region', 'max_price_per_hour']

function checkNumber(name: string, value: number | undefined): void {
  if (value !== undefined && !(Number.isFinite(value) && value >= 0)) throw bad(name, 'it is a number, 0 or more')
}

function bad(name: string, why: string): ControlError {
  return new ControlError({
    code: 'BAD_SPEC',
    what: `${name.slice(0, 60)} cannot be used`,
    why,
    cure: "findProviders({ gpu_type: '4090', min_vram_gb: 24, region: 'eu' })",
    exit: 2,
  })
}
