/** What a requester is told about its job, in the order in which it happens; `slot` is the place of the job that it is about. */
import type { EndReason, Grant, ProgressReport, ResultDocument } from '../../protocols/execute/index.ts'
import type { Lease } from '../../protocols/negotiate/index.ts'
import type { Ending, PeerName, Refusal } from '../../protocols/wire/index.ts'
import type { Finding } from './slot-state.ts'

export type JobEvent =
  | { readonly stage: 'bidding' }
  /** `cpuHourMicro`: one processor for one hour, with all that the job takes laid on it. */
  | { readonly stage: 'offered'; readonly peer: PeerName; readonly cpuHourMicro: number }
  /** Among so many offers, so long after they were called for. */
  | { readonly stage: 'choosing'; readonly offers: number; readonly withinMs: number }
  /** The time to bid is over, and there were too few at once for a job of more than one place. */
  | { readonly stage: 'short'; readonly wanted: number; readonly offered: number }
  | {
      readonly stage: 'matched'
      readonly slot: number
      readonly peer: PeerName
      readonly lease: string
      readonly epoch: number
      readonly cpuHourMicro: number
      readonly offers: number
    }
  | { readonly stage: 'starting'; readonly slot: number; readonly peer: PeerName }
  | { readonly stage: 'running'; readonly slot: number; readonly peer: PeerName }
  | { readonly stage: 'progress'; readonly slot: number; readonly progress: ProgressReport }
  | {
      readonly stage: 'result'
      readonly slot: number
      readonly peer: PeerName
      readonly reason: EndReason
      readonly exitCode: number | null
      readonly detail: string
      readonly result: string
      readonly gas: number
      readonly outcome: string
    }
  | {
      readonly stage: 'receipt'
      readonly lease: string
      readonly sequence: number
      readonly final: boolean
      readonly amountMicro: number
    }
  | { readonly stage: 'replacing'; readonly slot: number; readonly peer: PeerName; readonly because: Refusal }
  /** It takes much longer than the others: the place is tried a second time, and the sooner result is taken. */
  | { readonly stage: 'straggling'; readonly slot: number; readonly peer: PeerName; readonly ranMs: number }
  /** `peer` is on probation: `by`, whom we know, does the same work. Its own work is told only when it has the place. */
  | {
      readonly stage: 'checking'
      readonly slot: number
      readonly peer: PeerName
      readonly by: PeerName
      readonly lease: string
    }
  /** They were compared, or could not be; `by` is null when nobody whom we know offered to. When they differ, `by` has the place. */
  | {
      readonly stage: 'checked'
      readonly slot: number
      readonly peer: PeerName
      readonly by: PeerName | null
      readonly found: Finding
    }
  /** The job stands still until the peer is started again: what it does next cannot be written down. */
  | { readonly stage: 'stalled'; readonly code: string }
  | {
      readonly stage: 'ended'
      readonly ending: Ending
      /** Of its first place. */
      readonly document: ResultDocument | null
      /** Of all its places. */
      readonly amountMicro: number
    }

/** I/O that the machine asks for; each is answered by an input, and may be asked for again after a restart. */
export type JobErrand =
  | { readonly errand: 'announce' }
  /** Put the shards of the inputs on keepers. Answered by `staged` or `staging-failed`. */
  | { readonly errand: 'stage' }
  /** Read the rest of the log and fetch the outputs. Answered by `collected` or `collecting-failed`. */
  | {
      readonly errand: 'collect'
      readonly slot: number
      readonly document: ResultDocument
      readonly outputs: Grant | null
      readonly lease: string
      readonly provider: PeerName
    }
  /** Do the work of this lease here as well. Answered by `redone`: null when it came to nothing. */
  | { readonly errand: 'redo'; readonly lease: Lease }
  /** That is of no use any more. */
  | { readonly errand: 'redo-end' }
  /** Begin to read the log of this lease. */
  | { readonly errand: 'follow'; readonly slot: number; readonly lease: string; readonly provider: PeerName }
