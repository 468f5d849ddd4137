/** Results of a pure function that are remembered: bounded, and never anything but what the function would say again. */
export class Memo<Key, Value> {
  readonly #entriesMax: number
  #young = new Map<Key, Value>()
  #old = new Map<Key, Value>()

  /** Holds at most `entriesMax`; those not asked for lately are forgotten first, half of them at a time. */
  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
  }

  get(key: Key): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: Key, value: Value): void {
    if (this.#young.size >= this.#entriesMax / 2) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }
}
