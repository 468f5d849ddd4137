/**
 * What this peer saw of another itself, for one thing that it did: decaying sums, so that what was long ago counts less and a row has
 * a fixed size. Pure: the state is plain data, and time is an argument.
 */

/** What a peer was seen doing. A runtime: it ran programs of it for us. */
export type Doing = string
/** A program of whatever kind. */
export const anyWork: Doing = 'work'
/** It had us work, and was to sign for it. */
export const asking: Doing = 'asking'
/** It keeps shards of ours. */
export const keeping: Doing = 'keeping'
/** It said something; only faults are noted of that. */
export const talking: Doing = 'talking'
/** It signed receipts by which another was introduced to us. */
export const vouching: Doing = 'vouching'
/** What we did ourselves once more, to compare. */
export const redoing: Doing = 'redoing'
/** Whether it was there when it was looked for: no word of how it behaves. */
export const there: Doing = 'there'

/** `refused` is lawful and no reproach; `noShow` it promised and did not come, or not in full; `fault` it broke a protocol, or lied. */
export type Sight = 'success' | 'refused' | 'noShow' | 'fault'

export interface Experience {
  readonly success: number
  readonly refused: number
  readonly noShow: number
  readonly fault: number
  /** What we signed for, in micro-units. */
  readonly paidMicro: number
  /** How long it took from the lease until it said that the program runs, in all, and of so many leases. */
  readonly startMs: number
  readonly starts: number
  /** How often it failed since it did well: what a cool-down doubles by. */
  readonly lapses: number
  /** When it failed last, and how; 0 and empty: never. */
  readonly lapsedMs: number
  readonly lapse: '' | 'noShow' | 'fault'
  /** Up to when the sums have decayed. */
  readonly atMs: number
  /** What was seen last, oldest first. */
  readonly evidence: readonly string[]
}

/** Of work, and of none of what has a name of its own above. */
export function isWork(doing: Doing): boolean {
  return !notWork.has(doing)
}

const notWork: ReadonlySet<Doing> = new Set([asking, keeping, talking, vouching, redoing, there])

/** What is added to an experience. */
export interface Seen {
  readonly sight: Sight
  readonly evidence?: string
  readonly amountMicro?: number
}

export const nothingSeen: Experience = {
  success: 0,
  refused: 0,
  noShow: 0,
  fault: 0,
  paidMicro: 0,
  startMs: 0,
  starts: 0,
  lapses: 0,
  lapsedMs: 0,
  lapse: '',
  atMs: 0,
  evidence: [],
}

const dayMs = 86_400_000
/**
 * After this a sum counts half. One for good and bad alike, so that time alone never turns an opinion round: it only becomes less sure.
 * A month: machines change owners, disks and lines about that fast, and whoever needs a peer once a week still knows it.
 */
export const halfLifeMs = 30 * dayMs
/** Whether a machine is there changes faster: with the week of its owner. */
export const thereHalfLifeMs = 7 * dayMs

/** More faults, or no-shows, are not counted: so no opinion is so bad that time does not mend it within two half-lives. */
export const faultsMax = 4
export const noShowsMax = 16
export const linesMax = 5
export const lineCharsMax = 200

/** The same, later. A clock that was set back changes nothing. */
export function decay(seen: Experience, nowMs: number, halfMs = halfLifeMs): Experience {
  if (nowMs <= seen.atMs) return seen
  const left = 2 ** (-(nowMs - seen.atMs) / halfMs)
  return {
    ...seen,
    success: seen.success * left,
    refused: seen.refused * left,
    noShow: seen.noShow * left,
    fault: seen.fault * left,
    paidMicro: seen.paidMicro * left,
    startMs: seen.startMs * left,
    starts: seen.starts * left,
    lapses: seen.lapses * left,
    atMs: nowMs,
  }
}

/** With one more thing seen. */
export function withSight(
  before: Experience | undefined,
  { sight, ...more }: Seen,
  nowMs: number,
  halfMs = halfLifeMs,
) {
  const past = decayedOrNew(before, nowMs, halfMs)
  const counted = { ...past, [sight]: past[sight] + 1, paidMicro: past.paidMicro + (more.amountMicro ?? 0) }
  const next: Experience = {
    ...counted,
    noShow: Math.min(noShowsMax, counted.noShow),
    fault: Math.min(faultsMax, counted.fault),
    evidence:
      more.evidence === undefined || more.evidence === ''
        ? past.evidence
        : [...past.evidence, more.evidence.slice(0, lineCharsMax)].slice(-linesMax),
  }
  if (sight === 'refused') return next
  if (sight === 'success') return { ...next, lapses: Math.max(0, past.lapses - 1) }
  // A no-show does not hide that there was a fault: it is the longer of the two that counts (cool-down.ts).
  const isLonger = sight === 'fault' || past.lapse !== 'fault'
  const lapse: Experience['lapse'] = isLonger ? sight : past.lapse
  return { ...next, lapses: past.lapses + 1, lapsedMs: nowMs, lapse }
}

/** With one more time that it took to begin. */
export function withStart(before: Experience | undefined, tookMs: number, nowMs: number): Experience {
  const past = decayedOrNew(before, nowMs, halfLifeMs)
  return { ...past, startMs: past.startMs + Math.max(0, tookMs), starts: past.starts + 1 }
}

function decayedOrNew(before: Experience | undefined, nowMs: number, halfMs: number): Experience {
  return before === undefined ? { ...nothingSeen, atMs: nowMs } : decay(before, nowMs, halfMs)
}

/** With fewer than this it says nothing. */
const startsMin = 3

/** In the mean; undefined while too few were measured. */
export function meanStartMs({ startMs, starts }: Experience): number | undefined {
  return starts < startsMin - 0.5 ? undefined : startMs / starts
}
