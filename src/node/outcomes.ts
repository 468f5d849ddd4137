/** What the desks tell of jobs and leases, as far as it says something of the other peer: noted for its standing. */
import { describeFacts, type Fault, type PeerName, type Refusal } from '../../protocols/wire/index.ts'
import { petnameOf } from '../host/index.ts'
import type { JobEvent } from '../market/job-events.ts'
import { findingOf, placesOf, type JobState } from '../market/job-state.ts'
import type { LeaseEvent, LeaseState } from '../market/lease-machine.ts'
import { workOf, type Work } from '../market/slot-state.ts'
import { asking, keeping, talking, there, type Seen } from '../reputation/experience.ts'
import type { Reputation } from '../reputation/reputation.ts'

export interface OutcomesDeps {
  readonly self: PeerName
  readonly reputation: Pick<Reputation, 'note' | 'noteStart'>
  /** A job of ours that has not long been over. */
  stateOf(job: string): JobState | undefined
  readonly nowMs: () => number
}

/** An offer that has run out binds nobody: that our AWARD came late is no promise broken. */
const offerIsOver: ReadonlySet<string> = new Set(['OFFER_EXPIRED', 'NO_SUCH_OFFER'])
/** It signed a result, and its outputs are not those of it: nobody does that by accident. */
const isLie: ReadonlySet<string> = new Set(['OBJECT_INCONSISTENT', 'OUTPUTS_DIFFER'])

export class Outcomes {
  readonly #deps: OutcomesDeps

  constructor(deps: OutcomesDeps) {
    this.#deps = deps
  }

  /** Of a job of our own. */
  onJob(job: string, event: JobEvent): void {
    const { reputation, nowMs } = this.#deps
    const state = this.#deps.stateOf(job)
    if (state === undefined) return
    const { runtime } = state.terms.requirements
    const note = (peer: PeerName, seen: Seen): void => reputation.note(peer, runtime, seen)
    const workBy = (is: (work: Work) => boolean): Work | undefined =>
      placesOf(state)
        .flatMap((place) => workOf(place) ?? [])
        .find(is)
    switch (event.stage) {
      case 'running': {
        const work = workBy(({ lease }) => lease.provider === event.peer)
        if (work !== undefined) reputation.noteStart(event.peer, runtime, nowMs() - work.leasedMs)
        return
      }
      case 'replacing':
        if (event.because.code === 'OUTCOME_DIFFERS') return
        return note(event.peer, { sight: sightOf(event.because), evidence: said(event.because) })
      case 'checked':
        // The one that we know better is believed. What was paid while it was compared is a merit from now on.
        if (event.found === 'different' && event.by !== null)
          note(event.peer, { sight: 'fault', evidence: this.#differing(job, event.by) })
        for (const right of event.found === 'same'
          ? [event.peer, event.by]
          : event.found === 'different'
            ? [event.by]
            : []) {
          const work = workBy(({ lease, pay }) => lease.provider === right && pay.at === 'settled')
          if (work !== undefined) note(work.lease.provider, { sight: 'success', amountMicro: work.pay.amountMicro })
        }
        return
      case 'receipt': {
        // Countersigned: we hold the result, and what it is worth was agreed. What was compared and not found right is paid, and no merit.
        const work = event.final ? workBy(({ lease }) => lease.id === event.lease) : undefined
        const finding = findingOf(state, event.lease)
        if (work !== undefined && (finding === undefined || finding === 'same'))
          note(work.lease.provider, { sight: 'success', amountMicro: event.amountMicro })
        return
      }
      case 'ended':
        // It asked for what nobody signs, or for nothing at all.
        for (const place of placesOf(state)) {
          const isUnbilled = place.at === 'ended' && place.ending.code === 'NO_FINAL_RECEIPT'
          if (isUnbilled && place.work !== null)
            note(place.work.lease.provider, { sight: 'noShow', evidence: 'NO_FINAL_RECEIPT' })
        }
        return
      default:
    }
  }

  #differing(job: string, by: PeerName): string {
    const other = by === this.#deps.self ? 'this machine' : `${petnameOf(by)}, whom we know`
    return `made something else of job ${job} than ${other}`
  }

  /** Of work for others. */
  onLease(event: LeaseEvent, { hold }: LeaseState): void {
    if (event.stage !== 'ended') return
    const { outcome, code } = event.ending
    const seen: Seen = outcome === 'paid' ? { sight: 'success' } : { sight: 'noShow', evidence: code }
    this.#deps.reputation.note(hold.requester, asking, seen)
  }

  onFault(peer: PeerName, fault: Fault): void {
    this.#deps.reputation.note(peer, talking, { sight: 'fault', evidence: `${fault.code}: ${fault.message}` })
  }

  /** Shown by another, and proven. */
  onProven(peer: PeerName, evidence: string): void {
    this.#deps.reputation.note(peer, talking, { sight: 'fault', evidence })
  }

  /** A keeper has not got what it promised to keep. That it has, audits say, which are kept by themselves. */
  onBroken(keeper: PeerName, evidence: string): void {
    this.#deps.reputation.note(keeper, keeping, { sight: 'noShow', evidence })
  }

  /** It was looked for, and was there or was not. */
  onLook(peer: PeerName, wasThere: boolean): void {
    this.#deps.reputation.note(peer, there, { sight: wasThere ? 'success' : 'noShow' })
  }
}

function sightOf({ code }: Refusal): Seen['sight'] {
  if (offerIsOver.has(code)) return 'refused'
  return isLie.has(code) ? 'fault' : 'noShow'
}

function said({ code, facts }: Refusal): string {
  return `${code}${describeFacts(facts)}`
}
