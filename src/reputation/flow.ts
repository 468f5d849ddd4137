/**
 * How far peers that did good work for us vouch for one that did not yet: a flow over two hops, from us over a peer that we know to the
 * one in question. An edge is what the one signed for of the other's work; of two hops the greatest flow is the sum over the ways,
 * each as wide as its narrower edge. Pure.
 */
import type { PeerName } from '../../protocols/wire/index.ts'
import { decay, isWork, nothingSeen, vouching, type Doing, type Experience } from './experience.ts'
import { jobsDone } from './standing.ts'

/** The first edge: what a peer did for us. */
export interface Known {
  /** Jobs that it did well for us. */
  readonly jobs: number
  /** What we signed for of them. */
  readonly paidMicro: number
}

export interface Way {
  readonly by: PeerName
  /** In jobs of the size of those that it did for us. */
  readonly jobs: number
  /** What it signed for of the other's work, in all. */
  readonly amountMicro: number
}

/**
 * The first edge as wide as it is. Narrower by what came of those that it vouched for before; nothing, when we think less of it than
 * of a stranger: who lies may sign lies.
 */
export function firstEdge(rows: ReadonlyMap<Doing, Experience>, standing: number, nowMs: number): Known {
  if (standing < 0.5) return { jobs: 0, paidMicro: 0 }
  let paidMicro = 0
  for (const [of, seen] of rows) if (isWork(of)) paidMicro += decay(seen, nowMs).paidMicro
  const vouched = rows.get(vouching)
  const { success, noShow, fault } = vouched === undefined ? nothingSeen : decay(vouched, nowMs)
  // Each that failed weighs as two that did well: whoever is introduced should do better than a stranger.
  const credit = (1 + success) / (1 + success + 2 * (noShow + fault))
  return { jobs: jobsDone(rows, nowMs) * credit, paidMicro: paidMicro * credit }
}

/**
 * Ways to a peer. `signed`: by whom, what it signed for of this peer's work; `allSigned`: what the same signed for of everybody's work
 * that we were shown. Whoever vouches for many divides what it can pass on among them, so that a thousand names get no more from it than one.
 */
export function waysTo(
  signed: ReadonlyMap<PeerName, number>,
  allSigned: (by: PeerName) => number,
  known: (by: PeerName) => Known,
): Way[] {
  const ways: Way[] = []
  for (const [by, amountMicro] of signed) {
    const { jobs, paidMicro } = known(by)
    if (jobs <= 0 || paidMicro <= 0 || amountMicro <= 0) continue
    const all = Math.max(amountMicro, allSigned(by))
    const flowMicro = Math.min(amountMicro, (paidMicro * amountMicro) / all)
    ways.push({ by, jobs: (jobs * flowMicro) / paidMicro, amountMicro })
  }
  return ways.toSorted((left, right) => right.jobs - left.jobs || (left.by < right.by ? -1 : 1))
}

/** What flows in over all ways, in jobs. */
export function inflow(ways: readonly Way[]): number {
  return ways.reduce((sum, { jobs }) => sum + jobs, 0)
}
