/**
 * How much each author has gossiped in the present window. Pure: the caller brings the time. Holds a bounded memory of authors.
 */
import type { PeerName } from './peer.ts'

/** Authors remembered in one window. Beyond, new authors are not limited until the window ends: silence would be worse. */
const authorsMax = 10_000

export interface AuthorRate {
  readonly windowEndsMs: number
  readonly counts: ReadonlyMap<PeerName, number>
}

export const nobodyHeard: AuthorRate = { windowEndsMs: 0, counts: new Map() }

/** With one more of this author, and how many there were of it in the window before. */
export function countAuthor(
  state: AuthorRate,
  author: PeerName,
  nowMs: number,
  windowMs: number,
  most = authorsMax,
): readonly [AuthorRate, number] {
  const { windowEndsMs, counts } =
    nowMs < state.windowEndsMs ? state : { windowEndsMs: nowMs + windowMs, counts: new Map<PeerName, number>() }
  const count = counts.get(author) ?? 0
  // The map is ours alone: the state before is never used again once a step has been taken from it.
  if (counts.size < most || count > 0) (counts as Map<PeerName, number>).set(author, count + 1)
  return [{ windowEndsMs, counts }, count]
}
