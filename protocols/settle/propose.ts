/** How a proposal of ours goes out, a new one or the same again. */
import { sealStatement } from './codec.ts'
import { forfeitOf } from './proof.ts'
import {
  answerWithinMs,
  pairOf,
  settleRetransmitMs,
  totalsOf,
  type Disputed,
  type Entry,
  type Evidence,
  type ForfeitProof,
} from './messages.ts'
import {
  accountOf,
  headHashOf,
  lastNumberOf,
  record,
  send,
  type Account,
  type Desk,
  type Proposal,
  type SettleEffect,
  type SettleState,
  type SettleStep,
} from './state.ts'

/** Goes out now, and again until it is answered or nobody seems to listen. */
export function sendProposal(state: Account & Proposal, { nowMs }: Desk): SettleStep {
  const { proposal, evidence, forfeits, rounds } = state
  const next: SettleState = {
    ...accountOf(state),
    at: 'proposing',
    proposal,
    evidence,
    forfeits,
    rounds,
    sendAgainMs: nowMs + settleRetransmitMs,
    giveUpMs: nowMs + answerWithinMs,
  }
  return [next, [send(next, { say: 'propose', statement: proposal, evidence, forfeits })]]
}

/** Durable before it is sent: two different proposals of one revision would be an equivocation. */
export function propose(
  desk: Desk,
  state: SettleState,
  what: {
    readonly revision: number
    readonly answers: Uint8Array
    readonly entries: readonly Entry[]
    readonly disputed: readonly Disputed[]
    readonly evidence: readonly Evidence[]
    readonly forfeits: readonly ForfeitProof[]
    readonly rounds: number
  },
  before: readonly SettleEffect[] = [],
  after: readonly SettleEffect[] = [],
): SettleStep {
  const { notary, nowMs } = desk
  const { lower, higher } = pairOf(notary.signer.peer, state.other)
  const forfeits = what.forfeits.map(forfeitOf)
  const totals = totalsOf(lower, higher, what.entries, forfeits)
  if (totals === undefined) throw new RangeError('the entries of a statement do not fit')
  const proposal = sealStatement(notary, {
    lower,
    higher,
    unit: state.unit,
    number: lastNumberOf(state) + 1,
    revision: what.revision,
    previous: headHashOf(desk, state),
    answers: what.answers,
    entries: what.entries,
    disputed: what.disputed,
    forfeits,
    ...totals,
    issuedMs: nowMs,
  })
  const [next, sent] = sendProposal(
    { ...accountOf(state), proposal, evidence: what.evidence, forfeits: what.forfeits, rounds: what.rounds },
    desk,
  )
  return [next, [...before, record('settlement', proposal), { do: 'save' }, ...sent, ...after]]
}
