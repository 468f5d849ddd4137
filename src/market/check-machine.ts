/**
 * Probation: what a peer that is new to us makes of a small job of the deterministic profile is compared with what one that we know
 * makes of it. Both work at the place at the same time, neither knows of it, and nothing is shown of either before. Pure.
 */
import { isComparable, outcomeOf } from '../../protocols/execute/index.ts'
import type { Lease } from '../../protocols/negotiate/index.ts'
import { refusal } from '../../protocols/wire/index.ts'
import {
  checkUnderWay,
  endingOf,
  heldPlaces,
  type JobContext,
  type JobEffect,
  type JobState,
  type JobStep,
} from './job-state.ts'
import { matched, openOffers, quit, show, withSlot } from './job-turns.ts'
import { beginRedo, waitMsMin } from './redo-machine.ts'
import { isReading, payUnread, wasFirst, withSpare } from './race-machine.ts'
import { resultOf, signMeanwhile } from './slot-machine.ts'
import { waitUntilMs, workOf, type Finding, type SlotAt, type SlotState, type Spare } from './slot-state.ts'

/** Nobody whom we know less is called slow before this. */
const slowMsMin = 2_000

/** Of these leases, which are new, those on probation get a second place beside theirs, if somebody who may check has offered. */
export function seekChecks(context: JobContext, state: JobState, leases: readonly Lease[], nowMs: number): JobStep {
  const effects: JobEffect[] = []
  let at = state
  if (!state.terms.checksStrangers || state.cancelled || state.verdict !== null) return [state, []]
  for (const lease of leases) {
    const { award, provider: peer } = lease
    const { slot, epoch } = award.body
    const isSecond = workOf(at.slots[slot]!)?.lease.id !== lease.id
    if (isSecond || !context.isToCheck(award.body)) continue
    // What we make ourselves is known already, or will be: of the same job all make the same.
    const isMadeHere = at.madeHere !== null || at.redos.some(({ found }) => found === null)
    if (!isMadeHere && hasChecker(context, at, lease, nowMs)) {
      const { attempts } = at.slots[slot]!
      const place: SlotState = { slot, epoch, attempts, at: 'vacant' }
      at = { ...at, spares: [...at.spares, { place, endByMs: null, check: { found: null, untilMs: null } }] }
    } else if (isMadeHere || context.mayRedo(award.body)) {
      const [next, more] = beginRedo(context, at, lease)
      at = next
      effects.push(...more)
    } else effects.push({ do: 'tell', event: { stage: 'checked', slot, peer, by: null, found: 'nothing' } })
  }
  return [at, effects]
}

/** Whether somebody who may check has offered, and the place has no second lease yet. */
function hasChecker(context: JobContext, state: JobState, { award: { body } }: Lease, nowMs: number): boolean {
  if (state.spares.some(({ place }) => place.slot === body.slot)) return false
  return openOffers(context, state, body, nowMs).length > 0
}

/** Looks at all that is compared: whether both have a result, or one need not be waited for any more. */
export function stepChecks(context: JobContext, state: JobState, nowMs: number): JobStep {
  const effects: JobEffect[] = []
  let at = state
  for (const { place } of state.spares) {
    const spare = checkUnderWay(at, place.slot)
    if (spare === undefined) continue
    const [next, more] = stepCheck(context, at, spare, nowMs)
    at = next
    effects.push(...more)
  }
  if (at === state) return [state, []]
  return [at, [...effects, { do: 'save' }]]
}

/** Whose result waits is paid before its provider gives up. */
export function payMeanwhile(context: JobContext, state: JobState, nowMs: number): JobStep {
  const effects: JobEffect[] = []
  let at = state
  for (const place of heldPlaces(state)) {
    const [paid, more] = signMeanwhile(context, at.terms, place, nowMs)
    if (paid === place) continue
    at = {
      ...at,
      slots: at.slots.map((one) => (one === place ? paid : one)),
      spares: at.spares.map((spare) => (spare.place === place ? { ...spare, place: paid } : spare)),
    }
    effects.push(...more)
  }
  return [at, effects]
}

/** What a place does that is compared: its work goes on, and nothing is shown of it. */
export function isShown(effect: JobEffect): boolean {
  return isReading(effect) || (effect.do === 'tell' && effect.event.stage === 'result')
}

function stepCheck(context: JobContext, state: JobState, spare: Spare, nowMs: number): JobStep {
  const { place: second, endByMs } = spare
  const first = state.slots[second.slot]!
  // It was lost, or is not wanted any more: that says nothing of the first.
  if (endByMs !== null || second.at === 'ended') return keepFirst(state, spare, 'nothing', nowMs)
  if (first.at === 'collecting' && second.at === 'collecting')
    return compare(context, state, spare, first, second, nowMs)
  const done = first.at === 'collecting' ? first : second.at === 'collecting' ? second : undefined
  if (done === undefined) return [state, []]
  const leastMs = done === first ? waitMsMin : slowMsMin
  const { wallMsMax } = state.terms.requirements
  const untilMs = spare.check!.untilMs ?? waitUntilMs(done, leastMs, wallMsMax, nowMs)
  if (nowMs < untilMs)
    return spare.check!.untilMs === null
      ? [withSpare(state, spare, { ...spare, check: { found: null, untilMs } }), []]
      : [state, []]
  if (done === second && first.at === 'leased') return outrun(context, state, spare, first, nowMs)
  const [alone, quitting] = wasFirst(context, state, first.slot, nowMs)
  const [kept, showing] = keepFirst(alone, checkUnderWay(alone, first.slot)!, 'nothing', nowMs)
  return [kept, [...quitting, ...showing]]
}

function compare(
  context: JobContext,
  state: JobState,
  spare: Spare,
  first: SlotAt<'collecting'>,
  second: SlotAt<'collecting'>,
  nowMs: number,
): JobStep {
  const [mine, theirs] = [resultOf(first.work).document, resultOf(second.work).document]
  const areComparable = isComparable(mine.reason) && isComparable(theirs.reason)
  const found = !areComparable ? 'nothing' : outcomeOf(mine) === outcomeOf(theirs) ? 'same' : 'different'
  const isSecondBetter = found === 'different' || (found === 'nothing' && isComparable(theirs.reason))
  if (isSecondBetter) return keepSecond(context, state, spare, found, first, nowMs)
  const [kept, showing] = keepFirst(state, spare, found, nowMs)
  const over = kept.spares.find(({ place }) => place === second)!
  const [paid, more] = payUnread(context, kept, over, second, [], nowMs)
  return [paid, [...showing, ...more]]
}

function keepFirst(state: JobState, spare: Spare, found: Finding, nowMs: number): JobStep {
  const { slot } = spare.place
  const first = state.slots[slot]!
  const next = withSpare(state, spare, { ...spare, check: { found, untilMs: null } })
  const peer = workOf(first)?.lease.provider
  const by = workOf(spare.place)?.lease.provider ?? null
  const told: JobEffect[] =
    peer === undefined || endingOf(state) !== null
      ? []
      : [{ do: 'tell', event: { stage: 'checked', slot, peer, by, found } }]
  const [shown, more] = show(state.terms, first, nowMs)
  return [shown === first ? next : withSlot(next, shown), [...told, ...more]]
}

/** The second has the place; the first is paid for what it did, and nobody reads what it made. */
function keepSecond(
  context: JobContext,
  state: JobState,
  spare: Spare,
  found: Finding,
  first: SlotAt<'collecting'>,
  nowMs: number,
): JobStep {
  const { provider: peer } = first.work.lease
  const over: Spare = { place: first, endByMs: null, check: { found, untilMs: null } }
  const failed = found === 'different' ? [...state.failed.filter((name) => name !== peer), peer] : state.failed
  const [swapped, telling] = swap({ ...state, failed }, spare, over, nowMs)
  const [paid, more] = payUnread(context, swapped, over, first, [], nowMs)
  return [paid, [...telling, ...more]]
}

/** The first takes more than twice as long: it is told to stop, as whoever straggles. */
function outrun(context: JobContext, state: JobState, spare: Spare, first: SlotAt<'leased'>, nowMs: number): JobStep {
  const { slot, work } = first
  const [quitted, quitting] = quit(context, state.terms, first, nowMs)
  const [swapped, telling] = swap(state, spare, { ...quitted, check: { found: 'nothing', untilMs: null } }, nowMs)
  const because = refusal('STRAGGLED')
  return [
    swapped,
    [{ do: 'tell', event: { stage: 'replacing', slot, peer: work.lease.provider, because } }, ...telling, ...quitting],
  ]
}

function swap(state: JobState, spare: Spare, over: Spare, nowMs: number): JobStep {
  const { place: second } = spare
  const { slot } = second
  const [peer, by] = [workOf(over.place)!.lease.provider, workOf(second)!.lease.provider]
  const [shown, more] = show(state.terms, second, nowMs)
  const found = over.check!.found!
  return [
    withSlot(withSpare(state, spare, over), shown),
    [{ do: 'tell', event: { stage: 'checked', slot, peer, by, found } }, matched(state, second), ...more],
  ]
}
