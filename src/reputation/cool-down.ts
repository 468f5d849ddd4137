/** For how long a peer that failed is let alone: longer each time, and never for good. Pure. */
import { decay, keeping, talking, there, vouching, type Doing, type Experience } from './experience.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/**
 * After the first time, and at most. A no-show: a peer is restarted within half a minute; whoever is still not there after a night is
 * tried again all the same. A fault is no accident of the network: ten minutes, so that a version that is wrong does not cost us a job
 * a minute; at most a week, in which a bug is mended or not.
 */
export const coolDowns = {
  noShow: { baseMs: minuteMs / 2, capMs: 8 * hourMs },
  fault: { baseMs: 10 * minuteMs, capMs: 7 * dayMs },
} as const

/**
 * A proof of an equivocation excludes for a month: it needed a key that was used against the rules on purpose, or a ledger that was set
 * back. The second happens to honest people, who would otherwise lose a name for ever; the first can have a new name at any time, so that
 * more would cost only the honest.
 */
export const provenForMs = 30 * dayMs

export interface CoolDown {
  readonly untilMs: number
  readonly because: 'noShow' | 'fault'
}

/** When this experience lets the peer be chosen again; undefined: it does now. */
export function coolDownOf(seen: Experience, nowMs: number): CoolDown | undefined {
  const { lapse, lapsedMs } = seen
  if (lapse === '') return undefined
  // Did well as often as it failed since.
  const { lapses } = decay(seen, nowMs)
  if (lapse === 'noShow' && lapses < 0.5) return undefined
  const { baseMs, capMs } = coolDowns[lapse]
  const untilMs = lapsedMs + Math.min(capMs, baseMs * 2 ** Math.max(0, lapses - 1))
  return untilMs > nowMs ? { untilMs, because: lapse } : undefined
}

/** Of all that was seen of a peer, for one thing that it is to do: what it did not do elsewhere is of no matter, a fault always is. */
export function coolDownFor(
  rows: ReadonlyMap<Doing, Experience>,
  doing: Doing | undefined,
  nowMs: number,
): CoolDown | undefined {
  let longest: CoolDown | undefined
  for (const [what, seen] of rows) {
    if (what === there || what === vouching) continue
    const coolDown = coolDownOf(seen, nowMs)
    if (coolDown === undefined) continue
    const isOfMatter = coolDown.because === 'fault' || what === talking || areAlike(what, doing)
    if (!isOfMatter || (longest !== undefined && isWorse(longest, coolDown))) continue
    longest = coolDown
  }
  return longest
}

/** Undefined: any work. */
function areAlike(what: Doing, doing: Doing | undefined): boolean {
  return doing === undefined ? what !== keeping : what === doing
}

function isWorse(left: CoolDown, right: CoolDown): boolean {
  if (left.because !== right.because) return left.because === 'fault'
  return left.untilMs >= right.untilMs
}
