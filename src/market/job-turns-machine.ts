/** The turns that several phases of a job take alike: trying another provider, and ending. Pure. */
import type { WatchState } from '../../protocols/execute/index.ts'
import type { Lease } from '../../protocols/negotiate/index.ts'
import type { Ending, PeerName, Refusal } from '../../protocols/wire/index.ts'
import { inExecute, inNegotiate } from './carry.ts'
import type { JobTerms } from './terms.ts'
import { announceAgainMs, type JobEffect, type JobState, type JobStep } from './job-state.ts'

/** Gives the provider up and bids again under a higher epoch, or ends when it was the last try. */
export function replace(
  state: JobState,
  peer: PeerName,
  because: Refusal,
  effects: JobEffect[],
  nowMs: number,
): JobStep {
  const told: JobEffect = { do: 'tell', event: { stage: 'replacing', peer, because } }
  if (state.attempts > state.terms.retriesMax) return end(state, { outcome: 'expired', code: because.code }, effects)
  const failed = [...state.failed.filter((name) => name !== peer), peer]
  const terms = bidFrom(state.terms, nowMs)
  const next: JobState = {
    ...state,
    terms,
    failed,
    offers: [],
    phase: { at: 'bidding', announceAgainMs: nowMs + announceAgainMs, decideAtMs: null },
  }
  return [
    next,
    [...effects, { do: 'save' }, told, { do: 'errand', errand: 'stage' }, { do: 'errand', errand: 'announce' }],
  ]
}

/** The same call, made anew at this moment, with as long to wait. */
export function bidFrom(terms: JobTerms, nowMs: number): JobTerms {
  return { ...terms, bidFromMs: nowMs, bidUntilMs: nowMs + (terms.bidUntilMs - terms.bidFromMs) }
}

export function end(state: JobState, ending: Ending, effects: JobEffect[]): JobStep {
  const { phase } = state
  const award = 'gang' in phase ? phase.gang.slots[0]! : 'award' in phase ? phase.award : null
  const watch = 'watch' in phase ? phase.watch : null
  const pay = 'pay' in phase ? phase.pay : null
  const leasedMs = 'leasedMs' in phase ? phase.leasedMs : 0
  const stop: JobEffect[] =
    watch !== null && (watch.at === 'starting' || watch.at === 'running')
      ? [{ do: 'send', to: watch.lease.provider, message: inExecute({ lease: watch.lease.id, say: 'cancel' }) }]
      : []
  const document = watch?.at === 'ended' ? watch.result.document : null
  return [
    { ...state, offers: [], phase: { at: 'ended', award, leasedMs, watch, pay, ending } },
    [
      ...effects,
      ...stop,
      { do: 'save' },
      { do: 'tell', event: { stage: 'ended', ending, document, amountMicro: pay?.amountMicro ?? 0 } },
    ],
  ]
}

export function releases(state: JobState): JobEffect[] {
  return state.offers.map((offer) => ({
    do: 'send',
    to: offer.by,
    message: inNegotiate({ say: 'release', job: state.terms.job }),
  }))
}

export function follow(lease: Lease): JobEffect {
  return { do: 'errand', errand: 'follow', lease: lease.id, provider: lease.provider }
}

export function resultOf(watch: WatchState) {
  if (watch.at !== 'ended') throw new Error('collecting without a result')
  return watch.result
}

export function codeOf(reason: string): string {
  return reason.toUpperCase().replaceAll('-', '_')
}
