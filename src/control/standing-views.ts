/** What is thought of a peer and why, in the words of the control interface. */
import type { PeerView } from './api.ts'

/** Times are milliseconds since the epoch, amounts decimal text in the unit of account. */
export interface StandingView extends PeerView {
  readonly v: 1
  /** 0 to 1; 0.5 for a stranger. All in all: for one kind of work it may be another. */
  readonly standing: number
  readonly familiarity: 'known' | 'introduced' | 'stranger'
  /** What the standing is made of: (sum of what counts for it) ÷ (sum of all). */
  readonly terms: readonly {
    /** `prior`, `references`, or what it did: a runtime, `asking`, `keeping`, `talking`. */
    readonly of: string
    readonly what: 'success' | 'noShow' | 'fault' | 'vouched' | 'prior'
    /** How much of it is left: sums decay. */
    readonly amount: number
    /** Of one of it: for, or, when negative, against. */
    readonly weight: number
  }[]
  /** What was seen, by what it did. */
  readonly experience: readonly {
    readonly doing: string
    readonly success: number
    readonly refused: number
    readonly noShow: number
    readonly fault: number
    readonly paid: string
    /** From the lease until its programs run, in the mean; null: too few were measured. */
    readonly startMs: number | null
    /** Oldest first. */
    readonly evidence: readonly string[]
  }[]
  /** Peers that we know, and for which it worked: how many jobs' worth of trust comes over each. */
  readonly references: readonly (PeerView & { readonly jobs: number; readonly signed: string })[]
  /** It is let alone until then; null: it is not. */
  readonly coolDown: { readonly untilMs: number; readonly because: 'noShow' | 'fault' } | null
  /** Proven to have signed two things that exclude each other; it counts until then. */
  readonly provenUntilMs: number | null
  /** Of so many looks, this share it was there; null: it was never looked for. */
  readonly uptime: { readonly share: number; readonly looks: number; readonly enough: boolean } | null
  /** What is to be expected of strangers, as those that we tried have it. */
  readonly trustInStrangers: number
}
