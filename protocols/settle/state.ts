/** What a machine of settling may be, hear and tell, and the few steps that all of its parts take. */
import type { Notary } from '../negotiate/codec.ts'
import {
  Fault,
  sha256,
  type Effect,
  type FaultCode,
  type Facts,
  type PeerName,
  type Signed,
  type Step,
} from '../wire/index.ts'
import type { BooksView } from './books.ts'
import {
  originOf,
  pairOf,
  type Agreed,
  type Difference,
  type Evidence,
  type ForfeitProof,
  type Settling,
  type Statement,
} from './messages.ts'

export interface Account {
  readonly other: PeerName
  readonly unit: string
  /** The last statement that both have signed; null before the first. */
  readonly head: Agreed | null
}

export interface Proposal {
  readonly proposal: Signed<Statement>
  /** What goes beside it, every time. */
  readonly evidence: readonly Evidence[]
  readonly forfeits: readonly ForfeitProof[]
  /** Revisions made since our owner last asked. */
  readonly rounds: number
}

export type SettleState =
  | (Account & { readonly at: 'resting' })
  | (Account & Proposal & { readonly at: 'proposing'; readonly sendAgainMs: number; readonly giveUpMs: number })
  | (Account & Proposal & { readonly at: 'unanswered' })
  | (Account & Proposal & { readonly at: 'stalled'; readonly difference: Signed<Difference> })
  | (Account & {
      readonly at: 'answering'
      /** The other side's, from which we differed. */
      readonly proposal: Signed<Statement>
      readonly difference: Signed<Difference>
      readonly evidence: readonly Evidence[]
    })

export type SettleInput =
  | { readonly is: 'message'; readonly from: PeerName; readonly message: Settling }
  | { readonly is: 'wake' }
  | { readonly is: 'restarted' }
  /** The owner wants what is unsettled to be settled. */
  | { readonly is: 'propose' }

export type SettleEvent =
  | { readonly happened: 'agreed'; readonly agreed: Agreed }
  /** One of the two does not agree to this revision. */
  | { readonly happened: 'differed'; readonly difference: Signed<Difference> }
  | { readonly happened: 'unanswered'; readonly number: number; readonly revision: number }
  | { readonly happened: 'stalled'; readonly number: number; readonly revision: number }

export type SettleEffect = Effect<Settling, SettleEvent>
export type SettleStep = Step<SettleState, Settling, SettleEvent>
export type At<Where extends SettleState['at']> = Extract<SettleState, { at: Where }>

/** What every part of a step has: who signs, what the books say, and when it is. */
export interface Desk {
  readonly notary: Notary
  readonly books: BooksView
  readonly nowMs: number
}

export function accountOf({ other, unit, head }: Account): Account {
  return { other, unit, head }
}

export function lastNumberOf({ head }: SettleState): number {
  return head === null ? 0 : head.statement.body.number
}

/** What the next statement names as the one before. */
export function headHashOf({ notary }: Desk, { head, other, unit }: SettleState): Uint8Array {
  return head === null ? originOf(notary.network, notary.signer.peer, other, unit) : sha256(head.statement.envelope)
}

/** Both may propose at once; then the proposal of the lower name is the one that counts, and the other is withdrawn. */
export function isLower({ notary }: Desk, { other }: SettleState): boolean {
  return pairOf(notary.signer.peer, other).lower === notary.signer.peer
}

export function unchanged(state: SettleState): SettleStep {
  return [state, []]
}

export function send(state: Account, message: Settling): SettleEffect {
  return { do: 'send', to: state.other, message }
}

export function blame(state: SettleState, code: FaultCode, message: string, facts: Facts = {}): SettleStep {
  return blameFor(state, new Fault(code, message, facts))
}

export function blameFor(state: SettleState, fault: Fault): SettleStep {
  return [state, [{ do: 'blame', peer: state.other, fault }]]
}

/** Both envelopes of what was proved to us: with them our books hold it too. */
export function recordEvidence(evidence: readonly Evidence[]): SettleEffect[] {
  return evidence.flatMap(({ receipt, countersignature }) => [
    record('receipt', receipt),
    record('countersignature', countersignature),
  ])
}

export function record(kind: string, { by, envelope }: Signed<unknown>): SettleEffect {
  return { do: 'record', statement: { kind, by, envelope } }
}

/** Both signatures are there: the statement is the new head, whoever proposed it. */
export function agreedStep(state: SettleState, agreed: Agreed, before: readonly SettleEffect[]): SettleStep {
  const { statement, agreement } = agreed
  const isOurs = agreement.by !== state.other
  return [
    { other: state.other, unit: state.unit, head: agreed, at: 'resting' },
    [
      ...before,
      record('settlement', statement),
      record('settlement-agreement', agreement),
      { do: 'save' },
      ...(isOurs ? [send(state, { say: 'agree', agreement })] : []),
      { do: 'tell', event: { happened: 'agreed', agreed } },
    ],
  ]
}
