/**
 * The host's side of the gas counter. The module counts down by itself what it was given and calls {@link Gas.refill} when that
 * is used up; it is given a slice at a time, so that whoever watches sees how far it is and a program that is killed has told the
 * most of what it used. How large a slice is has no part in the count.
 */
import type { End } from './budget.ts'

/** A tenth of a second of a fast program. */
const sliceGas = 2 ** 28

/** The i64 global of the module; the part of `WebAssembly.Global` that is used. */
export interface GasGlobal {
  value: bigint
}

export class Gas {
  readonly #limit: number
  readonly #end: End
  readonly #report: (used: number) => void
  #global: GasGlobal = { value: 0n }
  #given = 0

  /** `limit`: at most `Number.MAX_SAFE_INTEGER`. `report` is told now and then what has been used. */
  constructor(limit: number, end: End, report: (used: number) => void) {
    this.#limit = limit
    this.#end = end
    this.#report = report
  }

  /** Before the program's first instruction. */
  attach(global: GasGlobal): void {
    this.#global = global
    this.#give(sliceGas)
  }

  /** A program that is ended for its gas has used what it had, and not a block more. */
  get used(): number {
    return Math.min(this.#limit, this.#spent)
  }

  /** What the host does for the program, which costs the program. */
  take(gas: number): void {
    this.#global.value -= BigInt(gas)
    if (this.#global.value < 0n) this.refill()
  }

  /** The program has used what it was given: it gets more, or ends. */
  readonly refill = (): void => {
    const owed = Number(-this.#global.value)
    if (this.#spent > this.#limit) {
      this.#end('gas-limit', `it used more than the ${this.#limit} gas allowed`)
    }
    this.#give(Math.max(sliceGas, owed))
    this.#report(this.used)
  }

  get #spent(): number {
    return this.#given - Number(this.#global.value)
  }

  #give(gas: number): void {
    const slice = Math.min(gas, this.#limit - this.#given)
    this.#given += slice
    this.#global.value += BigInt(slice)
  }
}

