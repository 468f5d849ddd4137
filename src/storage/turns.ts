/** One thing at a time for each name: what is decided about a shard still holds when it is carried out. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Runs `act` once everything that was begun before under this name has ended, well or not. */
  async take<Result>(name: string, act: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(name)
    const turn = (async () => {
      await before?.catch(() => {})
      return act()
    })()
    this.#last.set(name, turn)
    try {
      return await turn
    } finally {
      if (this.#last.get(name) === turn) this.#last.delete(name)
    }
  }
}
