/** Providers, as they are told of: what they lend, which of them fit, and why the others do not. */
import type { PeerView } from './api.ts'
import type { JobSpec, MatchExplanation } from './job-views.ts'

export interface OfferView {
  readonly v: 1
  readonly peer: string
  readonly petname: string
  readonly self: boolean
  readonly arch: string
  readonly features: readonly string[]
  readonly cpuMilli: number
  readonly memoryBytes: number
  /** For jobs. */
  readonly diskBytes: number
  /** For objects of others. */
  readonly keepBytes: number
  readonly gpus: readonly GpuView[]
  readonly runtimes: readonly string[]
  readonly isolation: string
  /** Whether programs are let out to the network. */
  readonly egress: boolean
  /** An enclave, as it is claimed; empty: none. */
  readonly tee: string
  /** Claimed; empty: not said. */
  readonly region: string
  readonly operator: string
  readonly pricePerCpuHour: string
  /** What a processor comes to for one hour with all that was asked for; the same as above when nothing was. */
  readonly askedPerCpuHour: string
  /** 10^9 instructions of the program. */
  readonly pricePerGigaGas: string
  readonly pricePerGibHour: string
  readonly pricePerGpuHour: string
  /** Fetched for the job, and of its outputs. */
  readonly pricePerGibIn: string
  readonly pricePerGibOut: string
  readonly pricePerDiskGibHour: string
  readonly pricePerGbMonth: string
  /** Added for what was measured, or challenged by others, in hundredths. */
  readonly measuredPercent: number
  readonly challengedPercent: number
  readonly unit: string
  readonly evidence: string
  /** Longest run. */
  readonly wallMsMax: number
  /** How long work is taken from now on, in milliseconds: 0 is closed, null is always. */
  readonly openForMs: number | null
  /** The most that may be free, roughly; null when it does not say. */
  readonly freeCpuMilli: number | null
  /** What this peer thinks of it, from 0 to 1. */
  readonly standing: number
  /** The way there and back as it was measured; null when it was not. */
  readonly rttMs: number | null
  readonly expiresMs: number
}

export interface GpuView {
  readonly vendor: string
  readonly model: string
  readonly memoryBytes: number
  readonly count: number
  readonly evidence: string
}

/** What a provider must have: the part of a job that says who could do it. What is left out is as in a job that leaves it out. */
export type OfferWish = Partial<
  Omit<
    JobSpec,
    | 'name'
    | 'module'
    | 'image'
    | 'imageDigest'
    | 'entrypoint'
    | 'type'
    | 'ports'
    | 'health'
    | 'args'
    | 'env'
    | 'inputs'
    | 'stdin'
    | 'out'
    | 'logBytes'
    | 'outputBytes'
    | 'gasMax'
    | 'deterministic'
    | 'check'
    | 'code'
    | 'waitMs'
    | 'retries'
  >
>

/** Those that fit by their records, best first, and what speaks against the others. */
export interface FoundOffersView {
  readonly v: 1
  readonly offers: readonly OfferView[]
  readonly explanation: MatchExplanation
}

/** What came of a provider and a job: it took it; it fits and offered, was not heard from, or was not asked; or why not. */
export type Verdict = 'took' | 'offered' | 'lacks' | 'declined' | 'unheard' | 'silent' | 'unanswered' | 'unasked'

export interface ProviderVerdict extends PeerView {
  readonly verdict: Verdict
  /** Of what it lacks, or what it said: for `pleach explain`. Null when there is none. */
  readonly code: string | null
  /** In words, most important first. */
  readonly reasons: readonly string[]
}

/** Why each provider that is known now did not take a job. */
export interface JobExplanationView {
  readonly v: 1
  readonly job: string
  readonly providers: readonly ProviderVerdict[]
}
