/**
 * An `AbortSignal` that costs next to nothing. Every wait of a transfer has a deadline of its own, and the platform's signals took
 * a good part of the model's time. It has what the code of a peer uses of one, and nothing else.
 */
type Listener = () => void

export class LightSignal {
  aborted = false
  reason: unknown = undefined
  /** One is the rule: whoever waits. */
  #listener: Listener | undefined
  #others: Listener[] | undefined

  /** For those who ask for the platform's. */
  get asSignal(): AbortSignal {
    return this as unknown as AbortSignal
  }

  /** Fires once; the first reason stands. */
  fire(reason: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    const listeners = [...(this.#listener === undefined ? [] : [this.#listener]), ...(this.#others ?? [])]
    this.#listener = this.#others = undefined
    for (const listener of listeners) listener()
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  addEventListener(_type: 'abort', listener: Listener): void {
    if (this.#listener === undefined) this.#listener = listener
    else (this.#others ??= []).push(listener)
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    if (this.#listener === listener) this.#listener = undefined
    else if (this.#others !== undefined) this.#others = this.#others.filter((other) => other !== listener)
  }
}
