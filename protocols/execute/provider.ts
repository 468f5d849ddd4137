/**
 * The provider's half of the execution of one lease: wait for START, have the inputs fetched, the program run and the
 * outputs sealed (each by the caller, who answers with an input), and repeat the RESULT until it has been seen.
 *
 * Pure: the caller brings the time and carries out the effects.
 */
import type { Notary } from '../negotiate/codec.ts'
import type { Effect, PeerName, Step } from '../wire/index.ts'
import {
  executeRetransmitMs,
  progressIntervalMs,
  type Execution,
  type ExecutionBody,
  type Grant,
  type ServiceHealth,
  type Stage,
  type StartOrder,
} from './messages.ts'
import { sealResult, type EndReason, type ResultDocument } from './result.ts'

export interface WorkedLease {
  readonly id: string
  readonly requester: PeerName
  readonly job: string
  readonly slot: number
  readonly epoch: number
  readonly reclaimMs: number
}

/** How the program ended, as the executor saw it. */
export type Exit = Readonly<Omit<ResultDocument, 'v' | 'kind' | 'job' | 'lease' | 'slot' | 'epoch' | 'outputs'>>

/** What the executor uses while the program runs. */
export interface Meter {
  readonly wallMs: number
  readonly cpuMs: number
  readonly memoryBytes: number
  readonly gas: number
  readonly health?: ServiceHealth
}

interface Common {
  readonly lease: WorkedLease
  readonly sayAgainMs: number
  readonly meter: Meter
}

export type TaskState =
  | (Common & { readonly at: 'waiting'; readonly giveUpMs: number })
  | (Common & { readonly at: 'staging'; readonly order: StartOrder; readonly cancelled: boolean })
  | (Common & { readonly at: 'running'; readonly order: StartOrder; readonly cancelled: boolean })
  | (Common & { readonly at: 'sealing'; readonly order: StartOrder; readonly exit: Exit })
  | (Common & {
      readonly at: 'reporting'
      readonly document: ResultDocument
      readonly cid: string
      readonly message: ExecutionBody
      readonly giveUpMs: number
    })
  | (Common & {
      readonly at: 'done'
      readonly document: ResultDocument | null
      readonly cid: string
      readonly message: ExecutionBody | null
      readonly seen: boolean
    })

export type TaskInput =
  | { readonly is: 'message'; readonly from: PeerName; readonly message: Execution }
  | { readonly is: 'staged' }
  | { readonly is: 'exited'; readonly exit: Exit; readonly hasOutputs: boolean }
  | { readonly is: 'sealed'; readonly cid: string; readonly outputs: Grant }
  | { readonly is: 'failed'; readonly reason: 'inputs-missing' | 'provider-failed'; readonly detail: string }
  | { readonly is: 'metered'; readonly meter: Meter }
  | { readonly is: 'wake' }
  | { readonly is: 'restarted' }
  /** The owner evicts the work, or the requester does not pay. */
  | { readonly is: 'stop' }

export type TaskEvent =
  | { readonly happened: 'stage'; readonly order: StartOrder }
  | { readonly happened: 'run'; readonly order: StartOrder }
  /** After a restart: the program may still run, or have ended meanwhile. */
  | { readonly happened: 'attach'; readonly order: StartOrder }
  | { readonly happened: 'kill' }
  | { readonly happened: 'seal'; readonly order: StartOrder }
  | { readonly happened: 'reported'; readonly document: ResultDocument; readonly cid: string }
  /** No START came, or nobody took the RESULT. */
  | { readonly happened: 'abandoned'; readonly code: string }
  | { readonly happened: 'seen' }

type TaskEffect = Effect<Execution, TaskEvent>
type TaskStep = Step<TaskState, Execution, TaskEvent>
/** Every input but the meter's, which is taken in any state alike. */
type Answer = Exclude<TaskInput, { is: 'metered' }>
type At<Where extends TaskState['at']> = Extract<TaskState, { at: Where }>

const idle: Meter = { wallMs: 0, cpuMs: 0, memoryBytes: 0, gas: 0 }
const nothing = { bytes: 0, sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' }

export function awaitStart(lease: WorkedLease, nowMs: number): TaskStep {
  const state: TaskState = {
    at: 'waiting',
    lease,
    meter: idle,
    sayAgainMs: nowMs + progressIntervalMs,
    giveUpMs: nowMs + lease.reclaimMs,
  }
  return [state, [{ do: 'save' }]]
}

export function taskWakeAtMs(state: TaskState): number | undefined {
  switch (state.at) {
    case 'waiting':
    case 'reporting':
      return Math.min(state.sayAgainMs, state.giveUpMs)
    case 'staging':
    case 'running':
    case 'sealing':
      return state.sayAgainMs
    case 'done':
      return undefined
    default:
      return state satisfies never
  }
}

export function stepTask(notary: Notary, state: TaskState, input: TaskInput, nowMs: number): TaskStep {
  if (input.is === 'message' && (input.from !== state.lease.requester || input.message.lease !== state.lease.id))
    return [state, []]
  if (input.is === 'metered') return [{ ...state, meter: input.meter }, []]
  switch (state.at) {
    case 'waiting':
      return fromWaiting(notary, state, input, nowMs)
    case 'staging':
    case 'running':
      return fromWorking(notary, state, input, nowMs)
    case 'sealing':
      return fromSealing(notary, state, input, nowMs)
    case 'reporting':
      return fromReporting(state, input, nowMs)
    case 'done':
      return fromDone(state, input)
    default:
      return state satisfies never
  }
}

function fromWaiting(notary: Notary, state: At<'waiting'>, input: Answer, nowMs: number): TaskStep {
  switch (input.is) {
    case 'message':
      switch (input.message.say) {
        case 'start': {
          const { order } = input.message
          return [
            {
              at: 'staging',
              lease: state.lease,
              order,
              cancelled: false,
              meter: state.meter,
              sayAgainMs: nowMs + progressIntervalMs,
            },
            [{ do: 'save' }, say(state, { say: 'started' }), { do: 'tell', event: { happened: 'stage', order } }],
          ]
        }
        case 'cancel':
          return report(notary, state, exitWithout('cancelled', 'cancelled before it began'), null, nowMs)
        case 'unknown':
          return abandon(state, 'LEASE_UNKNOWN')
        default:
          return [state, []]
      }
    case 'wake':
      if (nowMs >= state.giveUpMs) return abandon(state, 'NO_START')
      return sayProgress(state, 'waiting', nowMs)
    case 'restarted':
      return [{ ...state, giveUpMs: nowMs + state.lease.reclaimMs, sayAgainMs: nowMs }, []]
    case 'stop':
      return report(notary, state, exitWithout('provider-failed', 'stopped by its owner'), null, nowMs)
    default:
      return [state, []]
  }
}

function fromWorking(notary: Notary, state: At<'staging'> | At<'running'>, input: Answer, nowMs: number): TaskStep {
  switch (input.is) {
    case 'message':
      if (input.message.say === 'start') return [state, [say(state, { say: 'started' })]]
      if (input.message.say === 'cancel' || input.message.say === 'unknown') return kill(state)
      return [state, []]
    case 'stop':
      return kill(state)
    case 'staged': {
      if (state.at === 'running') return [state, []]
      if (state.cancelled)
        return report(notary, state, exitWithout('cancelled', 'cancelled before it began'), null, nowMs)
      const next: TaskState = { ...state, at: 'running' }
      return [
        next,
        [{ do: 'save' }, progress(next, 'running'), { do: 'tell', event: { happened: 'run', order: state.order } }],
      ]
    }
    case 'exited': {
      if (!input.hasOutputs) return report(notary, state, input.exit, null, nowMs)
      const next: TaskState = {
        at: 'sealing',
        lease: state.lease,
        order: state.order,
        exit: input.exit,
        meter: state.meter,
        sayAgainMs: nowMs + progressIntervalMs,
      }
      return [
        next,
        [{ do: 'save' }, progress(next, 'sealing'), { do: 'tell', event: { happened: 'seal', order: state.order } }],
      ]
    }
    case 'failed':
      return report(notary, state, exitWithout(state.cancelled ? 'cancelled' : input.reason, input.detail), null, nowMs)
    case 'wake':
      return sayProgress(state, state.at, nowMs)
    case 'restarted':
      return takeUp(state, nowMs)
    case 'sealed':
      return [state, []]
    default:
      return input satisfies never
  }
}

function kill(state: At<'staging'> | At<'running'>): TaskStep {
  return state.cancelled ? [state, []] : [{ ...state, cancelled: true }, [{ do: 'tell', event: { happened: 'kill' } }]]
}

/** What was fetched is fetched again; a program outlives its peer. */
function takeUp(state: At<'staging'> | At<'running'>, nowMs: number): TaskStep {
  const happened = state.at === 'staging' ? 'stage' : 'attach'
  const effects: TaskEffect[] = [{ do: 'tell', event: { happened, order: state.order } }]
  if (state.cancelled) effects.push({ do: 'tell', event: { happened: 'kill' } })
  return [{ ...state, sayAgainMs: nowMs }, effects]
}

function fromSealing(notary: Notary, state: At<'sealing'>, input: Answer, nowMs: number): TaskStep {
  switch (input.is) {
    case 'message':
      return input.message.say === 'start' ? [state, [say(state, { say: 'started' })]] : [state, []]
    case 'sealed':
      return report(notary, state, state.exit, { cid: input.cid, outputs: input.outputs }, nowMs)
    case 'failed':
      return report(
        notary,
        state,
        { ...state.exit, reason: 'provider-failed', exitCode: null, detail: input.detail },
        null,
        nowMs,
      )
    case 'restarted':
      return [{ ...state, sayAgainMs: nowMs }, [{ do: 'tell', event: { happened: 'seal', order: state.order } }]]
    case 'wake':
      return sayProgress(state, 'sealing', nowMs)
    default:
      return [state, []]
  }
}

function report(
  notary: Notary,
  state: TaskState,
  exit: Exit,
  sealed: { cid: string; outputs: Grant } | null,
  nowMs: number,
): TaskStep {
  const { id, job, slot, epoch, requester, reclaimMs } = state.lease
  const document: ResultDocument = {
    v: 1,
    kind: 'result',
    job,
    lease: id,
    slot,
    epoch,
    reason: exit.reason,
    exitCode: exit.exitCode,
    detail: exit.detail.slice(0, 1000),
    stdout: exit.stdout,
    stderr: exit.stderr,
    outputs: sealed?.cid ?? null,
    outputBytes: sealed === null ? 0 : exit.outputBytes,
    outputFiles: sealed === null ? 0 : exit.outputFiles,
    outputsSha256: sealed === null ? null : exit.outputsSha256,
    image: exit.image,
    usage: exit.usage,
  }
  const { cid, envelope } = sealResult(notary, document)
  const message: ExecutionBody = { say: 'result', result: { statement: envelope, outputs: sealed?.outputs ?? null } }
  return [
    {
      at: 'reporting',
      lease: state.lease,
      document,
      cid,
      message,
      meter: state.meter,
      sayAgainMs: nowMs + executeRetransmitMs,
      giveUpMs: nowMs + reclaimMs,
    },
    [
      { do: 'record', statement: { kind: 'result', by: notary.signer.peer, envelope } },
      { do: 'save' },
      { do: 'send', to: requester, message: { lease: id, ...message } },
      { do: 'tell', event: { happened: 'reported', document, cid } },
    ],
  ]
}

function fromReporting(state: At<'reporting'>, input: Answer, nowMs: number): TaskStep {
  const { lease, document, cid, message, meter, sayAgainMs } = state
  const done = (seen: boolean): TaskState => ({ at: 'done', lease, document, cid, message, meter, sayAgainMs, seen })
  switch (input.is) {
    case 'message':
      if (input.message.say === 'result-seen')
        return [done(true), [{ do: 'save' }, { do: 'tell', event: { happened: 'seen' } }]]
      if (input.message.say === 'unknown')
        return [done(false), [{ do: 'save' }, { do: 'tell', event: { happened: 'abandoned', code: 'LEASE_UNKNOWN' } }]]
      return input.message.say === 'start' || input.message.say === 'cancel'
        ? [state, [say(state, message)]]
        : [state, []]
    case 'wake':
      if (nowMs >= state.giveUpMs)
        return [
          done(false),
          [{ do: 'save' }, { do: 'tell', event: { happened: 'abandoned', code: 'RESULT_NOT_TAKEN' } }],
        ]
      return nowMs >= sayAgainMs
        ? [{ ...state, sayAgainMs: nowMs + executeRetransmitMs }, [say(state, message)]]
        : [state, []]
    case 'restarted':
      return [
        { ...state, sayAgainMs: nowMs + executeRetransmitMs, giveUpMs: nowMs + lease.reclaimMs },
        [say(state, message)],
      ]
    default:
      return [state, []]
  }
}

/** Final. A requester that asks again gets the same answer. */
function fromDone(state: At<'done'>, input: Answer): TaskStep {
  if (input.is !== 'message' || state.message === null) return [state, []]
  const asks = input.message.say === 'start' || input.message.say === 'cancel'
  return asks ? [state, [say(state, state.message)]] : [state, []]
}

function abandon(state: At<'waiting'>, code: string): TaskStep {
  const { lease, meter, sayAgainMs } = state
  return [
    { at: 'done', lease, document: null, cid: '', message: null, meter, sayAgainMs, seen: false },
    [{ do: 'save' }, { do: 'tell', event: { happened: 'abandoned', code } }],
  ]
}

function exitWithout(reason: EndReason, detail: string): Exit {
  return {
    reason,
    detail,
    exitCode: null,
    stdout: nothing,
    stderr: nothing,
    usage: { wallMs: 0, cpuMs: 0, memoryBytesPeak: 0, gas: 0, inBytes: 0, outBytes: 0 },
    outputBytes: 0,
    outputFiles: 0,
    outputsSha256: null,
    image: null,
  }
}

function sayProgress<State extends TaskState>(state: State, stage: Stage, nowMs: number): TaskStep {
  return nowMs < state.sayAgainMs
    ? [state, []]
    : [{ ...state, sayAgainMs: nowMs + progressIntervalMs }, [progress(state, stage)]]
}

function progress(state: TaskState, stage: Stage): TaskEffect {
  return say(state, { say: 'progress', progress: { stage, ...state.meter } })
}

function say(state: TaskState, body: ExecutionBody): TaskEffect {
  return { do: 'send', to: state.lease.requester, message: { lease: state.lease.id, ...body } }
}
