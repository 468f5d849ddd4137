/** What a proposer says: a first revision out of its books, and the next one out of what the other side objected to. */
import type { Notary } from '../negotiate/codec.ts'
import { Fault } from '../wire/index.ts'
import { isProofOf, isSameHeld, points, proofOf, settledOf, type BooksView } from './books.ts'
import { heldOf } from './codec.ts'
import {
  entriesMax,
  evidenceMax,
  totalsOf,
  type Agreed,
  type Difference,
  type Disputed,
  type Entry,
  type Evidence,
  type Objection,
  type Statement,
} from './messages.ts'

interface Pair {
  readonly lower: string
  readonly higher: string
  readonly unit: string
}

/**
 * The entries of a first revision, in the order of their leases; none when there is nothing to settle. What is all disputed as it
 * was is not worth a statement: it waits until one of the two holds more.
 */
export function drawEntries(pair: Pair, books: BooksView, head: Agreed | null): Entry[] {
  const disputed = new Map(head?.statement.body.disputed.map((one) => [one.lease, one]))
  const entries: Entry[] = []
  let hasNews = false
  for (const book of books.unsettled()) {
    if (entries.length >= entriesMax) break
    const settledMicro = settledOf(book, head, book.lease)
    if (book.held === null || book.held.amountMicro <= settledMicro) continue
    const entry: Entry = { lease: book.lease, provider: book.provider, ...book.held, settledMicro }
    // An amount that does not fit waits, as an entry too many does.
    if (totalsOf(pair.lower, pair.higher, [...entries, entry]) === undefined) continue
    entries.push(entry)
    const known = disputed.get(book.lease)
    const isKnown =
      known !== undefined && [known.proposerHolds, known.otherHolds].some((held) => isSameHeld(held, entry))
    hasNews ||= !isKnown
  }
  return hasNews ? entries.toSorted(byLease) : []
}

export interface Revised {
  readonly entries: readonly Entry[]
  readonly disputed: readonly Disputed[]
  /** To be sent beside the statement. */
  readonly evidence: readonly Evidence[]
  /** What the other side proved to us: larger amounts than our books hold. */
  readonly learned: readonly Evidence[]
}

/**
 * The next revision: what the other side proved to be more is corrected; what it does not know is proved to it; what neither
 * can prove is left out and disputed. Proofs that do not fit are for the next number. Throws a Fault for an objection that no
 * honest peer makes.
 */
export function revise(
  notary: Notary,
  statement: Statement,
  sent: readonly Evidence[],
  difference: Difference,
  given: readonly Evidence[],
  books: BooksView,
): Revised {
  const entries = new Map(statement.entries.map((entry) => [entry.lease, entry]))
  const proofs = new Map(given.map((one) => [one.receipt.body.lease, one]))
  const isProved = new Set(sent.map(({ receipt }) => receipt.body.lease))
  const disputed = [...statement.disputed]
  const evidence: Evidence[] = []
  const learned: Evidence[] = []
  for (const objection of difference.objections) {
    const entry = entries.get(objection.lease)
    if (entry === undefined) throw new Fault('FIELD_INVALID', 'an objection to a lease that is not taken in')
    switch (objection.code) {
      case 'HOLDS_MORE': {
        const proof = proofs.get(objection.lease)
        checkMore(statement, entry, objection, proof)
        proofs.delete(objection.lease)
        learned.push(proof)
        entries.set(entry.lease, { ...entry, ...heldOf(proof) })
        break
      }
      case 'HOLDS_LESS': {
        if (isProved.has(objection.lease)) throw new Fault('FIELD_INVALID', 'an objection to what is proved')
        if (objection.holds !== null && objection.holds.sequence >= entry.sequence)
          throw new Fault('FIELD_INVALID', 'an objection that contradicts itself', { code: objection.code })
        const proof = proofOf(notary, books, entry.lease, entry.sequence)
        if (proof === undefined || !points(proof, entry)) dispute(entry, objection)
        else if (evidence.length < evidenceMax) evidence.push(proof)
        else entries.delete(entry.lease)
        break
      }
      case 'RECEIPT_DIFFERS':
        dispute(entry, objection)
        break
      default:
        objection.code satisfies never
    }
  }
  if (proofs.size > 0) throw new Fault('PROOF_INVALID', 'a proof of nothing that was objected to')
  return { entries: fitting(statement, entries), disputed: disputed.toSorted(byLease), evidence, learned }

  function dispute(entry: Entry, { code, holds }: Objection): void {
    const { lease, provider, sequence, receipt, amountMicro } = entry
    entries.delete(lease)
    disputed.push({ lease, provider, code, proposerHolds: { sequence, receipt, amountMicro }, otherHolds: holds })
  }
}

function checkMore(
  statement: Statement,
  entry: Entry,
  objection: Objection,
  proof: Evidence | undefined,
): asserts proof is Evidence {
  const proves =
    proof !== undefined &&
    isProofOf(proof, entry, statement) &&
    points(proof, objection.holds) &&
    proof.receipt.body.sequence > entry.sequence &&
    proof.receipt.body.amountMicro >= entry.amountMicro
  if (!proves)
    throw new Fault('PROOF_INVALID', 'more is said to be signed by both, and not proved', { lease: entry.lease })
}

/** Corrected amounts may add up to more than an amount may be; then the ones that stood will do, and the rest waits. */
function fitting(
  { lower, higher, entries, forfeits }: Statement,
  revised: ReadonlyMap<string, Entry>,
): readonly Entry[] {
  const all = [...revised.values()].toSorted(byLease)
  if (totalsOf(lower, higher, all, forfeits) !== undefined) return all
  return entries.filter(({ lease }) => revised.has(lease))
}

function byLease(one: { readonly lease: string }, other: { readonly lease: string }): number {
  return one.lease < other.lease ? -1 : 1
}
