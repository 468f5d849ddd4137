/** What `sim costs` prints as its last line, and makes its page of. */
import type { RunRecord } from '../report/record.ts'
import type { Capacity } from './capacity.ts'
import type { BidMeans, LivePoint, Models, PeerLines, Prediction } from './predict.ts'

export interface CostsReport {
  readonly v: 1
  readonly bench: 'costs'
  readonly machine: RunRecord['machine']
  readonly seeds: readonly number[]
  /** One way, from the shortest to the longest, of the live worlds and of the model. */
  readonly delayMs: readonly [number, number]
  readonly live: readonly LivePoint[]
  /** One of the smaller worlds once more, over TCP with encryption and muxing. */
  readonly tcp: LivePoint | null
  /** Worlds without numbers, and why. */
  readonly failed: readonly { readonly peers: number; readonly seed: number; readonly why: string }[]
  /** Of the processor, to check one signature. */
  readonly signatureMs: number
  readonly perPeer: PeerLines
  readonly perBid: BidMeans | null
  readonly models: Models
  readonly predictions: readonly Prediction[]
  readonly capacity: Capacity | null
}
