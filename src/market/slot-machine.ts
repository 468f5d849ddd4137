/**
 * One place of a job of ours from its lease to its end: start, watch, collect, pay. Pure; hunt-machine.ts says how a place comes
 * to a lease, and job-machine.ts what becomes of the job when a place is lost, fails or is paid.
 */
import {
  isWorkDone,
  isWorthRetrying,
  outcomeOf,
  start,
  stepWatch,
  type ResultDocument,
  type StartOrder,
  type WatchEvent,
  type WatchState,
} from '../../protocols/execute/index.ts'
import { isPlaceOf, stepAward, type Lease } from '../../protocols/negotiate/index.ts'
import { openAccount, stepPay, type Measured } from '../../protocols/receipt/index.ts'
import { inExecute, inNegotiate, inReceipt, lift, type CarryInput } from './carry.ts'
import { settleWithinMs, type JobContext, type JobEffect, type JobInput } from './job-state.ts'
import { outputKeyOf } from './output-key.ts'
import { signAtMs, type SlotAt, type SlotState, type SlotStep, type Work } from './slot-state.ts'
import { billedLease, watchedLease, type JobTerms } from './terms.ts'

type Receiving = Extract<CarryInput, { protocol: 'receipt' }>
type Live = SlotAt<'leased'> | SlotAt<'collecting'>

/** The lease is there: the provider is told what to do. */
export function begin(place: SlotState, lease: Lease, job: StartOrder, nowMs: number): SlotStep {
  const order: StartOrder = { ...job, outputKey: outputKeyOf(job.outputKey, lease.id) }
  const [watch, raw] = start(watchedLease(lease), order, nowMs)
  const { slot, epoch, attempts } = place
  const work: Work = {
    award: { at: 'leased', lease },
    lease,
    leasedMs: nowMs,
    doneMs: null,
    watch,
    pay: openAccount(billedLease(lease)),
  }
  return [
    { slot, epoch, attempts: attempts + 1, at: 'leased', work },
    [...lift(inExecute, raw).effects, { do: 'tell', event: { stage: 'starting', slot, peer: lease.provider } }],
    null,
  ]
}

export function stepSlot(
  context: JobContext,
  terms: JobTerms,
  slot: SlotState,
  input: JobInput,
  nowMs: number,
): SlotStep {
  switch (slot.at) {
    case 'vacant':
      return [slot, [], null]
    case 'leased':
      return fromLeased(context, terms, slot, input, nowMs)
    case 'collecting':
      return fromCollecting(context, terms, slot, input, nowMs)
    case 'ended':
      return input.is === 'message' ? answer(context, slot, input, nowMs) : [slot, [], null]
    default:
      return slot satisfies never
  }
}

function fromLeased(
  context: JobContext,
  terms: JobTerms,
  slot: SlotAt<'leased'>,
  input: JobInput,
  nowMs: number,
): SlotStep {
  if (input.is === 'message' && input.protocol === 'receipt') return onBilling(context, terms, slot, input, nowMs)
  if (input.is === 'message' && input.protocol === 'negotiate') return onLateNegotiation(context, slot, input, nowMs)
  const inner = executionInput(input)
  if (inner === undefined) return [slot, [], null]
  const { work } = slot
  const [watch, raw] = stepWatch(context.notary, work.watch, inner, nowMs)
  const { effects, events } = lift(inExecute, raw)
  const next: SlotAt<'leased'> = watch === work.watch ? slot : { ...slot, work: { ...work, watch } }
  if (input.is === 'restarted') return [next, [...again(context, next, nowMs), ...effects], null]
  return onWatchEvent(terms, next, events[0], effects, nowMs)
}

/** After a restart: the provider may lack our COMMIT, or is sending us a log that nobody reads. */
function again(context: JobContext, { slot, work }: SlotAt<'leased'>, nowMs: number): JobEffect[] {
  if (work.watch.at === 'running') return [follow(slot, work.lease)]
  return lift(inNegotiate, stepAward(context.notary, work.award, { is: 'restarted' }, nowMs)[1]).effects
}

/** A provider that says COMMIT_LATE has no lease: the place is awarded again, unless it has already begun. */
function onLateNegotiation(
  context: JobContext,
  slot: SlotAt<'leased'>,
  input: Extract<CarryInput, { protocol: 'negotiate' }>,
  nowMs: number,
): SlotStep {
  const { lease, watch } = slot.work
  const { message, from } = input
  if (message.say === 'refuse' && from === lease.provider && isPlaceOf(lease.award.body, message.place)) {
    if (watch.at === 'starting') return [slot, [], { turn: 'lost', because: message.refusal }]
  }
  return answer(context, slot, input, nowMs)
}

function onWatchEvent(
  terms: JobTerms,
  slot: SlotAt<'leased'>,
  event: WatchEvent | undefined,
  effects: JobEffect[],
  nowMs: number,
): SlotStep {
  const { lease } = slot.work
  const place = { slot: slot.slot, peer: lease.provider }
  if (event === undefined) return [slot, effects, null]
  switch (event.happened) {
    case 'started':
      return [slot, [...effects, { do: 'tell', event: { stage: 'running', ...place } }, follow(slot.slot, lease)], null]
    case 'progress': {
      const { progress } = event
      return [slot, [...effects, { do: 'tell', event: { stage: 'progress', slot: slot.slot, progress } }], null]
    }
    case 'lost':
      return [slot, effects, { turn: 'lost', because: event.because }]
    case 'ended': {
      const { reason, detail } = event.document
      const all: JobEffect[] = [...effects, tellResult(slot.slot, lease, event)]
      if (isWorthRetrying(reason))
        return [slot, all, { turn: 'lost', because: { code: codeOf(reason), facts: { detail } } }]
      if (!isWorkDone(reason))
        return [slot, all, { turn: 'failed', ending: { outcome: 'refused', code: codeOf(reason) } }]
      const settleByMs = nowMs + terms.collectWithinMs
      const work: Work = { ...slot.work, doneMs: nowMs }
      const next: SlotAt<'collecting'> = { ...slot, at: 'collecting', work, collected: false, held: null, settleByMs }
      return [next, [...all, { do: 'save' }, collect(next)], null]
    }
    default:
      return event satisfies never
  }
}

function fromCollecting(
  context: JobContext,
  terms: JobTerms,
  slot: SlotAt<'collecting'>,
  input: JobInput,
  nowMs: number,
): SlotStep {
  switch (input.is) {
    case 'message':
      if (input.protocol !== 'receipt') return answer(context, slot, input, nowMs)
      return onBilling(context, terms, slot.collected ? slot : holding(slot, input), input, nowMs)
    case 'collected':
      return input.lease === slot.work.lease.id ? onCollected(context, terms, slot, nowMs) : [slot, [], null]
    case 'collecting-failed':
      // Outputs that cannot be had are not paid for; another provider may do better.
      return input.lease === slot.work.lease.id
        ? [slot, [], { turn: 'lost', because: input.because }]
        : [slot, [], null]
    case 'restarted':
      return slot.collected
        ? [{ ...slot, settleByMs: nowMs + settleWithinMs }, [], null]
        : [slot, [collect(slot)], null]
    case 'wake': {
      if (nowMs < slot.settleByMs) return [slot, [], null]
      if (slot.collected)
        return [slot, [], { turn: 'failed', ending: { outcome: 'expired', code: 'NO_FINAL_RECEIPT' } }]
      const facts = { waitedMs: terms.collectWithinMs }
      return [slot, [], { turn: 'lost', because: { code: 'OUTPUTS_SLOW', facts } }]
    }
    case 'cancel':
    case 'staged':
    case 'staging-failed':
    case 'redone':
      return [slot, [], null]
    default:
      return input satisfies never
  }
}

/** The provider repeats the final receipt until it is answered; kept, it can be answered as soon as the outputs are here. */
function holding(slot: SlotAt<'collecting'>, { from, message }: Receiving): SlotAt<'collecting'> {
  const { lease } = slot.work
  const isFinal =
    message.say === 'receipt' &&
    message.receipt.body.final &&
    message.receipt.body.lease === lease.id &&
    from === lease.provider
  return isFinal ? { ...slot, held: message.receipt } : slot
}

function onCollected(context: JobContext, terms: JobTerms, slot: SlotAt<'collecting'>, nowMs: number): SlotStep {
  const { held, work } = slot
  const next: SlotAt<'collecting'> = { ...slot, collected: true, held: null, settleByMs: nowMs + settleWithinMs }
  if (work.pay.at === 'settled') return [next, [{ do: 'save' }], { turn: 'paid' }]
  if (held === null) return [next, [{ do: 'save' }], null]
  const message = { say: 'receipt', receipt: held } as const
  const input: Receiving = { is: 'message', protocol: 'receipt', from: work.lease.provider, message }
  const [paid, effects, turn] = onBilling(context, terms, next, input, nowMs)
  return [paid, [{ do: 'save' }, ...effects], turn]
}

/** What it made waits to be compared, and its provider has waited long enough: it is paid before anything is fetched. */
export function signMeanwhile(
  context: JobContext,
  terms: JobTerms,
  slot: SlotAt<'collecting'>,
  nowMs: number,
): [SlotAt<'collecting'>, readonly JobEffect[]] {
  const { held, work } = slot
  if (held === null || nowMs < (signAtMs(slot) ?? Infinity)) return [slot, []]
  const message = { say: 'receipt', receipt: held } as const
  const input: Receiving = { is: 'message', protocol: 'receipt', from: work.lease.provider, message }
  const [paid, effects] = onBilling(context, terms, { ...slot, collected: true }, input, nowMs)
  return [{ ...slot, work: (paid as Live).work, held: null }, [{ do: 'save' }, ...effects]]
}

function onBilling(context: JobContext, terms: JobTerms, slot: Live, input: Receiving, nowMs: number): SlotStep {
  const { work } = slot
  const measured = measuredOf(terms, slot, nowMs)
  const [pay, raw] = stepPay(context.notary, work.pay, { ...input, measured }, nowMs)
  const { effects, events } = lift(inReceipt, raw)
  const next: Live = pay === work.pay ? slot : { ...slot, work: { ...work, pay } }
  const event = events[0]
  if (event?.happened !== 'countersigned') return [next, effects, null]
  const { sequence, final, amountMicro } = event
  const told: JobEffect = {
    do: 'tell',
    event: { stage: 'receipt', lease: work.lease.id, sequence, final, amountMicro },
  }
  return [next, [...effects, told], final ? { turn: 'paid' } : null]
}

/** A result counts once its outputs are here. Nothing has run since it came: what is too much then stays too much. */
function measuredOf({ requirements: { inBytes, gasMax } }: JobTerms, slot: Live, nowMs: number): Measured {
  const wallMs = (slot.work.doneMs ?? nowMs) - slot.work.leasedMs
  if (slot.at !== 'collecting' || !slot.collected) return { wallMs, inBytes, gasMax, result: null }
  const { cid, document } = resultOf(slot.work)
  const outBytes = document.outputs === null ? 0 : document.outputBytes
  return { wallMs, inBytes, gasMax, result: { cid, gas: document.usage.gas, outBytes } }
}

/** A provider that repeats itself gets the same answers as before, so that it can go on, or end as well. */
function answer(context: JobContext, slot: Live | SlotAt<'ended'>, input: CarryInput, nowMs: number): SlotStep {
  const { work } = slot
  if (work === null) return [slot, [], null]
  const [next, effects] = answered(context, work, input, nowMs)
  return [next === work ? slot : { ...slot, work: next }, effects, null]
}

function answered(context: JobContext, work: Work, input: CarryInput, nowMs: number): readonly [Work, JobEffect[]] {
  switch (input.protocol) {
    case 'negotiate': {
      const [award, raw] = stepAward(context.notary, work.award, input, nowMs)
      return [award === work.award ? work : { ...work, award }, lift(inNegotiate, raw).effects]
    }
    case 'execute': {
      const [watch, raw] = stepWatch(context.notary, work.watch, input, nowMs)
      return [watch === work.watch ? work : { ...work, watch }, lift(inExecute, raw).effects]
    }
    case 'receipt': {
      if (work.pay.at !== 'settled') return [work, []]
      // What is settled is only said again.
      const bill = { ...input, measured: { wallMs: 0, inBytes: 0, gasMax: 0, result: null } }
      const [pay, raw] = stepPay(context.notary, work.pay, bill, nowMs)
      return [pay === work.pay ? work : { ...work, pay }, lift(inReceipt, raw).effects]
    }
    default:
      return input satisfies never
  }
}

export function follow(slot: number, lease: Lease): JobEffect {
  return { do: 'errand', errand: 'follow', slot, lease: lease.id, provider: lease.provider }
}

/** Its result is the place's, and was kept back: it is told, and what it made is fetched. */
export function take(terms: JobTerms, slot: SlotAt<'collecting'>, nowMs: number): [SlotAt<'collecting'>, JobEffect[]] {
  const { lease } = slot.work
  return [
    { ...slot, settleByMs: nowMs + terms.collectWithinMs },
    [tellResult(slot.slot, lease, resultOf(slot.work)), { do: 'save' }, collect(slot)],
  ]
}

function tellResult(
  slot: number,
  { provider: peer }: Lease,
  { cid: result, document }: { readonly cid: string; readonly document: ResultDocument },
): JobEffect {
  const { reason, exitCode, detail } = document
  const { gas } = document.usage
  const outcome = outcomeOf(document)
  return { do: 'tell', event: { stage: 'result', slot, peer, reason, exitCode, detail, result, gas, outcome } }
}

function collect({ slot, work }: SlotAt<'collecting'>): JobEffect {
  const { document, outputs } = resultOf(work)
  const { id, provider } = work.lease
  return { do: 'errand', errand: 'collect', slot, document, outputs, lease: id, provider }
}

export function resultOf({ watch }: Work): Extract<WatchState, { at: 'ended' }>['result'] {
  if (watch.at !== 'ended') throw new Error('collecting without a result')
  return watch.result
}

function codeOf(reason: string): string {
  return reason.toUpperCase().replaceAll('-', '_')
}

function executionInput(input: JobInput) {
  if (input.is === 'message') return input.protocol === 'execute' ? input : undefined
  return input.is === 'wake' || input.is === 'restarted' || input.is === 'cancel' ? input : undefined
}
