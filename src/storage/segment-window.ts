/**
 * The segments that are being put together: a shard may run ahead of the reader by a bounded number of segments and then has to
 * wait, so memory is bounded whatever the speeds of the keepers.
 */

/** Segments in memory at once, counting the one that is read: each has up to n MiB. */
const segmentsMax = 3

export class SegmentWindow {
  readonly #need: number
  readonly #segments = new Map<number, (Uint8Array | undefined)[]>()
  #next = 0
  #failure: Error | undefined
  #waiting: (() => void)[] = []

  /** `need`: strips that make a segment complete. */
  constructor(need: number) {
    this.#need = need
  }

  /** Room for a strip of this segment; waits until the segment is near enough. */
  async buffer(segment: number, length: number): Promise<Uint8Array> {
    await this.#until(() => segment < this.#next + segmentsMax)
    return new Uint8Array(length)
  }

  put(segment: number, shard: number, strip: Uint8Array): void {
    // A strip of a segment that was complete without it: late, and of no use.
    if (segment < this.#next) return
    const strips = this.#segments.get(segment) ?? []
    strips[shard] = strip
    this.#segments.set(segment, strips)
    this.#wake()
  }

  /** The strips of the next segment, by shard, once there are enough. */
  async take(segment: number): Promise<(Uint8Array | undefined)[]> {
    const isComplete = (): boolean =>
      (this.#segments.get(segment)?.filter((strip) => strip !== undefined).length ?? 0) >= this.#need
    await this.#until(isComplete)
    const strips = this.#segments.get(segment)!
    this.#segments.delete(segment)
    this.#next = segment + 1
    this.#wake()
    return strips
  }

  /** Everybody who waits gives up. The first reason stands. */
  fail(reason: Error): void {
    this.#failure ??= reason
    this.#wake()
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (this.#failure !== undefined) throw this.#failure
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      await promise
    }
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
