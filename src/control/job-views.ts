/** Jobs, as they are asked for and as they are told of: what is asked, what happens, and why nobody was found. */
import type { PeerView } from './api.ts'
import type { OfferWish } from './offer-views.ts'

/** What to run. Paths are the caller's, absolute: the peer reads and writes them itself. */
export interface JobSpec {
  readonly name?: string
  /** Path of the WASI module; left out when there is an image. */
  readonly module?: string
  /** In the place of a module: path of an image as an OCI archive, or `NAME@sha256:…` in a registry. */
  readonly image?: string
  /** What the provider's engine must call it, `sha256:…`. */
  readonly imageDigest?: string
  /** In the place of the image's own. */
  readonly entrypoint?: readonly string[]
  /** A service runs until it is cancelled or its time is over, and is connected to. Left out: a service when there are ports. */
  readonly type?: 'job' | 'service'
  /** What may be connected to. */
  readonly ports?: readonly number[]
  /** `tcp:PORT` or `http:PORT/PATH`: what must answer every 5 s, or the service is ended after the third time that it does not. */
  readonly health?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Files or folders; seen by the program as /in/<base name>, or as the path given. */
  readonly inputs?: readonly { readonly path: string; readonly guestPath?: string }[]
  /** Path of a file that becomes standard input. */
  readonly stdin?: string
  /** Folder into which /out is written; outputs are kept by the peer when absent. */
  readonly out?: string
  readonly cpuMilli?: number
  readonly memoryBytes?: number
  readonly diskBytes?: number
  readonly wallMs?: number
  readonly logBytes?: number
  readonly outputBytes?: number
  /** The most instructions, as the engine counts them. */
  readonly gasMax?: number
  /** The same wherever it runs: time and chance come from the job's name. */
  readonly deterministic?: boolean
  /**
   * `strangers`, as when left out: small deterministic work of a peer that is new to us is done by one that we know as well, and compared.
   * `never`: it is done once.
   */
  readonly check?: 'strangers' | 'never'
  /** For example "4+2" or "ship". */
  readonly code?: string
  /** Most for one processor for one hour, and for the whole job, as decimal text. */
  readonly priceMax?: string
  readonly costMax?: string
  /** How long to wait for a provider, in milliseconds. */
  readonly waitMs?: number
  readonly retries?: number
  /** What the provider must have; left out: anything. `regions` are alternatives; GPUs are all of one kind, and a model is part of a name. */
  readonly arch?: string
  readonly features?: readonly string[]
  readonly gpus?: number
  readonly gpuMemoryBytes?: number
  readonly gpuVendor?: string
  readonly gpuModel?: string
  readonly regions?: readonly string[]
  /** What runs programs: `wasi-preview1`, or `oci` for images. Of a job it follows from what is run. */
  readonly runtime?: 'wasi-preview1' | 'oci'
  readonly isolation?: string
  readonly tee?: string
  /** The least evidence for all of that. */
  readonly evidence?: 'claimed' | 'measured' | 'challenged'
  /** The program is to be let out to the network. */
  readonly egress?: boolean
  /** The least bond that the provider must put behind the lease, as decimal text. */
  readonly bondMin?: string
  /** The longest way there and back, as measured by this peer. */
  readonly rttMs?: number
  /** What this peer must think of it, from 0 to 1. */
  readonly standingMin?: number
  /** Nobody else, and nobody of these. */
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  /** Nodes of one job each on another subnet, or each by another operator. */
  readonly spread?: 'none' | 'subnet' | 'operator'
  /** Providers that are needed at the same time, all or none, each running the job; their outputs are in OUT, OUT.slot-1 and so on. */
  readonly nodes?: number
}

export type JobStage =
  | 'preparing'
  | 'bidding'
  | 'awarding'
  | 'staging'
  | 'running'
  | 'collecting'
  | 'paid'
  | 'refused'
  | 'expired'

export interface JobView {
  readonly v: 1
  readonly id: string
  readonly name: string
  /** Whether this peer asked for the work or does it. */
  readonly role: 'requester' | 'provider'
  readonly stage: JobStage
  /** Reason code of the ending; empty before. */
  readonly code: string
  readonly provider: PeerView | null
  readonly requester: PeerView | null
  readonly lease: string | null
  readonly reason: string | null
  readonly exitCode: number | null
  readonly detail: string
  readonly cost: string
  readonly unit: string
  readonly createdMs: number
  readonly updatedMs: number
  /** Folder with the outputs, once they are here. */
  readonly out: string | null
  readonly outputFiles: number
  readonly outputBytes: number
  readonly attempts: number
  /** Instructions that the program executed, once it has ended. */
  readonly gas?: number
  /** CID of what came of it, once it has ended: the same wherever a deterministic job runs. */
  readonly outcome?: string
  /** Those that were new to us and had a place of it: whether a peer that we know, or this one, made the same of it. */
  readonly checked?: readonly CheckView[]
  /** What was asked of providers; not of work for others, and not of jobs of before this was kept. */
  readonly asked?: OfferWish
  /** Of a service of ours with a health check, while it runs. */
  readonly health?: HealthView | null
}

/** Work of `peer`, of whom we know little, and of `by`, whom we know; null: nobody whom we know offered. */
export interface CheckView {
  readonly slot: number
  readonly peer: PeerView
  readonly by: PeerView | null
  /** Null: not known yet, or it was not to be compared. When false, what `by` made was taken. */
  readonly same: boolean | null
}

/** `starting`: it was not well yet. With `failuresMax` failures in a row it is ended. */
export interface HealthView {
  readonly state: 'starting' | 'healthy' | 'failing'
  readonly failures: number
  readonly failuresMax: number
}

/**
 * One line of `GET /v1/jobs/:id/events` (NDJSON). The first event of a stream is `job`; `end` is the last. Log bytes are
 * base64 so that nothing is lost; every byte of the log comes exactly once and in order per channel.
 */
export type JobStreamEvent =
  | { readonly type: 'job'; readonly job: JobView }
  | {
      readonly type: 'bid'
      readonly atMs: number
      readonly bid: string
      readonly cpuMilli: number
      readonly memoryBytes: number
      readonly wallMs: number
    }
  | {
      readonly type: 'offer'
      readonly atMs: number
      readonly peer: PeerView
      readonly price: string
      readonly estimate: string
    }
  | {
      readonly type: 'matched'
      readonly atMs: number
      readonly peer: PeerView
      readonly price: string
      readonly offers: number
    }
  | {
      readonly type: 'staged'
      readonly atMs: number
      readonly bytes: number
      readonly shards: number
      readonly keepers: readonly PeerView[]
      readonly code: string
    }
  | { readonly type: 'running'; readonly atMs: number; readonly peer: PeerView }
  | {
      readonly type: 'progress'
      readonly atMs: number
      readonly stage: string
      readonly wallMs: number
      readonly cpuMs: number
      readonly memoryBytes: number
      readonly gas: number
      /** Of a service with a health check. */
      readonly health?: HealthView
    }
  | { readonly type: 'log'; readonly channel: 'stdout' | 'stderr'; readonly base64: string }
  | {
      readonly type: 'result'
      readonly atMs: number
      readonly reason: string
      readonly exitCode: number | null
      readonly detail: string
      readonly gas: number
    }
  | {
      readonly type: 'collected'
      readonly atMs: number
      readonly files: number
      readonly bytes: number
      readonly out: string | null
      readonly sources: readonly { readonly peer: PeerView; readonly bytes: number }[]
      readonly decodedSegments: number
    }
  | {
      readonly type: 'receipt'
      readonly atMs: number
      readonly sequence: number
      readonly final: boolean
      readonly amount: string
    }
  | {
      readonly type: 'replacing'
      readonly atMs: number
      readonly peer: PeerView
      readonly code: string
      readonly facts: Readonly<Record<string, string | number | boolean>>
    }
  /** Somebody whom we know does the same work as one who is new to us. */
  | ({ readonly type: 'checking'; readonly atMs: number } & CheckView)
  /** That is over. */
  | ({ readonly type: 'checked'; readonly atMs: number } & CheckView)
  | {
      readonly type: 'end'
      readonly atMs: number
      readonly job: JobView
      readonly explanation: MatchExplanation | null
    }

/** What a job would come to if it were asked for now. */
export interface EstimateView {
  readonly v: 1
  readonly known: number
  readonly reachable: number
  /** Those that would fit by their records, without those that said no when they were asked. */
  readonly pass: number
  /** Of the best of them, how many were asked, how many answered in time, and how many of these would begin now. */
  readonly asked: number
  readonly answered: number
  readonly ready: number
  /** From the bid until the program runs: as it was with jobs of this peer, or a guess before any; null when all said no. */
  readonly startInMs: number | null
  /**
   * The whole job at the lowest and the highest of their prices, if it ran to its limit; of those that did not answer, by their records;
   * null when all said no.
   */
  readonly costFrom: string | null
  readonly costTo: string | null
  readonly pricesPerCpuHour: readonly string[]
  readonly unit: string
  readonly explanation: MatchExplanation
}

/**
 * Why nobody was found: every known provider is counted once, under the first requirement it fails, as silent, by what it said when it
 * was asked, or as unexplained.
 */
export interface MatchExplanation {
  readonly known: number
  readonly reachable: number
  readonly excluded: readonly {
    readonly requirement: string
    readonly count: number
    readonly onlyThis: number
    /** With this flag the nearest of `onlyThis` would pass. */
    readonly relax: string | null
  }[]
  /** It would fit, and cannot be reached. */
  readonly silent: number
  readonly declined: readonly { readonly reason: string; readonly count: number }[]
  /** It would fit, and said nothing. */
  readonly unexplained: number
  readonly nearest: (PeerView & { readonly reasons: readonly string[] }) | null
  readonly answered: number
}

/** What happens at a local port that is forwarded. `port` is the local one. */
export type ForwardEvent =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'connected' | 'closed'; readonly port: number; readonly open: number }
  | { readonly type: 'refused'; readonly port: number; readonly code: string; readonly why: string }
  | { readonly type: 'end'; readonly job: JobView }
