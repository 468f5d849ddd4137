/** What a job of ours needs done. */
import type { Lease } from '../../protocols/negotiate/index.ts'
import type { Grant, LogChannel, ResultDocument, StartOrder } from '../../protocols/execute/index.ts'

/** I/O for jobs of our own. Each call ends in an answer or a rejection; a `RefusedError` carries a code of its own. */
export interface JobErrands {
  /** `isCall`: somebody is wanted; otherwise it is word that nobody else is. */
  announce(topic: string, bid: Uint8Array, isCall: boolean): void
  stage(job: string, signal: AbortSignal): Promise<StartOrder>
  /**
   * The work of another's lease is done here as well, to compare: the outcome, or null when it came to none. When `signal` is aborted it
   * is of no use any more.
   */
  redo(lease: Lease, order: StartOrder, signal: AbortSignal): Promise<string | null>
  /** Where the log of this lease of a place stands; begins anew when the last one was another lease's. */
  openLog(job: string, slot: number, lease: string): Readonly<Record<LogChannel, number>>
  appendLog(job: string, slot: number, channel: LogChannel, bytes: Uint8Array): void
  /** The whole log is here: check it against the result, which names its place, and fetch the outputs. */
  collect(job: string, document: ResultDocument, outputs: Grant | null, signal: AbortSignal): Promise<void>
}
