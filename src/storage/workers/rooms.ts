/** Memory that is lent for segments, within a limit for all who ask, and used again. */
import { allocateRoom, plainIn, roomShape, type Code, type SharedStrips } from '../../../protocols/erasure/index.ts'
import type { Room } from '../mill.ts'

/** What is lent at once, in bytes; but one room must fit, however wide the code. Two segments of `deep` are 64 MiB. */
export const lentBytesMax = 96 * 1024 * 1024

export class SharedRoom implements Room {
  readonly shared: SharedStrips
  readonly plain: Uint8Array
  readonly #onBack: () => void
  #isLent = true

  constructor(code: Code, plainBytesMax: number, shared: SharedStrips, onBack: () => void) {
    this.shared = shared
    this.plain = plainIn(code, shared, plainBytesMax)
    this.#onBack = onBack
  }

  giveBack(): void {
    if (!this.#isLent) return
    this.#isLent = false
    this.#onBack()
  }
}

export class Rooms {
  readonly #bytesMax: number
  /** Called when the last room has come back. */
  readonly #onNoneLent: () => void
  /** In the order in which they came: who needs much is not overtaken for ever by those who need little. */
  readonly #waiting: { readonly bytes: number; readonly granted: () => void }[] = []
  /** What nobody has now. */
  #kept: SharedStrips[] = []
  #lentBytes = 0

  constructor(bytesMax = lentBytesMax, onNoneLent: () => void = () => {}) {
    this.#bytesMax = bytesMax
    this.#onNoneLent = onNoneLent
  }

  get lentBytes(): number {
    return this.#lentBytes
  }

  /** Waits while too much is lent. Rejects with the signal's reason. */
  async lend(code: Code, plainBytesMax: number, signal: AbortSignal): Promise<SharedRoom> {
    const { slots, stripBytes } = roomShape(code, plainBytesMax)
    const bytes = slots * stripBytes
    await this.#turn(bytes, signal)
    try {
      const shared = this.#take(code, plainBytesMax)
      return new SharedRoom(code, plainBytesMax, shared, () => this.#takeBack(shared, bytes))
    } catch (error) {
      this.#lentBytes -= bytes
      this.#grant()
      throw error
    }
  }

  /** Forgets the memory that nobody has. */
  clear(): void {
    this.#kept = []
  }

  /** Resolves when so many bytes are counted as lent. */
  async #turn(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#lentBytes += bytes
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting = { bytes, granted: resolve }
    const onAbort = (): void => {
      const index = this.#waiting.indexOf(waiting)
      // It was granted in the same moment.
      if (index === -1) return
      this.#waiting.splice(index, 1)
      reject(signal.reason as Error)
      this.#grant()
    }
    this.#waiting.push(waiting)
    signal.addEventListener('abort', onAbort, { once: true })
    await promise.finally(() => signal.removeEventListener('abort', onAbort))
  }

  #fits(bytes: number): boolean {
    return this.#lentBytes === 0 || this.#lentBytes + bytes <= this.#bytesMax
  }

  #take(code: Code, plainBytesMax: number): SharedStrips {
    const { slots, stripBytes } = roomShape(code, plainBytesMax)
    const index = this.#kept.findIndex(({ shape }) => shape.slots === slots && shape.stripBytes === stripBytes)
    const [kept] = index === -1 ? [] : this.#kept.splice(index, 1)
    return kept ?? allocateRoom({ slots, stripBytes, threads: 1 })
  }

  #takeBack(shared: SharedStrips, bytes: number): void {
    this.#lentBytes -= bytes
    const keptBytes = this.#kept.reduce((sum, { shape }) => sum + shape.slots * shape.stripBytes, 0)
    if (this.#lentBytes + keptBytes + bytes <= this.#bytesMax) this.#kept.push(shared)
    this.#grant()
    if (this.#lentBytes === 0) this.#onNoneLent()
  }

  #grant(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#lentBytes += next.bytes
      next.granted()
    }
  }
}
