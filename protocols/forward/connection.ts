/**
 * One connection, from either side: what is due, what may be said, and when it is over. Bytes pass through and are not kept.
 *
 * Pure: the caller brings the time, carries the effects out one after the other, and waits for each: that is the back-pressure.
 */
import { Fault, type Refusal } from '../wire/index.ts'
import { forwardIdleMs, type Forward } from './messages.ts'

export type ConnectionState =
  /** At the provider: OPEN is due. */
  | { readonly at: 'awaiting' }
  /** At the provider: the port is being connected to. */
  | { readonly at: 'connecting' }
  /** At the requester: OPENED or REFUSED is due. */
  | { readonly at: 'opening' }
  /** `said`, `heard`: END, in either direction. */
  | { readonly at: 'open'; readonly said: boolean; readonly heard: boolean; readonly idleAtMs: number }
  | { readonly at: 'over' }

export type ConnectionInput =
  | { readonly is: 'frame'; readonly message: Forward }
  | { readonly is: 'connected' }
  | { readonly is: 'refuse'; readonly refusal: Refusal }
  /** From our own end. */
  | { readonly is: 'came'; readonly bytes: Uint8Array }
  | { readonly is: 'ended' }
  /** The stream, our end or the lease is no more. */
  | { readonly is: 'broken' }
  | { readonly is: 'wake' }

export type ConnectionEffect =
  | { readonly do: 'send'; readonly message: Forward }
  | { readonly do: 'connect'; readonly lease: string; readonly port: number }
  | { readonly do: 'refused'; readonly refusal: Refusal }
  /** To our own end. */
  | { readonly do: 'give'; readonly bytes: Uint8Array }
  | { readonly do: 'finish' }
  /** Both ends at once. */
  | { readonly do: 'close' }

export type ConnectionStep = readonly [ConnectionState, readonly ConnectionEffect[]]
type Open = Extract<ConnectionState, { at: 'open' }>

export const awaitOpen: ConnectionState = { at: 'awaiting' }
const over: ConnectionState = { at: 'over' }

export function askToOpen(lease: string, port: number): ConnectionStep {
  return [{ at: 'opening' }, [{ do: 'send', message: { say: 'open', lease, port } }]]
}

export function connectionWakeAtMs(state: ConnectionState): number | undefined {
  return state.at === 'open' ? state.idleAtMs : undefined
}

/** Throws a Fault for what is out of turn. What comes when it is over is passed over. */
export function stepConnection(state: ConnectionState, input: ConnectionInput, nowMs: number): ConnectionStep {
  if (state.at === 'over') return [state, []]
  if (input.is === 'broken') return [over, [{ do: 'close' }]]
  switch (state.at) {
    case 'awaiting': {
      if (input.is === 'refuse') return [over, [{ do: 'send', message: { say: 'refused', refusal: input.refusal } }]]
      if (input.is !== 'frame') return [state, []]
      const { message } = input
      if (message.say !== 'open') throw outOfTurn('OPEN', message)
      return [{ at: 'connecting' }, [{ do: 'connect', lease: message.lease, port: message.port }]]
    }
    case 'connecting':
      if (input.is === 'frame') throw outOfTurn('nothing', input.message)
      if (input.is === 'connected') return [opened(nowMs), [{ do: 'send', message: { say: 'opened' } }]]
      if (input.is === 'refuse') return [over, [{ do: 'send', message: { say: 'refused', refusal: input.refusal } }]]
      return [state, []]
    case 'opening': {
      if (input.is !== 'frame') return [state, []]
      const { message } = input
      if (message.say === 'opened') return [opened(nowMs), []]
      if (message.say === 'refused') return [over, [{ do: 'refused', refusal: message.refusal }]]
      throw outOfTurn('OPENED', message)
    }
    case 'open':
      return fromOpen(state, input, nowMs)
    default:
      return state satisfies never
  }
}

function fromOpen(state: Open, input: Exclude<ConnectionInput, { is: 'broken' }>, nowMs: number): ConnectionStep {
  const moved: Open = { ...state, idleAtMs: nowMs + forwardIdleMs }
  switch (input.is) {
    case 'came':
      return state.said ? [state, []] : [moved, [{ do: 'send', message: { say: 'data', bytes: input.bytes } }]]
    case 'ended':
      return state.said ? [state, []] : ended({ ...moved, said: true }, { do: 'send', message: { say: 'end' } })
    case 'frame': {
      const { message } = input
      if (state.heard || (message.say !== 'data' && message.say !== 'end')) throw outOfTurn('DATA or END', message)
      if (message.say === 'data') return [moved, [{ do: 'give', bytes: message.bytes }]]
      return ended({ ...moved, heard: true }, { do: 'finish' })
    }
    case 'wake':
      return nowMs < state.idleAtMs ? [state, []] : [over, [{ do: 'close' }]]
    case 'connected':
    case 'refuse':
      return [state, []]
    default:
      return input satisfies never
  }
}

function opened(nowMs: number): ConnectionState {
  return { at: 'open', said: false, heard: false, idleAtMs: nowMs + forwardIdleMs }
}

function ended(state: Open, effect: ConnectionEffect): ConnectionStep {
  return [state.said && state.heard ? over : state, [effect]]
}

function outOfTurn(due: string, { say }: Forward): Fault {
  return new Fault('OUT_OF_TURN', `${due} was due`, { said: say })
}
