/**
 * The limits of what transfers may carry, up and down, for all exchanges together. A bucket is a moment: until when what was let
 * through has used the line. Whoever comes next waits for it, so they come in turn, and a timer that fires late costs nothing,
 * because the next wait is shorter by as much.
 */
import { leafBytes } from '../../protocols/erasure/index.ts'
import { exchangesServedMax, idleMsMax, type Pace } from '../../protocols/transfer/index.ts'
import type { Clock } from '../environment.ts'

/** Until when the line is used, in milliseconds of a clock that never steps. */
export interface Bucket {
  readonly bytesPerSecond: number
  readonly freeAtMs: number
}

/** An idle line has saved up for so long: more would be a burst that others notice, less could not make up for late timers. */
const burstMs = 50

export function emptyBucket(bytesPerSecond: number): Bucket {
  return { bytesPerSecond, freeAtMs: -Infinity }
}

/** How long so many bytes have to wait for their turn, in milliseconds: 0 is at once. */
export function spend(bucket: Bucket, bytes: number, nowMs: number): readonly [Bucket, waitMs: number] {
  const startMs = Math.max(bucket.freeAtMs, nowMs - burstMs)
  const freeAtMs = startMs + (bytes / bucket.bytesPerSecond) * 1_000
  return [{ ...bucket, freeAtMs }, Math.max(0, startMs - nowMs)]
}

export interface BandwidthLimits {
  /** In bytes per second; null: none. */
  readonly upBytesPerSecond: number | null
  readonly downBytesPerSecond: number | null
}

/** Within this, each of the exchanges that are served should have had a block: half of what the other side waits for one. */
const blockWithinMs = idleMsMax / 2

/** How many exchanges a line can serve at once. */
export function exchangesMaxAt({ upBytesPerSecond }: BandwidthLimits): number {
  if (upBytesPerSecond === null) return exchangesServedMax
  const blocks = (upBytesPerSecond * blockWithinMs) / 1_000 / leafBytes
  return Math.max(1, Math.min(exchangesServedMax, Math.floor(blocks)))
}

export class Bandwidth implements Pace {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  #up: Bucket | null
  #down: Bucket | null

  constructor({ upBytesPerSecond, downBytesPerSecond }: BandwidthLimits, clock: Pick<Clock, 'monotonicMs' | 'sleep'>) {
    this.#clock = clock
    this.#up = upBytesPerSecond === null ? null : emptyBucket(upBytesPerSecond)
    this.#down = downBytesPerSecond === null ? null : emptyBucket(downBytesPerSecond)
  }

  async up(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#up === null) return
    const [next, waitMs] = spend(this.#up, bytes, this.#clock.monotonicMs())
    this.#up = next
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
  }

  async down(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#down === null) return
    const [next, waitMs] = spend(this.#down, bytes, this.#clock.monotonicMs())
    this.#down = next
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
  }
}
