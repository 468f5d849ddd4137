/**
 * Reading a job's log: the requester asks from an offset, with a credit; what comes out of order or twice is dropped, and
 * what is missing is asked for again. So a live view costs no memory at the provider and loses nothing.
 *
 * Pure: the caller brings the time.
 */
import {
  executeRetransmitMs,
  followAgainMsMax,
  logCreditBytes,
  type ExecutionBody,
  type LogChannel,
} from './messages.ts'

export interface LogReaderState {
  readonly offsets: Readonly<Record<LogChannel, number>>
  /** Offsets at which the last FOLLOW was sent: more credit is given when half of it is used. */
  readonly asked: Readonly<Record<LogChannel, number>>
  /** Ends of both logs, once the RESULT has named them. */
  readonly ends: Readonly<Record<LogChannel, number>> | null
  readonly askAgainMs: number
  /** How long the next wait is: a program that says nothing is asked less and less often. */
  readonly waitMs: number
  /** Something was lost on the way: other bytes that come do not put the next question off. */
  readonly hasGap: boolean
}

export type LogReaderInput =
  | { readonly is: 'chunk'; readonly channel: LogChannel; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly is: 'ends'; readonly ends: Readonly<Record<LogChannel, number>> }
  | { readonly is: 'wake' }

export interface LogReaderStep {
  readonly state: LogReaderState
  readonly say: ExecutionBody | null
  /** New bytes, in order, to be shown. */
  readonly fresh: { readonly channel: LogChannel; readonly bytes: Uint8Array } | null
}

export function openLog(offsets: Readonly<Record<LogChannel, number>>, nowMs: number): LogReaderStep {
  const state: LogReaderState = {
    offsets,
    asked: offsets,
    ends: null,
    askAgainMs: nowMs,
    waitMs: executeRetransmitMs,
    hasGap: false,
  }
  return ask(state, executeRetransmitMs, nowMs, null)
}

export function isLogComplete(state: LogReaderState): boolean {
  const { ends, offsets } = state
  return ends !== null && offsets.stdout >= ends.stdout && offsets.stderr >= ends.stderr
}

export function logWakeAtMs(state: LogReaderState): number | undefined {
  return isLogComplete(state) ? undefined : state.askAgainMs
}

export function stepLog(state: LogReaderState, input: LogReaderInput, nowMs: number): LogReaderStep {
  switch (input.is) {
    case 'chunk':
      return onChunk(state, input.channel, input.offset, input.bytes, nowMs)
    case 'ends': {
      const next = { ...state, ends: input.ends }
      return isLogComplete(next) ? { state: next, say: null, fresh: null } : ask(next, executeRetransmitMs, nowMs, null)
    }
    case 'wake':
      return nowMs < state.askAgainMs || isLogComplete(state)
        ? { state, say: null, fresh: null }
        : ask(state, state.hasGap ? executeRetransmitMs : state.waitMs, nowMs, null)
    default:
      return input satisfies never
  }
}

function onChunk(
  state: LogReaderState,
  channel: LogChannel,
  offset: number,
  bytes: Uint8Array,
  nowMs: number,
): LogReaderStep {
  const have = state.offsets[channel]
  // A gap means that something was lost on the way: the next FOLLOW asks for it. An overlap is cut off.
  if (offset > have) return { state: { ...state, hasGap: true }, say: null, fresh: null }
  if (offset + bytes.byteLength <= have) return { state, say: null, fresh: null }
  const fresh = { channel, bytes: bytes.subarray(have - offset) }
  const next = {
    ...state,
    offsets: { ...state.offsets, [channel]: offset + bytes.byteLength },
    askAgainMs: state.hasGap ? state.askAgainMs : nowMs + executeRetransmitMs,
    waitMs: executeRetransmitMs,
  }
  const used = next.offsets[channel] - state.asked[channel]
  return used * 2 >= logCreditBytes ? ask(next, executeRetransmitMs, nowMs, fresh) : { state: next, say: null, fresh }
}

function ask(state: LogReaderState, waitMs: number, nowMs: number, fresh: LogReaderStep['fresh']): LogReaderStep {
  const { stdout, stderr } = state.offsets
  const next: LogReaderState = {
    ...state,
    asked: state.offsets,
    askAgainMs: nowMs + waitMs,
    waitMs: Math.min(2 * waitMs, followAgainMsMax),
    hasGap: false,
  }
  return {
    state: next,
    say: { say: 'follow', stdoutOffset: stdout, stderrOffset: stderr, creditBytes: logCreditBytes },
    fresh,
  }
}
