/** Bonds that are forfeited: what a proposer draws of them, and what a statement's are held against. */
import { equals } from 'uint8arrays'

import type { Notary } from '../negotiate/codec.ts'
import { Fault } from '../wire/index.ts'
import { unlessBroken, type BooksView } from './books.ts'
import {
  forfeitsMax,
  totalsOf,
  type Agreed,
  type Entry,
  type Forfeit,
  type ForfeitProof,
  type Statement,
} from './messages.ts'
import { forfeitOf, isForfeitOf, openForfeit, type AccountNames } from './proof.ts'

/** Those of our books that no statement has taken in, as many as one may; what does not fit waits for the next. */
export function drawForfeits(
  notary: Notary,
  pair: AccountNames,
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
