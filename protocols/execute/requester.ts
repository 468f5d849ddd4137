/**
 * The requester's half of the execution of one lease: START until it is answered, then watch until there is a RESULT or the
 * provider has been silent for the reclaim window. Reading the log is a matter of its own (log-reader.ts).
 *
 * Pure: the caller brings the time and carries out the effects.
 */
import type { Notary } from '../negotiate/codec.ts'
import { Fault, type Effect, type PeerName, type Refusal, type Step } from '../wire/index.ts'
import {
  executeRetransmitMs,
  startWithinMs,
  type Execution,
  type ExecutionBody,
  type Grant,
  type ProgressReport,
  type StartOrder,
} from './messages.ts'
import { openResult, type ResultDocument } from './result.ts'

/** What this half must know of the lease. */
export interface WatchedLease {
  readonly id: string
  readonly provider: PeerName
  readonly job: string
  readonly slot: number
  readonly epoch: number
  readonly reclaimMs: number
}

interface Result {
  readonly document: ResultDocument
  readonly cid: string
  readonly outputs: Grant | null
}

export type WatchState =
  | {
      readonly at: 'starting'
      readonly lease: WatchedLease
      readonly order: StartOrder
      readonly sendAgainMs: number
      readonly giveUpMs: number
    }
  | {
      readonly at: 'running'
      readonly lease: WatchedLease
      readonly silentAtMs: number
      readonly cancelAgainMs: number | null
    }
  | { readonly at: 'ended'; readonly lease: WatchedLease; readonly result: Result }
  | { readonly at: 'lost'; readonly lease: WatchedLease; readonly because: Refusal }

export type WatchInput =
  | { readonly is: 'message'; readonly from: PeerName; readonly message: Execution }
  | { readonly is: 'wake' }
  | { readonly is: 'restarted' }
  | { readonly is: 'cancel' }

export type WatchEvent =
  | { readonly happened: 'started' }
  | { readonly happened: 'progress'; readonly progress: ProgressReport }
  | {
      readonly happened: 'ended'
      readonly document: ResultDocument
      readonly cid: string
      readonly outputs: Grant | null
    }
  | { readonly happened: 'lost'; readonly because: Refusal }

type WatchEffect = Effect<Execution, WatchEvent>
type WatchStep = Step<WatchState, Execution, WatchEvent>
type At<Where extends WatchState['at']> = Extract<WatchState, { at: Where }>

export function start(lease: WatchedLease, order: StartOrder, nowMs: number): WatchStep {
  const state: WatchState = {
    at: 'starting',
    lease,
    order,
    sendAgainMs: nowMs + executeRetransmitMs,
    giveUpMs: nowMs + startWithinMs,
  }
  return [state, [{ do: 'save' }, say(state, { say: 'start', order })]]
}

export function watchWakeAtMs(state: WatchState): number | undefined {
  switch (state.at) {
    case 'starting':
      return Math.min(state.sendAgainMs, state.giveUpMs)
    case 'running':
      return Math.min(state.silentAtMs, state.cancelAgainMs ?? Infinity)
    case 'ended':
    case 'lost':
      return undefined
    default:
      return state satisfies never
  }
}

export function stepWatch(notary: Notary, state: WatchState, input: WatchInput, nowMs: number): WatchStep {
  if (input.is === 'message' && (input.from !== state.lease.provider || input.message.lease !== state.lease.id))
    return [state, []]
  switch (state.at) {
    case 'starting':
      return fromStarting(notary, state, input, nowMs)
    case 'running':
      return fromRunning(notary, state, input, nowMs)
    case 'ended':
      // The provider repeats its RESULT until it knows that we have it.
      return input.is === 'message' && input.message.say === 'result'
        ? [state, [say(state, { say: 'result-seen' })]]
        : [state, []]
    case 'lost':
      // Whatever still comes is of an epoch that we have given up: tell the provider to stop.
      return input.is === 'message' && input.message.say !== 'unknown'
        ? [state, [say(state, { say: 'unknown' })]]
        : [state, []]
    default:
      return state satisfies never
  }
}

function fromStarting(notary: Notary, state: At<'starting'>, input: WatchInput, nowMs: number): WatchStep {
  switch (input.is) {
    case 'message':
      switch (input.message.say) {
        case 'started':
          return running(state, nowMs)
        case 'progress':
          // It has the lease and not our START, which was lost: saying it again is what we are waiting with.
          return input.message.progress.stage === 'waiting' ? [state, []] : running(state, nowMs)
        case 'result':
          return onResult(notary, state, input.message.result)
        case 'unknown':
          return lose(state, { code: 'LEASE_UNKNOWN', facts: {} })
        default:
          return [state, []]
      }
    case 'wake':
      if (nowMs >= state.giveUpMs) return lose(state, { code: 'NOT_STARTED', facts: { waitedMs: startWithinMs } })
      if (nowMs < state.sendAgainMs) return [state, []]
      return [
        { ...state, sendAgainMs: nowMs + executeRetransmitMs },
        [say(state, { say: 'start', order: state.order })],
      ]
    case 'restarted':
      return [
        { ...state, sendAgainMs: nowMs + executeRetransmitMs, giveUpMs: nowMs + startWithinMs },
        [say(state, { say: 'start', order: state.order })],
      ]
    case 'cancel':
      return cancel(state, nowMs)
    default:
      return input satisfies never
  }
}

function running(state: At<'starting'>, nowMs: number): WatchStep {
  return [
    { at: 'running', lease: state.lease, silentAtMs: nowMs + state.lease.reclaimMs, cancelAgainMs: null },
    [{ do: 'save' }, { do: 'tell', event: { happened: 'started' } }],
  ]
}

function fromRunning(notary: Notary, state: At<'running'>, input: WatchInput, nowMs: number): WatchStep {
  switch (input.is) {
    case 'message': {
      const heard: At<'running'> = { ...state, silentAtMs: nowMs + state.lease.reclaimMs }
      switch (input.message.say) {
        case 'progress':
          return [heard, [{ do: 'tell', event: { happened: 'progress', progress: input.message.progress } }]]
        case 'result':
          return onResult(notary, state, input.message.result)
        case 'unknown':
          return lose(state, { code: 'LEASE_UNKNOWN', facts: {} })
        default:
          return [heard, []]
      }
    }
    case 'wake':
      if (nowMs >= state.silentAtMs)
        return lose(state, { code: 'PROVIDER_SILENT', facts: { silentMs: state.lease.reclaimMs } })
      return state.cancelAgainMs !== null && nowMs >= state.cancelAgainMs ? cancel(state, nowMs) : [state, []]
    case 'restarted':
      return [{ ...state, silentAtMs: nowMs + state.lease.reclaimMs }, []]
    case 'cancel':
      return state.cancelAgainMs === null ? cancel(state, nowMs) : [state, []]
    default:
      return input satisfies never
  }
}

/** CANCEL is repeated until there is a RESULT; the clock of silence goes on. */
function cancel(state: At<'starting'> | At<'running'>, nowMs: number): WatchStep {
  const silentAtMs = state.at === 'running' ? state.silentAtMs : nowMs + state.lease.reclaimMs
  return [
    { at: 'running', lease: state.lease, silentAtMs, cancelAgainMs: nowMs + executeRetransmitMs },
    [{ do: 'save' }, say(state, { say: 'cancel' })],
  ]
}

function onResult(
  notary: Notary,
  state: At<'starting'> | At<'running'>,
  message: { statement: Uint8Array; outputs: Grant | null },
): WatchStep {
  const opened = tryOpen(notary, message.statement)
  if (opened instanceof Fault) return [state, [{ do: 'blame', peer: state.lease.provider, fault: opened }]]
  const wrong = whatIsWrong(state.lease, opened.by, opened.body, message.outputs)
  if (wrong !== undefined) return [state, [{ do: 'blame', peer: state.lease.provider, fault: wrong }]]
  const result: Result = { document: opened.body, cid: opened.cid, outputs: message.outputs }
  const effects: WatchEffect[] = [
    { do: 'record', statement: { kind: 'result', by: opened.by, envelope: opened.envelope } },
    { do: 'save' },
    say(state, { say: 'result-seen' }),
    { do: 'tell', event: { happened: 'ended', ...result } },
  ]
  return [{ at: 'ended', lease: state.lease, result }, effects]
}

function whatIsWrong(
  lease: WatchedLease,
  by: PeerName,
  document: ResultDocument,
  outputs: Grant | null,
): Fault | undefined {
  if (by !== lease.provider) return new Fault('SIGNER_UNEXPECTED', 'the RESULT is signed by another peer', { by })
  const same =
    document.lease === lease.id &&
    document.job === lease.job &&
    document.slot === lease.slot &&
    document.epoch === lease.epoch
  if (!same)
    return new Fault('FIELD_INVALID', 'the RESULT is of another lease', {
      lease: document.lease,
      epoch: document.epoch,
    })
  if ((document.outputs === null) !== (outputs === null))
    return new Fault('FIELD_INVALID', 'the RESULT does not say how to read its outputs')
  return undefined
}

function tryOpen(notary: Notary, statement: Uint8Array) {
  try {
    return openResult(notary, statement)
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
}

function lose(state: At<'starting'> | At<'running'>, because: Refusal): WatchStep {
  return [
    { at: 'lost', lease: state.lease, because },
    [{ do: 'save' }, say(state, { say: 'cancel' }), { do: 'tell', event: { happened: 'lost', because } }],
  ]
}

function say(state: WatchState, body: ExecutionBody): WatchEffect {
  return { do: 'send', to: state.lease.provider, message: { lease: state.lease.id, ...body } }
}
