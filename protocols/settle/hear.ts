/** What an account does with each message of the other side. */
import { equals } from 'uint8arrays'

import { Fault, sha256, type Signed } from '../wire/index.ts'
import { agreedOf } from './books.ts'
import { sealAgreement, sealDifference } from './codec.ts'
import { revise } from './draw.ts'
import { checkForfeits } from './forfeit.ts'
import { judge, type Before } from './judge.ts'
import {
  pairOf,
  revisionMax,
  roundsMax,
  type Agreed,
  type Agreement,
  type Difference,
  type Evidence,
  type Settling,
  type Statement,
} from './messages.ts'
import { propose, sendProposal } from './propose.ts'
import {
  accountOf,
  agreedStep,
  blame,
  blameFor,
  headHashOf,
  isLower,
  lastNumberOf,
  record,
  recordEvidence,
  send,
  unchanged,
  type At,
  type Desk,
  type SettleState,
  type SettleStep,
} from './state.ts'

type Mine = At<'proposing'> | At<'unanswered'> | At<'stalled'>

export function hear(desk: Desk, state: SettleState, message: Settling): SettleStep {
  switch (message.say) {
    case 'propose':
      return onProposal(desk, state, message)
    case 'differ':
      return onDifference(desk, state, message.difference, message.evidence)
    case 'agree':
      return onAgreement(desk, state, message.agreement)
    case 'agreed':
      return onAgreed(desk, state, message)
    default:
      return message satisfies never
  }
}

function onProposal(desk: Desk, state: SettleState, message: Extract<Settling, { say: 'propose' }>): SettleStep {
  const { statement } = message
  if (statement.by !== state.other) return bySomebodyElse(state, statement)
  if (!isOfAccount(desk, state, statement.body))
    return blame(state, 'FIELD_INVALID', 'the statement is of another pair or unit')
  const { number, previous, revision } = statement.body
  const last = lastNumberOf(state)
  if (number <= last) return onOldProposal(desk, state, statement)
  if (number > last + 1) return onAhead(desk, state, number)
  if (!equals(previous, headHashOf(desk, state)))
    return blame(state, 'CHAIN_BROKEN', 'the statement does not follow the last one', { number })
  switch (state.at) {
    case 'resting':
      return answer(desk, state, message, null)
    case 'unanswered':
      // Somebody is there again. The lower name's proposal counts, and the other learns of it.
      return isLower(desk, state) ? sendProposal(state, desk) : answer(desk, state, message, null)
    case 'proposing':
    case 'stalled':
      return isLower(desk, state) ? unchanged(state) : answer(desk, state, message, null)
    case 'answering': {
      const { proposal, difference } = state
      if (revision < proposal.body.revision) return unchanged(state)
      if (revision > proposal.body.revision) return answer(desk, state, message, { proposal, difference })
      if (equals(proposal.envelope, statement.envelope))
        return [state, [send(state, { say: 'differ', difference, evidence: state.evidence })]]
      return blame(state, 'EQUIVOCATION', 'two different statements of one revision', { number, revision })
    }
    default:
      return state satisfies never
  }
}

/**
 * One may be a number ahead of us: it has agreed to our proposal, and we have not heard of it. It hears the proposal again,
 * and says so again. It cannot be further ahead, nor ahead of one who proposed nothing: that needs our signature.
 */
function onAhead(desk: Desk, state: SettleState, number: number): SettleStep {
  const isWaiting = state.at === 'proposing' || state.at === 'unanswered'
  if (!isWaiting || number > lastNumberOf(state) + 2)
    return blame(state, 'OUT_OF_TURN', 'a statement of a number that is not reached', { number })
  const { proposal, evidence, forfeits } = state
  if (state.at === 'unanswered') return sendProposal(state, desk)
  return [state, [send(state, { say: 'propose', statement: proposal, evidence, forfeits })]]
}

/** The number is agreed: whoever asks again has missed the answer, or withdrew that statement itself. */
function onOldProposal(desk: Desk, state: SettleState, statement: Signed<Statement>): SettleStep {
  const { number, revision } = statement.body
  const agreed = number === lastNumberOf(state) ? state.head : agreedOf(desk.notary, desk.books, number)
  if (agreed === null || agreed === undefined) return unchanged(state)
  if (equals(agreed.statement.envelope, statement.envelope))
    return [state, [send(state, { say: 'agree', agreement: agreed.agreement })]]
  if (agreed.statement.by === statement.by && revision === agreed.statement.body.revision)
    return blame(state, 'EQUIVOCATION', 'two different statements of one revision', { number, revision })
  if (agreed.statement.by === statement.by && revision > agreed.statement.body.revision)
    return blame(state, 'OUT_OF_TURN', 'a revision of a statement that is agreed', { number, revision })
  return [state, [send(state, { say: 'agreed', statement: agreed.statement, agreement: agreed.agreement })]]
}

/** Agrees to a proposal that can stand, or differs and says why. Durable before it is said: either answer binds. */
function answer(
  desk: Desk,
  state: SettleState,
  { statement: proposal, evidence: given, forfeits }: Extract<Settling, { say: 'propose' }>,
  before: Before | null,
): SettleStep {
  const { notary, books, nowMs } = desk
  const { unit, number, revision } = proposal.body
  if (revision !== (before === null ? 1 : before.proposal.body.revision + 1))
    return blame(state, 'OUT_OF_TURN', 'a revision is missing before this one', { number, revision })
  const judged = orFault(() => {
    checkForfeits(proposal.body, forfeits, state.head, books)
    return judge(notary, proposal.body, given, before, state.head, books)
  })
  if (judged instanceof Fault) return blameFor(state, judged)
  const { objections, evidence, learned } = judged
  const reference = { unit, number, revision, statement: sha256(proposal.envelope), issuedMs: nowMs }
  if (objections.length === 0) {
    const agreement = sealAgreement(notary, reference)
    return agreedStep(state, { statement: proposal, agreement }, recordEvidence(learned))
  }
  const difference = sealDifference(notary, { ...reference, objections })
  return [
    { ...accountOf(state), at: 'answering', proposal, difference, evidence },
    [
      ...recordEvidence(learned),
      record('settlement', proposal),
      record('settlement-difference', difference),
      { do: 'save' },
      send(state, { say: 'differ', difference, evidence }),
      { do: 'tell', event: { happened: 'differed', difference } },
    ],
  ]
}

function onDifference(
  desk: Desk,
  state: SettleState,
  difference: Signed<Difference>,
  given: readonly Evidence[],
): SettleStep {
  if (difference.by !== state.other) return bySomebodyElse(state, difference)
  const { number, revision, statement } = difference.body
  const { head } = state
  if (number <= lastNumberOf(state)) {
    const isOfHead = head !== null && equals(statement, sha256(head.statement.envelope))
    return isOfHead && head.agreement.by === state.other
      ? blame(state, 'EQUIVOCATION', 'a statement is agreed to and differed from', { number, revision })
      : unchanged(state)
  }
  // Of what we withdrew when the other side's proposal came: nothing of it is kept.
  if (state.at === 'answering' && number === lastNumberOf(state) + 1) return unchanged(state)
  if (state.at === 'resting' || state.at === 'answering' || number > lastNumberOf(state) + 1)
    return neverGiven(state, number, revision)
  if (revision < state.proposal.body.revision) return unchanged(state)
  if (!isOfProposal(state, difference.body)) return neverGiven(state, number, revision)
  if (state.at === 'stalled') {
    return equals(state.difference.envelope, difference.envelope)
      ? unchanged(state)
      : blame(state, 'EQUIVOCATION', 'two different answers to one statement', { number, revision })
  }
  return next(desk, state, difference, given)
}

/** The next revision, or none when there were too many: then our owner decides when to try again. */
function next(
  desk: Desk,
  state: At<'proposing'> | At<'unanswered'>,
  difference: Signed<Difference>,
  given: readonly Evidence[],
): SettleStep {
  const { proposal, evidence, forfeits, rounds } = state
  const { number, revision } = proposal.body
  const revised = orFault(() => revise(desk.notary, proposal.body, evidence, difference.body, given, desk.books))
  if (revised instanceof Fault) return blameFor(state, revised)
  const told = [{ do: 'tell', event: { happened: 'differed', difference } }] as const
  const records = [...recordEvidence(revised.learned), record('settlement-difference', difference)]
  if (rounds >= roundsMax || revision >= revisionMax) {
    return [
      { ...accountOf(state), at: 'stalled', proposal, evidence, forfeits, rounds, difference },
      [...records, { do: 'save' }, ...told, { do: 'tell', event: { happened: 'stalled', number, revision } }],
    ]
  }
  const answers = sha256(difference.envelope)
  return propose(
    desk,
    state,
    { ...revised, forfeits, revision: revision + 1, answers, rounds: rounds + 1 },
    records,
    told,
  )
}

function onAgreement(desk: Desk, state: SettleState, agreement: Signed<Agreement>): SettleStep {
  if (agreement.by !== state.other) return bySomebodyElse(state, agreement)
  const { number, revision, statement } = agreement.body
  const last = lastNumberOf(state)
  if (number <= last) {
    const agreed = number === last ? state.head : agreedOf(desk.notary, desk.books, number)
    const isOther = agreed !== null && agreed !== undefined && !equals(statement, sha256(agreed.statement.envelope))
    return isOther ? twoAgreed(state, number) : unchanged(state)
  }
  if (state.at === 'resting' || number > last + 1) return neverGiven(state, number, revision)
  // The lower name proposed this number itself, and so can never agree to ours of it.
  if (state.at === 'answering')
    return isLower(desk, state) ? neverGiven(state, number, revision) : twoAgreed(state, number)
  if (revision < state.proposal.body.revision || (state.at === 'stalled' && isOfProposal(state, agreement.body)))
    return blame(state, 'EQUIVOCATION', 'a statement is agreed to and differed from', { number, revision })
  if (!isOfProposal(state, agreement.body)) return neverGiven(state, number, revision)
  return agreedStep(state, { statement: state.proposal, agreement }, [])
}

/**
 * A statement with both signatures, ours among them. If it is not the one that we proposed, our ledger is older than what we
 * signed: we are bound all the same, and take it up.
 */
function onAgreed(desk: Desk, state: SettleState, { statement, agreement }: Agreed): SettleStep {
  if (!isOfAccount(desk, state, statement.body))
    return blame(state, 'FIELD_INVALID', 'the statement is of another pair or unit')
  const { number, previous, revision } = statement.body
  const last = lastNumberOf(state)
  if (number === last && state.head !== null && !equals(statement.envelope, state.head.statement.envelope))
    return twoAgreed(state, number)
  if (number !== last + 1) return unchanged(state)
  if (!equals(previous, headHashOf(desk, state)))
    return blame(state, 'CHAIN_BROKEN', 'the statement does not follow the last one', { number })
  const isDiffered =
    isMine(state) &&
    statement.by !== state.other &&
    (revision < state.proposal.body.revision || (state.at === 'stalled' && revision === state.proposal.body.revision))
  if (isDiffered)
    return blame(state, 'EQUIVOCATION', 'a statement is agreed to and differed from', { number, revision })
  return agreedStep(state, { statement, agreement }, [])
}

function isMine(state: SettleState): state is Mine {
  return state.at === 'proposing' || state.at === 'unanswered' || state.at === 'stalled'
}

function isOfAccount({ notary }: Desk, { other, unit }: SettleState, body: Statement): boolean {
  const { lower, higher } = pairOf(notary.signer.peer, other)
  return body.lower === lower && body.higher === higher && body.unit === unit
}

function isOfProposal({ proposal, unit }: Mine, of: Agreement | Difference): boolean {
  return of.unit === unit && of.revision === proposal.body.revision && equals(of.statement, sha256(proposal.envelope))
}

function bySomebodyElse(state: SettleState, { by }: Signed<unknown>): SettleStep {
  return blame(state, 'SIGNER_UNEXPECTED', 'signed by another peer', { by })
}

function neverGiven(state: SettleState, number: number, revision: number): SettleStep {
  return blame(state, 'CHAIN_BROKEN', 'an answer to a statement that was never given', { number, revision })
}

function twoAgreed(state: SettleState, number: number): SettleStep {
  return blame(state, 'EQUIVOCATION', 'two different agreed statements of one number', { number })
}

function orFault<Value>(run: () => Value): Value | Fault {
  try {
    return run()
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
}
