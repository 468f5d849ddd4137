/**
 * What a running program may still take. Going over ends the program at once, with the reason: an error number would be
 * turned by most programs into some other failure, and the person who pays would have to guess.
 */
import type { ExecutionReason } from '../executor.ts'

/** Ends the program; never comes back. */
export type End = (reason: ExecutionReason, detail: string) => never

/** Files and folders that exist at one time, inputs included: each costs some hundred bytes of our own heap. */
export const nodesMax = 65_536
/** Open files at one time. POSIX programs expect about this many. */
export const handlesMax = 1_024

export interface BudgetLimits {
  readonly memoryBytes: number
  readonly outputBytes: number
  readonly logBytes: number
}

export class Budget {
  readonly #limits: BudgetLimits
  readonly #end: End
  /** The size of the linear memory now. It grows without asking; its own cap is in the module. */
  linearBytes: () => number = () => 0
  #fileBytes = 0
  #outputBytes = 0
  #logBytes = 0
  #nodes = 0
  fileBytesPeak = 0

  constructor(limits: BudgetLimits, end: End) {
    this.#limits = limits
    this.#end = end
  }

  get outputBytes(): number {
    return this.#outputBytes
  }

  /** What a file is about to hold of our memory, more or (negative) less. */
  takeMemory(bytes: number): void {
    const linearBytes = bytes > 0 ? this.linearBytes() : 0
    if (bytes > 0 && this.#fileBytes + bytes + linearBytes > this.#limits.memoryBytes) {
      this.refuseMemory(`files of ${this.#fileBytes + bytes} bytes beside ${linearBytes} bytes of memory`)
    }
    this.#fileBytes += bytes
    this.fileBytesPeak = Math.max(this.fileBytesPeak, this.#fileBytes)
  }

  refuseMemory(what: string): never {
    return this.#end('memory-limit', `${what} would be more than the ${this.#limits.memoryBytes} bytes allowed`)
  }

  /** What the content of /out is about to grow or (negative) shrink by. */
  takeOutput(bytes: number): void {
    if (bytes > 0 && this.#outputBytes + bytes > this.#limits.outputBytes) {
      this.#end(
        'output-limit',
        `/out would hold ${this.#outputBytes + bytes} bytes, more than the ${this.#limits.outputBytes} allowed`,
      )
    }
    this.#outputBytes += bytes
  }

  /** What stdout or stderr is about to grow by: as much of it is written as is allowed. */
  takeLog(bytes: number, write: (bytesMax: number) => void): void {
    const bytesMax = Math.min(bytes, this.#limits.logBytes - this.#logBytes)
    this.#logBytes += bytesMax
    write(bytesMax)
    if (bytesMax < bytes) this.#end('log-limit', `it wrote more than the ${this.#limits.logBytes} bytes of log allowed`)
  }

  /** A file or folder comes to be (1) or is gone (-1). */
  takeNode(count: 1 | -1): void {
    if (count > 0 && this.#nodes >= nodesMax)
      this.#end('memory-limit', `there would be more than ${nodesMax} files and folders`)
    this.#nodes += count
  }
}
