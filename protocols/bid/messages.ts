/** A call for work, as the rest of the program sees it. */
import type { Evidence } from '../capability/index.ts'
import type { Micro, StatementType } from '../wire/index.ts'

export const bidType: StatementType = { name: 'bid', version: 1 }

/** A bid is relayed by every peer of its class: it says what is wanted and nothing else. */
export const bidBytesMax = 1024
/** Longest time a bid may stay open. A requester that waits longer publishes a new one. */
export const bidTermMsMax = 10 * 60_000
export const bidClassCharsMax = 32
/** Bids of one author that are passed on in one window; more are dropped without a word. */
export const bidsPerAuthorMax = 300
export const bidWindowMs = 60_000
/** Beyond this an author is no longer only busy. Who counts right never comes near. */
export const bidsToleratedPerAuthorMax = 900

/** Longest time over which the answers to one bid are spread. */
export const bidSpreadMsMax = 10_000
/** By how much clocks may differ, one way or the other. */
export const bidSkewMsMax = 30_000

/** Longest list of features, and of regions, in a bid. */
export const bidWordsMax = 16

export interface Requirements {
  readonly runtime: string
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly wallMsMax: number
  /** Empty: any, here and below. */
  readonly arch: string
  readonly features: readonly string[]
  /** Null: none. */
  readonly gpus: GpuWish | null
  /** Any of these. */
  readonly regions: readonly string[]
  readonly isolation: string
  readonly tee: string
  /** The least for what is asked for. */
  readonly evidence: Evidence
  /** The program will be let out to the network. */
  readonly egress: boolean
  /** The most instructions that it executes; 0: not said. */
  readonly gasMax: number
  /** What is fetched for it: its module and its inputs. */
  readonly inBytes: number
  /** The least bond that a lease of it must name. */
  readonly bondMicroMin: Micro
}

export interface GpuWish {
  readonly count: number
  /** Of each. */
  readonly memoryBytes: number
  readonly vendor: string
  /** Part of the model's name. */
  readonly model: string
}

/** Of a job that asks for no more than processors, memory, disk and time. */
export const noWishes = {
  arch: '',
  features: [],
  gpus: null,
  regions: [],
  isolation: '',
  tee: '',
  evidence: 'claimed',
  egress: false,
  gasMax: 0,
  inBytes: 0,
  bondMicroMin: 0,
} as const satisfies Partial<Requirements>

export interface Bid {
  /** CID of the job manifest. */
  readonly job: string
  readonly class: string
  readonly issuedMs: number
  readonly expiresMs: number
  readonly requirements: Requirements
  readonly unit: string
  readonly ceilingMicro: Micro
  /** With all that the job takes laid on the processors (`rateOf`). */
  readonly cpuHourMicroMax: Micro
  /** Answers are spread over so long, at random, those that ask for less sooner; 0: all at once. */
  readonly spreadMs: number
  /** Whoever has not answered what was issued up to `issuedMs` keeps silent. */
  readonly enough: boolean
}

/** Whether the time to answer is over, whatever the difference of clocks. */
export function isBidOver({ expiresMs }: Pick<Bid, 'expiresMs'>, nowMs: number): boolean {
  return nowMs >= expiresMs + bidSkewMsMax
}

/** One topic per class of work, so that a peer hears only of what it could do. */
export function bidTopic(network: string, bidClass: string): string {
  return `/pleach/${network}/bid/1/${bidClass}`
}
