/** A bond that is forfeited: what proves it, what a proposer draws of it, and what it is held against. */
import { equals } from 'uint8arrays'

import { provesEquivocation } from '../evidence/index.ts'
import { leaseIdOf, openAward, type Notary } from '../negotiate/codec.ts'
import { manifestBytesMax } from '../negotiate/messages.ts'
import { Fault, sha256 } from '../wire/index.ts'
import { unlessBroken, type BooksView } from './books.ts'
import {
  evidenceBytesMax,
  forfeitsMax,
  totalsOf,
  type Agreed,
  type Entry,
  type Forfeit,
  type ForfeitEnvelopes,
  type ForfeitProof,
  type Statement,
} from './messages.ts'

type Account = Pick<Statement, 'lower' | 'higher' | 'unit'>

/** Opens what is sent beside a proposal. Throws a Fault when it does not prove a fault of the lease's provider. */
export function openForfeit(notary: Notary, { award, first, second }: ForfeitEnvelopes): ForfeitProof {
  if (first.byteLength > evidenceBytesMax || second.byteLength > evidenceBytesMax)
    throw new Fault('FIELD_INVALID', 'a statement that proves a fault is too long', { evidenceBytesMax })
  if (award.byteLength > manifestBytesMax + 8 * 1024)
    throw new Fault('FIELD_INVALID', 'the award of a forfeit is too long', { bytes: award.byteLength })
  const signed = openAward(notary, award)
  const { by, of, lease } = provesEquivocation(notary, { first, second })
  // A provider signs ACCEPTs and receipts; both name the lease by the hash of its AWARD, and so the bond in it.
  const isOfLease = (of === 'accept' || of === 'receipt') && by === signed.body.provider && lease === leaseIdOf(award)
  if (!isOfLease) throw new Fault('PROOF_INVALID', 'the fault is not one of the provider under this lease', { of, by })
  if (signed.body.bondMicro === 0) throw new Fault('PROOF_INVALID', 'the lease names no bond', { lease })
  return { award: signed, first, second }
}

/** What it forfeits. */
export function forfeitOf({ award, first, second }: ForfeitProof): Forfeit {
  const { provider, bondMicro } = award.body
  return { lease: leaseIdOf(award.envelope), provider, bondMicro, first: sha256(first), second: sha256(second) }
}

/** The lease is between these two, in this unit. */
export function isForfeitOf({ award: { by, body } }: ForfeitProof, { lower, higher, unit }: Account): boolean {
  return body.unit === unit && [by, body.provider].toSorted().every((name, index) => name === [lower, higher][index])
}

/** Those of our books that no statement has taken in, as many as one may; what does not fit waits for the next. */
export function drawForfeits(
  notary: Notary,
  pair: Account,
  entries: readonly Entry[],
  books: BooksView,
  head: Agreed | null,
): ForfeitProof[] {
  const proofs: ForfeitProof[] = []
  for (const envelopes of books.forfeits()) {
    if (proofs.length >= forfeitsMax) break
    const proof = unlessBroken(() => openForfeit(notary, envelopes))
    if (proof === undefined || !isForfeitOf(proof, pair)) continue
    const { lease } = forfeitOf(proof)
    if (isForfeited(books, head, lease) || proofs.some((one) => forfeitOf(one).lease === lease)) continue
    const all = inOrder([...proofs, proof])
    if (totalsOf(pair.lower, pair.higher, entries, all.map(forfeitOf)) === undefined) continue
    proofs.splice(0, proofs.length, ...all)
  }
  return proofs
}

/** Nothing here is a matter of opinion: both hold the chain, and two signatures prove the rest. Throws a Fault. */
export function checkForfeits(
  statement: Statement,
  given: readonly ForfeitProof[],
  head: Agreed | null,
  books: BooksView,
): void {
  for (const { lease } of statement.forfeits) {
    if (isForfeited(books, head, lease))
      throw new Fault('CHAIN_BROKEN', 'the bond of the lease was forfeited before', { lease })
  }
  const proved = inOrder(given.filter((proof) => isForfeitOf(proof, statement))).map(forfeitOf)
  const isProved =
    given.length === statement.forfeits.length &&
    statement.forfeits.every((forfeit, index) => isSameForfeit(forfeit, proved[index]))
  if (!isProved) throw new Fault('PROOF_INVALID', 'the proofs are not those of the forfeits')
}

/** The head is looked at too, so that books that lag by one forfeit nothing twice. */
function isForfeited(books: BooksView, head: Agreed | null, lease: string): boolean {
  return books.isForfeited(lease) || (head?.statement.body.forfeits.some((one) => one.lease === lease) ?? false)
}

function isSameForfeit(one: Forfeit, other: Forfeit | undefined): boolean {
  return (
    other !== undefined &&
    one.lease === other.lease &&
    one.provider === other.provider &&
    one.bondMicro === other.bondMicro &&
    equals(one.first, other.first) &&
    equals(one.second, other.second)
  )
}

function inOrder(proofs: readonly ForfeitProof[]): ForfeitProof[] {
  return proofs.toSorted((one, other) => (forfeitOf(one).lease < forfeitOf(other).lease ? -1 : 1))
}
