/**
 * The life of one offer at its provider, from the hold of capacity to the last receipt. Composes the provider's halves of
 * negotiate, execute and receipt; what it decides itself is when to bill and when to stop working.
 *
 * Pure: the caller brings the time and carries out the effects and errands.
 */
import {
  awaitStart,
  isWorkDone,
  stepTask,
  taskWakeAtMs,
  type Exit,
  type Grant,
  type Meter,
  type StartOrder,
  type TaskEvent,
  type TaskState,
} from '../../protocols/execute/index.ts'
import {
  holdWakeAtMs,
  offer,
  stepHold,
  type HoldEvent,
  type HoldState,
  type Notary,
  type Offer,
} from '../../protocols/negotiate/index.ts'
import {
  billWakeAtMs,
  noUsage,
  openBill,
  stepBill,
  usageOf,
  type BillEvent,
  type BillState,
  type Usage,
} from '../../protocols/receipt/index.ts'
import type { Ending, PeerName, Refusal } from '../../protocols/wire/index.ts'
import { inExecute, inNegotiate, inReceipt, lift, type CarryEffect, type CarryInput } from './carry.ts'
import { billedLease, workedLease } from './terms.ts'

export interface LeaseState {
  readonly hold: HoldState
  readonly task: TaskState | null
  readonly bill: BillState | null
  /** When the program began to run, by our clock; null before. */
  readonly runMs: number | null
  /** What was fetched for it. */
  readonly inBytes: number
  readonly ending: Ending | null
}

export type LeaseInput =
  | CarryInput
  | { readonly is: 'wake' }
  | { readonly is: 'restarted' }
  | { readonly is: 'stop' }
  | { readonly is: 'staged'; readonly inBytes: number }
  | { readonly is: 'exited'; readonly exit: Exit; readonly hasOutputs: boolean }
  | { readonly is: 'sealed'; readonly cid: string; readonly outputs: Grant }
  | { readonly is: 'failed'; readonly reason: 'inputs-missing' | 'provider-failed'; readonly detail: string }
  | { readonly is: 'metered'; readonly meter: Meter }

/** What the owner of this peer is told about work for others. */
export type LeaseEvent =
  | { readonly stage: 'leased'; readonly lease: string; readonly requester: PeerName; readonly job: string }
  | { readonly stage: 'released'; readonly job: string; readonly because: Refusal }
  | { readonly stage: 'running'; readonly lease: string }
  | { readonly stage: 'reported'; readonly lease: string; readonly reason: string; readonly result: string }
  | {
      readonly stage: 'countersigned'
      readonly lease: string
      readonly sequence: number
      readonly final: boolean
      readonly amountMicro: number
    }
  | { readonly stage: 'ended'; readonly lease: string; readonly ending: Ending }

/** I/O that the machine asks for; each is answered by an input. */
export type LeaseErrand =
  | { readonly errand: 'stage'; readonly order: StartOrder }
  | { readonly errand: 'run'; readonly order: StartOrder }
  | { readonly errand: 'attach'; readonly order: StartOrder }
  | { readonly errand: 'seal'; readonly order: StartOrder }
  | { readonly errand: 'kill' }

export type LeaseEffect = CarryEffect<LeaseEvent> | ({ readonly do: 'errand' } & LeaseErrand)
export type LeaseStep = readonly [LeaseState, readonly LeaseEffect[]]

export function openLease(notary: Notary, requester: PeerName, terms: Offer): LeaseStep {
  const [hold, raw] = offer(notary, requester, terms)
  return [{ hold, task: null, bill: null, runMs: null, inBytes: 0, ending: null }, lift(inNegotiate, raw).effects]
}

export function leaseWakeAtMs(state: LeaseState): number | undefined {
  if (state.ending !== null) return undefined
  const { hold, task, bill } = state
  // A bill that counts matters only while the program runs: nothing new is billed between its end and the last receipt.
  const billing = bill !== null && (bill.at === 'asking' || task?.at === 'running')
  const wakes = [
    holdWakeAtMs(hold),
    task === null ? undefined : taskWakeAtMs(task),
    billing ? billWakeAtMs(bill) : undefined,
  ]
  const soonest = Math.min(...wakes.map((atMs) => atMs ?? Infinity))
  return soonest === Infinity ? undefined : soonest
}

/** Whether capacity is bound: by an offer, an acceptance, or work. What is left to do after the result binds none. */
export function isHolding(state: LeaseState): boolean {
  if (state.ending !== null || state.hold.at === 'closed') return false
  return state.task === null || (state.task.at !== 'reporting' && state.task.at !== 'done')
}

export function stepLease(notary: Notary, state: LeaseState, input: LeaseInput, nowMs: number): LeaseStep {
  let at: LeaseState = state
  const effects: LeaseEffect[] = []
  const take = ([next, more]: LeaseStep): void => {
    at = next
    effects.push(...more)
  }
  if (concernsHold(input)) take(stepNegotiation(notary, at, input, nowMs))
  if (input.is === 'staged') at = { ...at, inBytes: input.inBytes }
  if (at.task !== null && concernsTask(input)) take(stepExecution(notary, at, input, nowMs))
  if (at.bill !== null && concernsBill(input)) take(stepBilling(notary, at, input, nowMs))
  return [at, effects]
}

type Both = Extract<LeaseInput, { is: 'wake' | 'restarted' }>
type HoldSide = Both | Extract<CarryInput, { protocol: 'negotiate' }> | { is: 'stop' }
type BillSide = Both | Extract<CarryInput, { protocol: 'receipt' }>
type TaskSide = Exclude<LeaseInput, { protocol: 'negotiate' | 'receipt' }>

function concernsHold(input: LeaseInput): input is HoldSide {
  return input.is === 'message'
    ? input.protocol === 'negotiate'
    : input.is === 'wake' || input.is === 'restarted' || input.is === 'stop'
}

function concernsTask(input: LeaseInput): input is TaskSide {
  return input.is !== 'message' || input.protocol === 'execute'
}

function concernsBill(input: LeaseInput): input is BillSide {
  return input.is === 'message' ? input.protocol === 'receipt' : input.is === 'wake' || input.is === 'restarted'
}

function stepNegotiation(notary: Notary, state: LeaseState, input: HoldSide, nowMs: number): LeaseStep {
  const inner = input.is === 'stop' ? { is: 'withdraw' as const, because: { code: 'STOPPED', facts: {} } } : input
  const [hold, raw] = stepHold(notary, state.hold, inner, nowMs)
  const { effects, events } = lift(inNegotiate, raw)
  const event: HoldEvent | undefined = events[0]
  const next: LeaseState = { ...state, hold }
  if (event === undefined) return [next, effects]
  if (event.happened === 'released') {
    const ending: Ending = { outcome: 'expired', code: event.because.code }
    return [
      { ...next, ending },
      [...effects, { do: 'tell', event: { stage: 'released', job: hold.offer.body.job, because: event.because } }],
    ]
  }
  const { lease } = event
  const [task, more] = awaitStart(workedLease(lease), nowMs)
  return [
    { ...next, task },
    [
      ...effects,
      ...lift(inExecute, more).effects,
      {
        do: 'tell',
        event: { stage: 'leased', lease: lease.id, requester: lease.requester, job: lease.award.body.job },
      },
    ],
  ]
}

/** Work that we end ourselves has failed, and is not billed: the requester may have it done by another. */
const stopped: TaskSide = { is: 'failed', reason: 'provider-failed', detail: 'stopped by its owner' }

function stepExecution(notary: Notary, state: LeaseState, input: TaskSide, nowMs: number): LeaseStep {
  const at = state.task!.at
  if (input.is === 'stop' && (at === 'staging' || at === 'running')) {
    const [next, effects] = stepExecution(notary, state, stopped, nowMs)
    return [next, [{ do: 'errand', errand: 'kill' }, ...effects]]
  }
  const [task, raw] = stepTask(notary, state.task!, input, nowMs)
  const { effects, events } = lift(inExecute, raw)
  let next: LeaseState = { ...state, task }
  const all: LeaseEffect[] = [...effects]
  for (const event of events) {
    const [after, more] = onTaskEvent(notary, next, event, nowMs)
    next = after
    all.push(...more)
  }
  return [next, all]
}

function onTaskEvent(notary: Notary, state: LeaseState, event: TaskEvent, nowMs: number): LeaseStep {
  const lease = state.task!.lease.id
  switch (event.happened) {
    case 'stage':
    case 'attach':
    case 'seal':
      return [state, [{ do: 'errand', errand: event.happened, order: event.order }]]
    case 'kill':
      return [state, [{ do: 'errand', errand: 'kill' }]]
    case 'run': {
      if (state.hold.at !== 'leased') throw new Error('work without a lease')
      const bill = openBill(billedLease(state.hold.lease), nowMs)
      return [
        { ...state, bill, runMs: nowMs },
        [
          { do: 'save' },
          { do: 'errand', errand: 'run', order: event.order },
          { do: 'tell', event: { stage: 'running', lease } },
        ],
      ]
    }
    case 'reported':
      return [
        state,
        [{ do: 'tell', event: { stage: 'reported', lease, reason: event.document.reason, result: event.cid } }],
      ]
    case 'seen':
      return onResultSeen(notary, state, nowMs)
    case 'abandoned':
      return end(state, { outcome: 'expired', code: event.code }, [])
    default:
      return event satisfies never
  }
}

/** The requester has the result: if the work was done, the last receipt follows; otherwise that was all. */
function onResultSeen(notary: Notary, state: LeaseState, nowMs: number): LeaseStep {
  const { task } = state
  if (task?.at !== 'done' || task.document === null) throw new Error('a result was seen that is not there')
  const { reason, usage, outputBytes } = task.document
  if (!isWorkDone(reason))
    return end(state, { outcome: 'refused', code: reason.toUpperCase().replaceAll('-', '_') }, [])
  if (state.hold.at !== 'leased') throw new Error('a result without a lease')
  if (state.bill?.at === 'unpaid') return end(state, { outcome: 'expired', code: state.bill.because.code }, [])
  const open = state.bill ?? openBill(billedLease(state.hold.lease), nowMs)
  const { wallMs, cpuMs, gas, inBytes } = usage
  const billed = usageOf(open.lease, { wallMs, cpuMs, gas, inBytes, outBytes: outputBytes })
  const [bill, raw] = stepBill(notary, open, { is: 'close', usage: billed, result: task.cid }, nowMs)
  return [{ ...state, bill }, lift(inReceipt, raw).effects]
}

function stepBilling(notary: Notary, state: LeaseState, input: BillSide, nowMs: number): LeaseStep {
  const inner = input.is === 'wake' ? { is: 'wake' as const, usage: usageNow(state, nowMs) } : input
  if (inner.is === 'wake' && state.bill!.at === 'counting' && state.task?.at !== 'running') return [state, []]
  const [bill, raw] = stepBill(notary, state.bill!, inner, nowMs)
  const { effects, events } = lift(inReceipt, raw)
  const event: BillEvent | undefined = events[0]
  const next: LeaseState = { ...state, bill }
  if (event === undefined) return [next, effects]
  if (event.happened === 'countersigned') {
    const { sequence, final, amountMicro } = event
    const told: LeaseEffect = {
      do: 'tell',
      event: { stage: 'countersigned', lease: bill.lease.id, sequence, final, amountMicro },
    }
    return final ? end(next, { outcome: 'paid', code: 'PAID' }, [...effects, told]) : [next, [...effects, told]]
  }
  return onUnpaid(notary, next, event.because, effects, nowMs)
}

/** A requester that does not countersign is worked for no longer. */
function onUnpaid(
  notary: Notary,
  state: LeaseState,
  because: Refusal,
  effects: LeaseEffect[],
  nowMs: number,
): LeaseStep {
  const { task } = state
  if (task === null || task.at === 'done' || task.at === 'reporting')
    return end(state, { outcome: 'expired', code: because.code }, effects)
  const [stopped, more] = stepExecution(notary, state, { is: 'stop' }, nowMs)
  return [stopped, [...effects, ...more]]
}

function usageNow(state: LeaseState, nowMs: number): Usage {
  const { task, bill, runMs, inBytes } = state
  if (task === null || bill === null || runMs === null) return noUsage
  const { cpuMs, gas } = task.meter
  return usageOf(bill.lease, { wallMs: Math.max(0, nowMs - runMs), cpuMs, gas, inBytes, outBytes: 0 })
}

function end(state: LeaseState, ending: Ending, effects: LeaseEffect[]): LeaseStep {
  const lease = state.task?.lease.id ?? ''
  return [{ ...state, ending }, [...effects, { do: 'save' }, { do: 'tell', event: { stage: 'ended', lease, ending } }]]
}
