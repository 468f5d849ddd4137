/** Memory that is lent for segments, within a limit for all who ask, and used again. */
import { plainIn, roomBytes, type Code } from '../../protocols/erasure/index.ts'
import type { Room } from './mill.ts'

/** What is lent at once, in bytes; but one room must fit, however wide the code. Two segments of `deep` are 64 MiB. */
export const roomBytesMax = 96 * 1024 * 1024
/** Rooms below this are not worth keeping. */
const keptBytesMin = 1024 * 1024

interface Waiting {
  readonly bytes: number
  readonly granted: () => void
}

export class LentRoom<Memory extends ArrayBufferLike> implements Room {
  readonly memory: Memory
  readonly bytes: Uint8Array
  readonly plain: Uint8Array
  readonly #onBack: () => void
  #isLent = true

  constructor(code: Code, plainBytesMax: number, memory: Memory, onBack: () => void) {
    this.memory = memory
    this.bytes = new Uint8Array(memory)
    this.plain = plainIn(code, this.bytes, plainBytesMax)
    this.#onBack = onBack
  }

  giveBack(): void {
    if (!this.#isLent) return
    this.#isLent = false
    this.#onBack()
  }
}

export class Rooms<Memory extends ArrayBufferLike> {
  readonly #bytesMax: number
  readonly #make: (bytes: number) => Memory
  /** In the order in which they came: who needs much is not overtaken for ever by those who need little. */
  readonly #waiting: Waiting[] = []
  #kept: Memory[] = []
  #lentBytes = 0

  constructor(bytesMax: number, make: (bytes: number) => Memory) {
    this.#bytesMax = bytesMax
    this.#make = make
  }

  get lentBytes(): number {
    return this.#lentBytes
  }

  /** Rejects with the signal's reason. */
  async lend(code: Code, plainBytesMax: number, signal: AbortSignal): Promise<LentRoom<Memory>> {
    const bytes = roomBytes(code, plainBytesMax)
    await this.#turn(bytes, signal)
    const memory = this.#take(bytes)
    return new LentRoom(code, plainBytesMax, memory, () => this.#takeBack(memory))
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
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
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

  #take(bytes: number): Memory {
    const index = this.#kept.findIndex(({ byteLength }) => byteLength === bytes)
    if (index !== -1) return this.#kept.splice(index, 1)[0]!
    return this.#make(bytes)
  }

  #takeBack(memory: Memory): void {
    this.#lentBytes -= memory.byteLength
    const keptBytes = this.#kept.reduce((sum, { byteLength }) => sum + byteLength, 0)
    const isWorthIt = memory.byteLength >= keptBytesMin
    if (isWorthIt && this.#lentBytes + keptBytes + memory.byteLength <= this.#bytesMax) this.#kept.push(memory)
    this.#grant()
  }

  #grant(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#lentBytes += next.bytes
      next.granted()
    }
  }
}
