/**
 * What is thought of a peer, put together: own experience, references that flow in from peers that we know, proofs, and how long it is
 * let alone. Remembers nothing itself.
 */
import type { PeerName } from '../../protocols/wire/index.ts'
import { coolDownFor, provenForMs, type CoolDown } from './cool-down.ts'
import {
  anyWork,
  asking,
  decay,
  halfLifeMs,
  isWork,
  meanStartMs,
  redoing,
  there,
  thereHalfLifeMs,
  vouching,
  withSight,
  withStart,
  type Doing,
  type Experience,
  type Seen,
  type Sight,
} from './experience.ts'
import { firstEdge, inflow, waysTo, type Known, type Way } from './flow.ts'
import type { ShownReferences } from './shown-references.ts'
import { jobsDone, provenStanding, standingOf, termsOf, type Term } from './standing.ts'

/** What was seen of peers, and is not forgotten with the process. */
export interface Memory {
  of(peer: PeerName): ReadonlyMap<Doing, Experience>
  /** Reads see it when it is written. What cannot be written is lost, and no harm. */
  change(peer: PeerName, doing: Doing, next: (before: Experience | undefined) => Experience): void
  /** When it was proven that this peer equivocated; undefined: it was not. */
  provenMs(peer: PeerName): number | undefined
}

/**
 * `known`: it did work for us. `introduced`: it did for a peer that did for us. `stranger`: neither; names are free, so it may be anybody.
 */
export type Familiarity = 'known' | 'introduced' | 'stranger'

export interface Assessment {
  readonly standing: number
  readonly familiarity: Familiarity
  /** What it did well for us, of what it is to do, in jobs. */
  readonly jobs: number
  readonly coolDown: CoolDown | undefined
  /** Until when a proof counts. */
  readonly provenUntilMs: number | undefined
  readonly terms: readonly Term[]
  readonly ways: readonly Way[]
  /** From the lease until its program runs, in the mean. */
  readonly startMs: number | undefined
}

/** How often it was there when it was looked for, of so many looks; both decay. */
export interface Uptime {
  readonly share: number
  readonly looks: number
}

/** Under this half of one job that it did for us is left: it is as good as forgotten. */
const knownMin = 0.5
/** Until it did so many jobs, what it does wrong is what a stranger does, and what it makes is compared with what others make. */
const probationJobs = 3
/** So much of a job must flow in that a peer counts as introduced: one job that a known peer did for us introduces twenty names at the most. */
export const introducedMin = 0.05
/** So many small jobs of strangers are done once more by ourselves, to compare; and, as they are forgotten, one more in five days. */
export const redosMax = 10
/** Where what strangers did, all together, is kept: no peer has this name. */
export const everyStranger = '' as PeerName
/** So many looks say something of a machine: with fewer the share is off by more than a tenth, one time in three. */
export const looksEnough = 20

export class Reputation {
  readonly #memory: Memory
  readonly #references: ShownReferences
  readonly #nowMs: () => number

  constructor(memory: Memory, references: ShownReferences, nowMs: () => number) {
    this.#memory = memory
    this.#references = references
    this.#nowMs = nowMs
  }

  /** For one thing that it is to do, or all in all. */
  assess(peer: PeerName, doing?: Doing): Assessment {
    const nowMs = this.#nowMs()
    const rows = this.#memory.of(peer)
    const ways = this.#waysTo(peer)
    const terms = this.#termsOf(peer, doing, ways, nowMs)
    const provenUntilMs = this.#provenUntilMs(peer, nowMs)
    const row = doing === undefined ? undefined : rows.get(doing)
    return {
      standing: provenUntilMs === undefined ? standingOf(terms) : provenStanding,
      familiarity: familiarityOf(rows, ways, nowMs),
      jobs: doing === undefined ? jobsDone(rows, nowMs) : row === undefined ? 0 : decay(row, nowMs).success,
      coolDown: coolDownFor(rows, doing, nowMs),
      provenUntilMs,
      terms,
      ways,
      startMs: row === undefined ? undefined : meanStartMs(decay(row, nowMs)),
    }
  }

  /** The number alone: own experience and proofs, and what flows in. */
  standing(peer: PeerName, doing?: Doing): number {
    const nowMs = this.#nowMs()
    if (this.#provenUntilMs(peer, nowMs) !== undefined) return provenStanding
    return standingOf(this.#termsOf(peer, doing, this.#waysTo(peer), nowMs))
  }

  /**
   * What was seen. What a peer that is not known yet does is also held for or against strangers as such, and those that introduced it: a
   * requester that is taken in by many new names trusts the next one less ("adaptive stranger policy": Feldman, Lai, Stoica and Chuang,
   * "Robust Incentive Techniques for Peer-to-Peer Networks", 2004).
   */
  note(peer: PeerName, doing: Doing, seen: Seen): void {
    const nowMs = this.#nowMs()
    const halfMs = doing === there ? thereHalfLifeMs : halfLifeMs
    if (isWork(doing) && seen.sight !== 'refused') this.#noteNew(peer, doing, seen.sight, nowMs)
    this.#memory.change(peer, doing, (before) => withSight(before, seen, nowMs, halfMs))
  }

  /** It says that the program runs, so long after the lease. */
  noteStart(peer: PeerName, doing: Doing, tookMs: number): void {
    const nowMs = this.#nowMs()
    this.#memory.change(peer, doing, (before) => withStart(before, tookMs, nowMs))
  }

  /** What is to be expected of whom nothing is known: 0 to 1, one half when no stranger was tried yet. */
  trustInStrangers(): number {
    const nowMs = this.#nowMs()
    let [good, all] = [1, 2]
    for (const [doing, seen] of this.#memory.of(everyStranger)) {
      if (!isWork(doing)) continue
      const { success, noShow, fault } = decay(seen, nowMs)
      good += success
      all += success + noShow + fault
    }
    return good / all
  }

  /** Whether any stranger ever worked for us as it should, and is not forgotten. */
  knowsAnybody(): boolean {
    const nowMs = this.#nowMs()
    const rows = [...this.#memory.of(everyStranger)]
    return rows.some(([doing, seen]) => isWork(doing) && decay(seen, nowMs).success >= knownMin)
  }

  /** Whether this machine may do a stranger's work once more; a yes counts. */
  takeRedo(): boolean {
    const nowMs = this.#nowMs()
    const row = this.#memory.of(everyStranger).get(redoing)
    if (row !== undefined && decay(row, nowMs).success > redosMax - 1) return false
    this.#memory.change(everyStranger, redoing, (before) => withSight(before, { sight: 'success' }, nowMs))
    return true
  }

  uptime(peer: PeerName): Uptime | undefined {
    const row = this.#memory.of(peer).get(there)
    if (row === undefined) return undefined
    const { success, noShow } = decay(row, this.#nowMs(), thereHalfLifeMs)
    const looks = success + noShow
    return looks === 0 ? undefined : { share: success / looks, looks }
  }

  #noteNew(peer: PeerName, doing: Doing, sight: Sight, nowMs: number): void {
    const done = jobsDone(this.#memory.of(peer), nowMs)
    // The first good one is one more that is known. A bad one tells of strangers for longer: a liar may be found out late.
    if (done >= (sight === 'success' ? knownMin : probationJobs)) return
    const ways = this.#waysTo(peer)
    for (const { by } of ways) this.#memory.change(by, vouching, (before) => withSight(before, { sight }, nowMs))
    if (inflow(ways) < introducedMin)
      this.#memory.change(everyStranger, doing, (before) => withSight(before, { sight }, nowMs))
  }

  /** Who only asks is vouched for by nobody: that it worked says nothing of whether it pays. */
  #termsOf(peer: PeerName, doing: Doing | undefined, ways: readonly Way[], nowMs: number): Term[] {
    return termsOf(this.#memory.of(peer), doing, doing === asking ? 0 : inflow(ways), nowMs)
  }

  #waysTo(peer: PeerName): Way[] {
    const references = this.#references
    const known = (by: PeerName): Known => this.#firstEdge(by)
    return waysTo(references.of(peer), (by) => references.allSignedBy(by), known)
  }

  #firstEdge(by: PeerName): Known {
    const nowMs = this.#nowMs()
    if (this.#provenUntilMs(by, nowMs) !== undefined) return { jobs: 0, paidMicro: 0 }
    const rows = this.#memory.of(by)
    // By own experience alone: a flow has two hops.
    return firstEdge(rows, standingOf(termsOf(rows, anyWork, 0, nowMs)), nowMs)
  }

  #provenUntilMs(peer: PeerName, nowMs: number): number | undefined {
    const provenMs = this.#memory.provenMs(peer)
    return provenMs === undefined || provenMs + provenForMs <= nowMs ? undefined : provenMs + provenForMs
  }
}

/**
 * How much of what a peer makes is to be compared with what another makes: all of it on probation, then one in as many as it did well
 * (adaptive replication: Anderson, "BOINC: A Platform for Volunteer Computing", 2020). A job half forgotten is not yet missing.
 */
export function checkShareOf(jobs: number): number {
  return jobs < probationJobs - knownMin ? 1 : Math.min(1, 1 / jobs)
}

function familiarityOf(rows: ReadonlyMap<Doing, Experience>, ways: readonly Way[], nowMs: number): Familiarity {
  if (jobsDone(rows, nowMs) >= knownMin) return 'known'
  return inflow(ways) >= introducedMin ? 'introduced' : 'stranger'
}
