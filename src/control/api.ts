/**
 * What the command line, the dashboard and any other program of this machine's owner may ask of a running peer. JSON over
 * HTTP on a unix socket; types only, so that both sides can import it and neither the other.
 *
 * Amounts are decimal text in the unit of account; times are milliseconds since the epoch; `v` is 1 and changes are additive.
 */

import type { EstimateView, ForwardEvent, JobSpec, JobStreamEvent, JobView } from './job-views.ts'
import type { MoneyControl } from './money-views.ts'
import type { FoundOffersView, JobExplanationView, OfferView, OfferWish } from './offer-views.ts'
import type { StandingView } from './standing-views.ts'
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
import type { ReceiptFilter, ReceiptView, StorageReceiptView } from './receipt-views.ts'

export type * from './job-views.ts'
export type * from './money-views.ts'
export type * from './object-views.ts'
export type * from './offer-views.ts'
export type * from './receipt-views.ts'
export type * from './standing-views.ts'

export interface PeerView {
  readonly peer: string
  readonly petname: string
}

/** Why nothing is worked for others at the moment. */
export interface RestingView {
  readonly because: 'PAUSED' | 'IN_DOUBT' | 'OWNER_ACTIVE' | 'TOO_HOT' | 'DISK_LOW'
  /** Of a pause; null: until it is ended. */
  readonly leftMs: number | null
  /** What runs is held, and handed back after so long; null: nothing is held. */
  readonly handsBackInMs: number | null
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
  readonly relay: {
    /** The relays by which this peer is reached. */
    readonly through: readonly (PeerView & { readonly rttMs: number | null })[]
    /** Null: it is no relay itself. Bytes since it started. */
    readonly carries: { readonly peers: number; readonly connections: number; readonly bytes: number } | null
  }
  readonly meshDegree: number
  readonly recordsKnown: number
  readonly offering: OfferView | null
  readonly resting: RestingView | null
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

export interface BackupView {
  readonly v: 1
  readonly path: string
  readonly peer: string
  readonly bytes: number
  readonly receipts: number
  readonly madeMs: number
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
 * POST /offers {find?, wish: OfferWish} → FoundOffersView                  GET /jobs/:id/explanation → JobExplanationView
 * POST /jobs JobSpec → JobView         GET /jobs → { v, jobs: JobView[] }  GET /jobs/:id → JobView
 * GET  /peers/:id → StandingView
 * POST /estimate JobSpec → EstimateView
 * GET  /jobs/:id/events?logs=1&follow=1 → NDJSON of JobStreamEvent         POST /jobs/:id/cancel → JobView
 * POST /jobs/:id/rerun {out?} → JobView, of the new job
 * GET  /jobs/:id/forward?port=80&local=8080 → NDJSON of ForwardEvent: for as long as it is read
 * POST /put {path, code?, name?, convergent?, transfer?} → PutView         POST /get {object, path, unpack?, transfer?} → GetView
 * GET  /objects → { v, objects: ObjectView[] }                             GET /transfers/:id → TransferView
 * POST /objects/remove {object} → RemovedView                              POST /objects/audit {object} → AuditView
 * POST /objects/repair {object, transfer?} → RepairView                    POST /objects/export {object} → KeyView
 * POST /objects/import {read, name?} → ObjectView                          POST /objects/pin {object} → ObjectView
 * POST /export {object, path, transfer?} → CarView                         POST /import {path, read?, name?, transfer?} → PutView
 * GET  /receipts?job=&peer=&lease=&since= → { v, receipts: ReceiptView[] }   GET /receipts/:id → the receipt file (JSON), of work or of storage
 * GET  /storage-receipts → { v, receipts: StorageReceiptView[] }
 * GET  /receipts/:id/credential → the same in its verifiable form, signed by this peer
 * GET  /statements, POST /settle, GET /income: money-views.ts
 * POST /pause {forMs?, now?} → StatusView                                 POST /resume → StatusView
 * POST /backup {path, config?} → BackupView
 * POST /join {address} → PeersView     POST /stop → { v }                  GET /healthz, /readyz
 *
 * `:id` may be any unique prefix; of receipts: of a lease's, a job's, a receipt's or an account's of storage, or the end of a job's. `since` is a time.
 */
export interface PeerControl {
  status(): Promise<StatusView>
  peers(): Promise<PeersView>
  /** What is thought of a peer: by petname, id, or a part of one. It is asked for its references, if it can be. */
  peer(wanted: string, signal: AbortSignal): Promise<StandingView>
  /** `refresh` asks the network; otherwise what is known now. */
  offers(refresh: boolean, signal: AbortSignal): Promise<readonly OfferView[]>
  /** Those that would fit such a job, and why the others do not. `refresh` as above. */
  findOffers(wish: OfferWish, refresh: boolean, signal: AbortSignal): Promise<FoundOffersView>
  /** Why each provider that is known did not take a job of ours: by its record, or by what it says when it is asked. */
  explainJob(idPrefix: string, signal: AbortSignal): Promise<JobExplanationView>
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
   * The same work again, as another job: program, arguments, inputs and limits of one that is over. `out`: folder for its outputs; left
   * out: the peer keeps them.
   */
  rerun(idPrefix: string, options: { readonly out?: string }, signal: AbortSignal): Promise<JobView>
  /** Listens on a local port (0: any that is free) for a port of a service of ours, until the signal fires or the job is over. */
  forward(
    idPrefix: string,
    options: { readonly port: number; readonly local: number },
    signal: AbortSignal,
  ): AsyncIterable<ForwardEvent>
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
  /** Newest first. */
  receipts(filter?: ReceiptFilter): Promise<readonly ReceiptView[]>
  /** Of this month, and of the one before while it is answered for. */
  storageReceipts(): Promise<readonly StorageReceiptView[]>
  /** The file that `receipt verify` reads: of a lease, or of an account of storage. */
  receiptFile(idPrefix: string): Promise<unknown>
  /** The same as a W3C verifiable credential. */
  receiptCredential(idPrefix: string): Promise<unknown>
  /** Key, ledger and settings in one file, which must not be there yet. `config`: what config.yaml says. */
  backup(input: { readonly path: string; readonly config?: string }, signal: AbortSignal): Promise<BackupView>
  /** What is owed, settled, earned and spent. */
  readonly money: MoneyControl
  join(address: string, signal: AbortSignal): Promise<PeersView>
  /** Takes no work for others, for so long or until `resume`. `now`: what runs is handed back at once, not held. */
  pause(input: { readonly forMs?: number; readonly now?: boolean }): Promise<StatusView>
  resume(): Promise<StatusView>
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
