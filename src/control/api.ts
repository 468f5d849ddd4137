/**
 * What the command line, the dashboard and any other program of this machine's owner may ask of a running peer. JSON over
 * HTTP on a unix socket; types only, so that both sides can import it and neither the other.
 *
 * Amounts are decimal text in the unit of account; times are milliseconds since the epoch; `v` is 1 and changes are additive.
 */

import type {
  AuditView,
  CarView,
  GetView,
  KeyView,
  ObjectView,
  PutView,
  RemovedView,
  RepairView,
  TransferView,
} from './object-views.ts'

export type * from './object-views.ts'

/** What to run. Paths are the caller's, absolute: the peer reads and writes them itself. */
export interface JobSpec {
  readonly name?: string
  /** Path of the WASI module. */
  readonly module: string
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
  readonly isolation?: string
  readonly tee?: string
  /** The least evidence for all of that. */
  readonly evidence?: 'claimed' | 'measured' | 'challenged'
  /** The program is to be let out to the network. */
  readonly egress?: boolean
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
}

export interface PeerView {
  readonly peer: string
  readonly petname: string
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
    }
  | { readonly type: 'log'; readonly channel: 'stdout' | 'stderr'; readonly base64: string }
  | {
      readonly type: 'result'
      readonly atMs: number
      readonly reason: string
      readonly exitCode: number | null
      readonly detail: string
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
  /** Of the best of them, how many were asked, and how many would begin now. */
  readonly asked: number
  readonly ready: number
  /** The whole job at the lowest and the highest of their prices, if it ran to its limit; null when none is ready. */
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

export interface StatusView {
  readonly v: 1
  readonly peer: string
  readonly petname: string
  readonly network: string
  readonly profile: string
  readonly pid: number
  readonly upMs: number
  readonly addresses: readonly string[]
  readonly connections: number
  readonly meshDegree: number
  readonly recordsKnown: number
  readonly offering: OfferView | null
  readonly market: {
    readonly bidsSeen: number
    readonly answered: number
    readonly won: number
    /** By reason: what was not answered, and what was offered and not taken. */
    readonly notAnswered: Readonly<Record<string, number>>
    readonly lost: Readonly<Record<string, number>>
    /** By how much those who won were cheaper, in the middle of the last day. */
    readonly dearerPercent: number | null
    /** At this price for one processor for one hour so many of them would have been won. */
    readonly hint: { readonly price: string; readonly wouldHaveWon: number } | null
  }
  readonly jobs: { readonly done: number; readonly failed: number; readonly running: number }
  readonly receipts: {
    readonly bothSigned: number
    readonly earned: string
    readonly spent: string
    readonly unit: string
  }
  readonly keeping: { readonly shards: number; readonly bytes: number; readonly quotaBytes: number }
  /** What was read, and is given to others who read the same. */
  readonly cached: { readonly shards: number; readonly bytes: number; readonly quotaBytes: number }
  readonly warnings: readonly string[]
}

export interface OfferView {
  readonly v: 1
  readonly peer: string
  readonly petname: string
  readonly self: boolean
  readonly arch: string
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly keepBytes: number
  readonly runtimes: readonly string[]
  readonly isolation: string
  readonly pricePerCpuHour: string
  readonly unit: string
  readonly evidence: string
  readonly expiresMs: number
}

export interface PeersView {
  readonly v: 1
  readonly peers: readonly (PeerView & {
    readonly address: string
    readonly direction: 'inbound' | 'outbound'
    /** What encrypts the connection: `tls`, `noise`, or `none` in a simulator. */
    readonly encrypter: string
    readonly openMs: number
    readonly standing: string
  })[]
}

export interface ReceiptView {
  readonly v: 1
  readonly lease: string
  readonly job: string
  readonly role: 'requester' | 'provider'
  readonly other: PeerView
  readonly receipts: number
  readonly bothSigned: number
  readonly final: boolean
  readonly amount: string
  readonly unit: string
  readonly updatedMs: number
}

export interface ErrorView {
  readonly v: 1
  readonly error: {
    /** For example `NO_MATCH`, `NOT_FOUND`, `BAD_SPEC`, `NOT_ENOUGH_SHARDS`. */
    readonly code: string
    readonly what: string
    readonly why: string
    readonly cure: string
    readonly exit: number
  }
}

/**
 * The routes (all under /v1; JSON unless said otherwise):
 *
 * GET  /status → StatusView            GET /peers → PeersView             GET /offers?find=1 → { v, offers: OfferView[] }
 * POST /jobs JobSpec → JobView         GET /jobs → { v, jobs: JobView[] }  GET /jobs/:id → JobView
 * GET  /jobs/:id/events?logs=1&follow=1 → NDJSON of JobStreamEvent         POST /jobs/:id/cancel → JobView
 * POST /put {path, code?, name?, convergent?, transfer?} → PutView         POST /get {object, path, unpack?, transfer?} → GetView
 * GET  /objects → { v, objects: ObjectView[] }                             GET /transfers/:id → TransferView
 * POST /objects/remove {object} → RemovedView                              POST /objects/audit {object} → AuditView
 * POST /objects/repair {object, transfer?} → RepairView                    POST /objects/export {object} → KeyView
 * POST /objects/import {read, name?} → ObjectView                          POST /objects/pin {object} → ObjectView
 * POST /export {object, path, transfer?} → CarView                         POST /import {path, read?, name?, transfer?} → PutView
 * GET  /receipts → { v, receipts: ReceiptView[] }                          GET /receipts/:lease → the receipt file (JSON)
 * POST /join {address} → PeersView     POST /stop → { v }                  GET /healthz, /readyz
 *
 * `:id` and `:lease` may be any unique prefix.
 */
export interface PeerControl {
  status(): Promise<StatusView>
  peers(): Promise<PeersView>
  /** `refresh` asks the network; otherwise what is known now. */
  offers(refresh: boolean, signal: AbortSignal): Promise<readonly OfferView[]>
  submit(spec: JobSpec, signal: AbortSignal): Promise<JobView>
  /** Of a job that is only thought of: binds nobody, seals nothing. */
  estimate(spec: JobSpec, signal: AbortSignal): Promise<EstimateView>
  jobs(): Promise<readonly JobView[]>
  job(idPrefix: string): Promise<JobView>
  jobEvents(
    idPrefix: string,
    options: { readonly logs: boolean; readonly follow: boolean },
    signal: AbortSignal,
  ): AsyncIterable<JobStreamEvent>
  cancel(idPrefix: string): Promise<JobView>
  /**
   * A folder is put as a tar. `convergent`: the same bytes, put again by this peer, are the same object. `transfer` is a name under
   * which `transfer` can be asked meanwhile. What broke off goes on when the same bytes are put again.
   */
  put(
    input: {
      readonly path: string
      readonly code?: string
      readonly name?: string
      readonly convergent?: boolean
      readonly transfer?: string
    },
    signal: AbortSignal,
  ): Promise<PutView>
  /** `object`: an id of `objects`, or a read string. `unpack` makes a folder of a tar; left out, of what was put as a folder. */
  get(
    input: {
      readonly object: string
      readonly path: string
      readonly unpack?: boolean
      readonly transfer?: string
    },
    signal: AbortSignal,
  ): Promise<GetView>
  objects(): Promise<readonly ObjectView[]>
  /** Forgets the key. Keepers that can be told let the shards go at once, the others when their terms are over. */
  removeObject(object: string, signal: AbortSignal): Promise<RemovedView>
  /** Of an object of ours, or of a read or verify string. */
  audit(object: string, signal: AbortSignal): Promise<AuditView>
  repair(input: { readonly object: string; readonly transfer?: string }, signal: AbortSignal): Promise<RepairView>
  exportKey(object: string): Promise<KeyView>
  importKey(input: { readonly read: string; readonly name?: string }, signal: AbortSignal): Promise<ObjectView>
  /** Looks after an object of ours, or of a read string, from now on. */
  pin(object: string, signal: AbortSignal): Promise<ObjectView>
  /** Writes an object to a file as a CAR, encrypted as it is. A verify string is enough. */
  exportCar(
    input: { readonly object: string; readonly path: string; readonly transfer?: string },
    signal: AbortSignal,
  ): Promise<CarView>
  /** Takes such a file up, and places the object with keepers. `read`: its string, where its key is not known. */
  importCar(
    input: { readonly path: string; readonly read?: string; readonly name?: string; readonly transfer?: string },
    signal: AbortSignal,
  ): Promise<PutView>
  transfer(name: string): Promise<TransferView>
  receipts(): Promise<readonly ReceiptView[]>
  /** The file that `receipt verify` reads. */
  receiptFile(leasePrefix: string): Promise<unknown>
  join(address: string, signal: AbortSignal): Promise<PeersView>
}

/** An error with what, why and one cure, as a person sees it. Thrown by PeerControl, carried as ErrorView. */
export class ControlError extends Error {
  override readonly name = 'ControlError'
  readonly code: string
  readonly why: string
  readonly cure: string
  readonly exit: number

  constructor(fields: { code: string; what: string; why: string; cure: string; exit: number }) {
    super(fields.what)
    this.code = fields.code
    this.why = fields.why
    this.cure = fields.cure
    this.exit = fields.exit
  }
}
