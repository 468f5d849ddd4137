/** What the other side's proposal is held against: the chain, our books, and the proofs that came with it. */
import { equals } from 'uint8arrays'

import type { Notary } from '../negotiate/codec.ts'
import { Fault, sha256, type Signed } from '../wire/index.ts'
import { isProofOf, isSameHeld, points, proofOf, settledOf, type BooksView, type LeaseBook } from './books.ts'
import { heldOf } from './codec.ts'
import {
  evidenceMax,
  type Agreed,
  type Difference,
  type Entry,
  type Evidence,
  type Objection,
  type Statement,
} from './messages.ts'

/** The revision before, and what we said to it. */
export interface Before {
  readonly proposal: Signed<Statement>
  readonly difference: Signed<Difference>
}

export interface Judgement {
  /** None: it can be agreed to. */
  readonly objections: readonly Objection[]
  /** One for each objection HOLDS_MORE. */
  readonly evidence: readonly Evidence[]
  /** What was proved to us and was not in our books. */
  readonly learned: readonly Evidence[]
}

interface Verdict {
  readonly objection?: Objection
  readonly proof?: Evidence
  readonly learned?: Evidence
}

/** Throws a Fault for what no honest peer proposes. */
export function judge(
  notary: Notary,
  statement: Statement,
  given: readonly Evidence[],
  before: Before | null,
  head: Agreed | null,
  books: BooksView,
): Judgement {
  checkDisputed(statement, before)
  const proofs = new Map(given.map((one) => [one.receipt.body.lease, one]))
  const objections: Objection[] = []
  const evidence: Evidence[] = []
  const learned: Evidence[] = []
  for (const entry of statement.entries) {
    const book = books.lease(entry.lease)
    checkEntry(statement, entry, book, head)
    const proof = proofs.get(entry.lease)
    proofs.delete(entry.lease)
    if (proof !== undefined && !(isProofOf(proof, entry, statement) && points(proof, entry)))
      throw new Fault('PROOF_INVALID', 'the proof is not of the entry', { lease: entry.lease })
    const mayCorrect = statement.revision === 1 && evidence.length < evidenceMax
    const verdict = judgeEntry(notary, entry, proof, book, books, mayCorrect)
    if (verdict.objection !== undefined) objections.push(verdict.objection)
    if (verdict.proof !== undefined) evidence.push(verdict.proof)
    if (verdict.learned !== undefined) learned.push(verdict.learned)
  }
  if (proofs.size > 0) throw new Fault('PROOF_INVALID', 'a proof of a lease that is not taken in')
  return { objections, evidence, learned }
}

/** Both of us hold the same chain, so that what was settled before is no matter of opinion. */
function checkEntry(statement: Statement, entry: Entry, book: LeaseBook | undefined, head: Agreed | null): void {
  const settledMicro = settledOf(book, head, entry.lease)
  if (entry.settledMicro !== settledMicro) {
    throw new Fault('CHAIN_BROKEN', 'the amount settled before is not that of the chain', {
      lease: entry.lease,
      saysMicro: entry.settledMicro,
      settledMicro,
    })
  }
  if (book !== undefined && book.provider !== entry.provider)
    throw new Fault('FIELD_INVALID', 'the lease runs the other way', { lease: entry.lease, number: statement.number })
}

function judgeEntry(
  notary: Notary,
  entry: Entry,
  proof: Evidence | undefined,
  book: LeaseBook | undefined,
  books: BooksView,
  mayCorrect: boolean,
): Verdict {
  const { lease } = entry
  const holds = book?.held ?? null
  if (holds === null || entry.sequence > holds.sequence)
    return proof === undefined ? { objection: { lease, code: 'HOLDS_LESS', holds } } : { learned: proof }
  // One that never came here is as good when it is proved: what came since is more of the same.
  const proved = proof === undefined ? undefined : heldOf(proof)
  const mine = entry.sequence === holds.sequence ? holds : (heldAt(notary, books, entry) ?? proved)
  if (mine !== undefined && !equals(mine.receipt, entry.receipt))
    return { objection: { lease, code: 'RECEIPT_DIFFERS', holds } }
  if (mine !== undefined && mine.amountMicro !== entry.amountMicro)
    throw new Fault('FIELD_INVALID', 'the amount is not what the receipt says', {
      lease,
      amountMicro: entry.amountMicro,
    })
  if (entry.sequence === holds.sequence) return {}
  // Both have signed more since. Once is enough to say so: a lease that is being worked would never be settled otherwise, and
  // what is left out now is in the next statement.
  if (!mayCorrect && mine !== undefined) return {}
  const more = proofOf(notary, books, lease, holds.sequence)
  if (more !== undefined && points(more, holds) && mayCorrect)
    return { objection: { lease, code: 'HOLDS_MORE', holds }, proof: more }
  return mine === undefined ? { objection: { lease, code: 'RECEIPT_DIFFERS', holds } } : {}
}

function heldAt(notary: Notary, books: BooksView, { lease, sequence }: Entry) {
  const proof = proofOf(notary, books, lease, sequence)
  return proof === undefined ? undefined : heldOf(proof)
}

/** Only what we ourselves objected to is disputed, with our own words; a proposer cannot put others into our mouth. */
function checkDisputed(statement: Statement, before: Before | null): void {
  if (before === null) return
  const { proposal, difference } = before
  if (!equals(statement.answers, sha256(difference.envelope)))
    throw new Fault('CHAIN_BROKEN', 'the revision answers another difference', { revision: statement.revision })
  const entries = new Map(proposal.body.entries.map((entry) => [entry.lease, entry]))
  const objections = new Map(difference.body.objections.map((one) => [one.lease, one]))
  const disputed = new Map(proposal.body.disputed.map((one) => [one.lease, one]))
  for (const one of statement.disputed) {
    const said = objections.get(one.lease)
    const entry = entries.get(one.lease)
    const kept = disputed.get(one.lease)
    const isNew =
      said !== undefined &&
      entry !== undefined &&
      one.code === said.code &&
      one.provider === entry.provider &&
      isSameHeld(one.otherHolds, said.holds) &&
      isSameHeld(one.proposerHolds, entry)
    const isKept =
      kept !== undefined &&
      one.code === kept.code &&
      one.provider === kept.provider &&
      isSameHeld(one.otherHolds, kept.otherHolds) &&
      isSameHeld(one.proposerHolds, kept.proposerHolds)
    if (!isNew && !isKept)
      throw new Fault('CHAIN_BROKEN', 'a lease is disputed that was not objected to so', { lease: one.lease })
  }
}
