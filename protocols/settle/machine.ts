/**
 * One account of two peers in one unit: proposes what is unsettled, answers what the other proposes, and keeps the last
 * statement that both have signed. Both sides run this machine: either may propose.
 *
 * Pure: the caller brings the time and the view of its books, and carries out the effects.
 */
import type { Notary } from '../negotiate/codec.ts'
import { sha256, type PeerName } from '../wire/index.ts'
import type { BooksView } from './books.ts'
import { drawEntries } from './draw.ts'
import { drawForfeits } from './forfeit.ts'
import { hear } from './hear.ts'
import { pairOf, revisionMax, settleRetransmitMs } from './messages.ts'
import { propose, sendProposal } from './propose.ts'
import {
  accountOf,
  send,
  unchanged,
  type At,
  type Desk,
  type SettleInput,
  type SettleState,
  type SettleStep,
} from './state.ts'

/** An account without a statement. */
export function openSettling(other: PeerName, unit: string): SettleState {
  return { at: 'resting', other, unit, head: null }
}

export function settleWakeAtMs(state: SettleState): number | undefined {
  return state.at === 'proposing' ? Math.min(state.sendAgainMs, state.giveUpMs) : undefined
}

export function stepSettle(
  notary: Notary,
  state: SettleState,
  input: SettleInput,
  books: BooksView,
  nowMs: number,
): SettleStep {
  const desk: Desk = { notary, books, nowMs }
  switch (input.is) {
    case 'message':
      return input.from === state.other ? hear(desk, state, input.message) : unchanged(state)
    case 'wake':
      return state.at === 'proposing' ? onWake(desk, state) : unchanged(state)
    case 'restarted':
      return onRestart(desk, state)
    case 'propose':
      return onPropose(desk, state)
    default:
      return input satisfies never
  }
}

function onPropose(desk: Desk, state: SettleState): SettleStep {
  switch (state.at) {
    case 'resting':
      return proposeAnew(desk, state, 1, new Uint8Array(0))
    case 'stalled':
      // Whoever differed has sworn off that revision: another may be signed.
      return proposeAnew(desk, state, state.proposal.body.revision + 1, sha256(state.difference.envelope))
    case 'unanswered':
      // What was signed and sent may be agreed to at any time: the number is its until it is answered.
      return sendProposal({ ...state, rounds: 1 }, desk)
    case 'proposing':
    case 'answering':
      return unchanged(state)
    default:
      return state satisfies never
  }
}

function proposeAnew(
  desk: Desk,
  state: At<'resting'> | At<'stalled'>,
  revision: number,
  answers: Uint8Array,
): SettleStep {
  const pair = { ...pairOf(desk.notary.signer.peer, state.other), unit: state.unit }
  const entries = drawEntries(pair, desk.books, state.head)
  const forfeits = drawForfeits(desk.notary, pair, entries, desk.books, state.head)
  if (entries.length + forfeits.length === 0 || revision > revisionMax) return unchanged(state)
  return propose(desk, state, { revision, answers, entries, disputed: [], evidence: [], forfeits, rounds: 1 })
}

function onWake(desk: Desk, state: At<'proposing'>): SettleStep {
  const { proposal, evidence, forfeits, rounds } = state
  if (desk.nowMs >= state.giveUpMs) {
    const { number, revision } = proposal.body
    return [
      { ...accountOf(state), at: 'unanswered', proposal, evidence, forfeits, rounds },
      [{ do: 'save' }, { do: 'tell', event: { happened: 'unanswered', number, revision } }],
    ]
  }
  if (desk.nowMs < state.sendAgainMs) return unchanged(state)
  const message = { say: 'propose', statement: proposal, evidence, forfeits } as const
  return [{ ...state, sendAgainMs: desk.nowMs + settleRetransmitMs }, [send(state, message)]]
}

/** Nothing is remembered of time: whoever waits says its last word again. */
function onRestart(desk: Desk, state: SettleState): SettleStep {
  switch (state.at) {
    case 'proposing':
    case 'unanswered':
      return sendProposal(state, desk)
    case 'answering':
      return [state, [send(state, { say: 'differ', difference: state.difference, evidence: state.evidence })]]
    // A proposer that waits for our AGREE asks again; not to greet everybody with whom there was ever an account.
    case 'resting':
    case 'stalled':
      return unchanged(state)
    default:
      return state satisfies never
  }
}
