/** A job of ours from the lease to its end: start, watch, collect, pay. Pure; job-machine.ts says how a job comes here. */
import {
  isWorkDone,
  isWorthRetrying,
  stepWatch,
  type WatchEvent,
  type WatchState,
} from '../../protocols/execute/index.ts'
import { stepAward } from '../../protocols/negotiate/index.ts'
import { stepPay, type PayEvent } from '../../protocols/receipt/index.ts'
import { inExecute, inNegotiate, inReceipt, lift, type CarryInput } from './carry.ts'
import {
  settleWithinMs,
  type JobContext,
  type JobEffect,
  type JobInput,
  type JobPhase,
  type JobState,
  type JobStep,
} from './job-state.ts'
import { codeOf, end, follow, replace, resultOf } from './job-turns-machine.ts'

type At<Where extends JobPhase['at']> = Extract<JobPhase, { at: Where }>

export function fromLeased(
  context: JobContext,
  state: JobState,
  phase: At<'leased'>,
  input: JobInput,
  nowMs: number,
): JobStep {
  if (input.is === 'message' && input.protocol === 'receipt')
    return onBilling(context, state, phase, input, null, nowMs)
  if (input.is === 'message' && input.protocol === 'negotiate')
    return onLateNegotiation(context, state, phase, input, nowMs)
  const inner = executionInput(input)
  if (inner === undefined) return [state, []]
  const [watch, raw] = stepWatch(context.notary, phase.watch, inner, nowMs)
  const { effects, events } = lift(inExecute, raw)
  const again: JobEffect[] = input.is === 'restarted' && watch.at === 'running' ? [follow(phase.lease)] : []
  return onWatchEvents(
    { ...state, phase: { ...phase, watch } },
    { ...phase, watch },
    events,
    [...effects, ...again],
    nowMs,
  )
}

/** A provider that says COMMIT_LATE has no lease: the place is awarded again, unless it has already begun. */
function onLateNegotiation(
  context: JobContext,
  state: JobState,
  phase: At<'leased'>,
  input: Extract<CarryInput, { protocol: 'negotiate' }>,
  nowMs: number,
): JobStep {
  const { lease, watch } = phase
  const refused =
    input.message.say === 'refuse' &&
    input.from === lease.provider &&
    input.message.place.epoch === lease.award.body.epoch
  if (refused && watch.at === 'starting' && input.message.say === 'refuse') {
    return replace(state, lease.provider, input.message.refusal, [], nowMs)
  }
  const [award, raw] = stepAward(context.notary, phase.award, input, nowMs)
  return [{ ...state, phase: { ...phase, award } }, lift(inNegotiate, raw).effects]
}

function onWatchEvents(
  state: JobState,
  phase: At<'leased'> & { watch: WatchState },
  events: readonly WatchEvent[],
  effects: JobEffect[],
  nowMs: number,
): JobStep {
  const event = events[0]
  const { lease } = phase
  if (event === undefined) return [state, effects]
  switch (event.happened) {
    case 'started':
      return [state, [...effects, { do: 'tell', event: { stage: 'running', peer: lease.provider } }, follow(lease)]]
    case 'progress':
      return [state, [...effects, { do: 'tell', event: { stage: 'progress', progress: event.progress } }]]
    case 'lost':
      return replace(state, lease.provider, event.because, effects, nowMs)
    case 'ended': {
      const { document, outputs, cid } = event
      const { reason, exitCode, detail } = document
      const told: JobEffect = {
        do: 'tell',
        event: { stage: 'result', peer: lease.provider, reason, exitCode, detail, result: cid },
      }
      if (isWorthRetrying(reason))
        return replace(state, lease.provider, { code: codeOf(reason), facts: { detail } }, [...effects, told], nowMs)
      if (!isWorkDone(reason)) return end(state, { outcome: 'refused', code: codeOf(reason) }, [...effects, told])
      const next: JobPhase = {
        ...phase,
        at: 'collecting',
        collected: false,
        held: null,
        settleByMs: nowMs + state.terms.collectWithinMs,
      }
      return [
        { ...state, phase: next },
        [
          ...effects,
          told,
          { do: 'save' },
          { do: 'errand', errand: 'collect', document, outputs, lease: lease.id, provider: lease.provider },
        ],
      ]
    }
    default:
      return event satisfies never
  }
}

/** The provider repeats the final receipt until it is answered; kept, it can be answered as soon as the outputs are here. */
function holding(
  phase: At<'collecting'>,
  { from, message }: Extract<CarryInput, { protocol: 'receipt' }>,
): At<'collecting'> {
  const isFinal = message.say === 'receipt' && message.receipt.body.final && from === phase.lease.provider
  return isFinal ? { ...phase, held: message.receipt } : phase
}

function onCollected(context: JobContext, state: JobState, phase: At<'collecting'>, nowMs: number): JobStep {
  const next: At<'collecting'> = { ...phase, collected: true, held: null, settleByMs: nowMs + settleWithinMs }
  const collected: JobState = { ...state, phase: next }
  if (phase.held === null) return [collected, [{ do: 'save' }]]
  const input: Extract<CarryInput, { protocol: 'receipt' }> = {
    is: 'message',
    protocol: 'receipt',
    from: phase.lease.provider,
    message: { say: 'receipt', receipt: phase.held },
  }
  const [paid, effects] = onBilling(context, collected, next, input, resultOf(phase.watch).cid, nowMs)
  return [paid, [{ do: 'save' }, ...effects]]
}

export function fromCollecting(
  context: JobContext,
  state: JobState,
  phase: At<'collecting'>,
  input: JobInput,
  nowMs: number,
): JobStep {
  const result = resultOf(phase.watch)
  switch (input.is) {
    case 'message':
      if (input.protocol !== 'receipt') return answer(context, state, phase, input, nowMs)
      if (phase.collected) return onBilling(context, state, phase, input, result.cid, nowMs)
      return onBilling(context, { ...state, phase: holding(phase, input) }, holding(phase, input), input, null, nowMs)
    case 'collected':
      return input.lease === phase.lease.id ? onCollected(context, state, phase, nowMs) : [state, []]
    case 'collecting-failed':
      if (input.lease !== phase.lease.id) return [state, []]
      // Outputs that cannot be had are not paid for; another provider may do better.
      return replace(state, phase.lease.provider, input.because, [], nowMs)
    case 'restarted':
      return phase.collected
        ? [{ ...state, phase: { ...phase, settleByMs: nowMs + settleWithinMs } }, []]
        : [
            state,
            [
              {
                do: 'errand',
                errand: 'collect',
                document: result.document,
                outputs: result.outputs,
                lease: phase.lease.id,
                provider: phase.lease.provider,
              },
            ],
          ]
    case 'wake':
      if (nowMs < phase.settleByMs) return [state, []]
      if (phase.collected) return end(state, { outcome: 'expired', code: 'NO_FINAL_RECEIPT' }, [])
      return replace(
        state,
        phase.lease.provider,
        { code: 'OUTPUTS_SLOW', facts: { waitedMs: state.terms.collectWithinMs } },
        [],
        nowMs,
      )
    case 'cancel':
    case 'staged':
    case 'staging-failed':
      return [state, []]
    default:
      return input satisfies never
  }
}

function onBilling(
  context: JobContext,
  state: JobState,
  phase: At<'leased'> | At<'collecting'>,
  input: Extract<CarryInput, { protocol: 'receipt' }>,
  result: string | null,
  nowMs: number,
): JobStep {
  const [pay, raw] = stepPay(context.notary, phase.pay, { ...input, wallMs: nowMs - phase.leasedMs, result }, nowMs)
  const { effects, events } = lift(inReceipt, raw)
  const next: JobState = { ...state, phase: { ...phase, pay } }
  const event: PayEvent | undefined = events[0]
  if (event === undefined || event.happened === 'disputed') return [next, effects]
  const { sequence, final, amountMicro } = event
  const told: JobEffect = {
    do: 'tell',
    event: { stage: 'receipt', lease: phase.lease.id, sequence, final, amountMicro },
  }
  return final ? end(next, { outcome: 'paid', code: 'PAID' }, [...effects, told]) : [next, [...effects, told]]
}

/** Final. A provider that repeats itself gets the same answers as before, so that it can end as well. */
export function fromEnded(
  context: JobContext,
  state: JobState,
  phase: At<'ended'>,
  input: JobInput,
  nowMs: number,
): JobStep {
  return input.is === 'message' ? answer(context, state, phase, input, nowMs) : [state, []]
}

function answer(
  context: JobContext,
  state: JobState,
  phase: At<'collecting'> | At<'ended'>,
  input: CarryInput,
  nowMs: number,
): JobStep {
  switch (input.protocol) {
    case 'negotiate': {
      if (phase.award === null) return [state, []]
      const [award, raw] = stepAward(context.notary, phase.award, input, nowMs)
      return [{ ...state, phase: { ...phase, award } }, lift(inNegotiate, raw).effects]
    }
    case 'execute': {
      if (phase.watch === null) return [state, []]
      const [watch, raw] = stepWatch(context.notary, phase.watch, input, nowMs)
      return [{ ...state, phase: { ...phase, watch } }, lift(inExecute, raw).effects]
    }
    case 'receipt': {
      if (phase.pay === null || phase.pay.at !== 'settled') return [state, []]
      const [pay, raw] = stepPay(
        context.notary,
        phase.pay,
        { ...input, wallMs: nowMs - phase.leasedMs, result: null },
        nowMs,
      )
      return [{ ...state, phase: { ...phase, pay } }, lift(inReceipt, raw).effects]
    }
    default:
      return input satisfies never
  }
}

function executionInput(input: JobInput) {
  if (input.is === 'message') return input.protocol === 'execute' ? input : undefined
  return input.is === 'wake' || input.is === 'restarted' || input.is === 'cancel' ? input : undefined
}
