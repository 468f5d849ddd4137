import type { Code } from '../../protocols/erasure/code.ts'
import { createCoder, type ErasureCoder } from '../../protocols/erasure/coder.ts'
import type { Weaver } from '../../protocols/erasure/strip-memory.ts'

/** Coders that are kept: each has tables for its code. */
const codersMax = 4

/** Coders by their code; the ones that were used last are kept. */
export class Coders {
  readonly #coders = new Map<string, ErasureCoder>()
  readonly #weaver: Weaver | undefined

  constructor(weaver?: Weaver) {
    this.#weaver = weaver
  }

  of({ k, m }: Code): ErasureCoder {
    const name = `${k}+${m}`
    const coder = this.#coders.get(name) ?? createCoder(k, m, { weaver: this.#weaver })
    this.#coders.delete(name)
    this.#coders.set(name, coder)
    if (this.#coders.size > codersMax) this.#coders.delete(this.#coders.keys().next().value!)
    return coder
  }
}
