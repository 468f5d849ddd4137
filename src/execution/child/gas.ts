/**
 * The host's side of the gas counter: a global of the module, which counts down by itself and traps below zero. What the host does
 * for the program is taken from it too.
 */
import { growRefused } from '../wasm/function.ts'
import type { End } from './budget.ts'

/** How much is used between two reports: a tenth of a second of a fast program. */
const reportEveryGas = 2 ** 28

/** The first line of the record: so many digits, which hold the largest count, and the line's end. */
export const gasDigits = 16
export const gasLineBytes = gasDigits + 1

export function gasLine(used: number): string {
  return `${String(used).padStart(gasDigits, '0')}\n`
}

/** The i64 global of the module; the part of `WebAssembly.Global` that is used. */
export interface GasGlobal {
  value: bigint
}

export class Gas {
  readonly #limit: number
  readonly #end: End
  readonly #report: (used: number) => void
  #global: GasGlobal
  #reported = 0

  /** `limit`: at most `Number.MAX_SAFE_INTEGER`. `report` is told what has been used, at calls of the host. */
  constructor(limit: number, end: End, report: (used: number) => void) {
    this.#limit = limit
    this.#end = end
    this.#report = report
    this.#global = { value: BigInt(limit) }
  }

  /** Before the program's first instruction. */
  attach(global: GasGlobal): void {
    global.value = this.#global.value
    this.#global = global
  }

  /** A program that is ended for its gas has used what it had, and not a stretch of instructions more. */
  get used(): number {
    return Math.min(this.#limit, this.#limit - Number(this.#global.value))
  }

  /** What the host does for the program. */
  take(gas: number): void {
    const left = this.#global.value - BigInt(gas)
    this.#global.value = left
    if (left < 0n) this.endIfOver()
    if (this.used - this.#reported < reportEveryGas) return
    this.#reported = this.used
    this.#report(this.#reported)
  }

  /** Whether it was for us that the program trapped. */
  endIfOver(): void {
    if (this.#global.value === growRefused) {
      this.#global.value = 0n
      this.#end('executor-failed', 'the machine had no more memory, though the task may have more')
    }
    if (this.#global.value < 0n) this.#end('gas-limit', `it used more than the ${this.#limit} gas allowed`)
  }
}
