/** How often this peer announces bids: beyond what others pass on of one author, it would only cost the bids that follow. Policy of this peer alone. */
import { bidWindowMs, bidsPerAuthorMax } from '../../protocols/bid/index.ts'

export class AnnouncePace {
  /** What was announced in the last window, the oldest first: never more than others pass on. */
  readonly #announced: { readonly atMs: number; readonly name: string }[] = []

  /** Whether the bid may be announced now, and counts it when it may. Half of the window is for calls that nobody has heard yet. */
  takes(name: string, isCall: boolean, nowMs: number): boolean {
    const recent = this.#announced
    while (recent.length > 0 && recent[0]!.atMs <= nowMs - bidWindowMs) recent.shift()
    const isNew = isCall && recent.every((other) => other.name !== name)
    if (recent.length >= (isNew ? bidsPerAuthorMax : bidsPerAuthorMax / 2)) return false
    recent.push({ atMs: nowMs, name })
    return true
  }
}
