/** What proves that a bond is forfeited. Pure: anybody comes to the same answer. */
import { provesEquivocation } from '../evidence/index.ts'
import { leaseIdOf, openAward, type Notary } from '../negotiate/codec.ts'
import { manifestBytesMax } from '../negotiate/messages.ts'
import { Fault, sha256 } from '../wire/index.ts'
import { evidenceBytesMax, type Forfeit, type ForfeitEnvelopes, type ForfeitProof, type Statement } from './messages.ts'

export type AccountNames = Pick<Statement, 'lower' | 'higher' | 'unit'>

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
export function isForfeitOf({ award: { by, body } }: ForfeitProof, { lower, higher, unit }: AccountNames): boolean {
  return body.unit === unit && [by, body.provider].toSorted().every((name, index) => name === [lower, higher][index])
}
