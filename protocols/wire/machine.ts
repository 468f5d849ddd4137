/**
 * What every protocol machine may ask of the world. A machine is `step(state, input, nowMs) → [state, effects]`: plain data
 * in, plain data out. Effects are carried out in order; `record` and `save` are durable before what follows them is done.
 *
 * There is no effect that sets a timer: each machine exports `wakeAtMs(state)`, so what it waits for can be read off its
 * state, and nothing about time need be remembered over a restart.
 */
import type { Fault } from './fault.ts'
import type { PeerName } from './peer.ts'

/** A signed statement that binds somebody, to be kept as the bytes that were signed. */
export interface Statement {
  readonly kind: string
  readonly by: PeerName
  readonly envelope: Uint8Array
}

export type Effect<Message, Event> =
  | { readonly do: 'record'; readonly statement: Statement }
  | { readonly do: 'save' }
  | { readonly do: 'send'; readonly to: PeerName; readonly message: Message }
  | { readonly do: 'tell'; readonly event: Event }
  | { readonly do: 'blame'; readonly peer: PeerName; readonly fault: Fault }

export type Step<State, Message, Event> = readonly [State, readonly Effect<Message, Event>[]]

/** How an accepted job or lease ends: exactly one of these, on both sides, with a reason code. */
export type Outcome = 'paid' | 'refused' | 'expired'

export interface Ending {
  readonly outcome: Outcome
  readonly code: string
}
