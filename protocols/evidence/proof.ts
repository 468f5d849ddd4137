/** Whether two statements prove that their signer equivocated. Pure: anybody comes to the same answer. */
import { equals, toString } from 'uint8arrays'

import { acceptType, awardType, isPlaceOf, openAccept, openAward, type Notary } from '../negotiate/index.ts'
import { countersignatureType, openCountersignature, openReceipt, receiptType } from '../receipt/index.ts'
import {
  openStorageCountersignature,
  openStorageReceipt,
  storageCountersignatureType,
  storageReceiptType,
} from '../storage/index.ts'
import { Fault, openEnvelope, type Signed, type StatementType } from '../wire/index.ts'
import type { Equivocation, Evidence } from './messages.ts'

/**
 * Two different AWARDs of one (job, slot, epoch), two different ACCEPTs of one AWARD, or two different receipts, or countersignatures, of
 * one number of a lease or of an account of storage, by one signer. Throws a Fault when they are not: whoever brings them should have known.
 */
export function provesEquivocation(notary: Notary, evidence: Evidence): Equivocation {
  const equivocation =
    awardsConflict(notary, evidence) ??
    acceptsConflict(notary, evidence) ??
    billsConflict(notary, evidence, 'receipt', receiptType, openReceipt) ??
    billsConflict(notary, evidence, 'countersignature', countersignatureType, openCountersignature) ??
    billsConflict(notary, evidence, 'storage-receipt', storageReceiptType, openStorageReceipt) ??
    billsConflict(
      notary,
      evidence,
      'storage-countersignature',
      storageCountersignatureType,
      openStorageCountersignature,
    )
  if (equivocation === undefined)
    throw new Fault('PROOF_INVALID', 'the two statements do not exclude each other, or are none that could')
  return equivocation
}

type Numbered = Signed<{ readonly sequence: number } & ({ readonly lease: string } | { readonly account: string })>

function billsConflict(
  notary: Notary,
  evidence: Evidence,
  of: Equivocation['of'],
  type: StatementType,
  open: (notary: Notary, envelope: Uint8Array) => Numbered,
): Equivocation | undefined {
  if (!areDifferent(notary, type, evidence)) return undefined
  const [first, second] = [open(notary, evidence.first), open(notary, evidence.second)]
  const chainOf = ({ body }: Numbered): string => ('lease' in body ? body.lease : body.account)
  const isOneNumber = chainOf(first) === chainOf(second) && first.body.sequence === second.body.sequence
  const lease = 'lease' in first.body ? first.body.lease : null
  return first.by === second.by && isOneNumber ? { by: first.by, of, lease } : undefined
}

function awardsConflict(notary: Notary, evidence: Evidence): Equivocation | undefined {
  if (!areDifferent(notary, awardType, evidence)) return undefined
  const [first, second] = [openAward(notary, evidence.first), openAward(notary, evidence.second)]
  const isOnePlace = first.by === second.by && isPlaceOf(first.body, second.body)
  return isOnePlace ? { by: first.by, of: 'award', lease: null } : undefined
}

function acceptsConflict(notary: Notary, evidence: Evidence): Equivocation | undefined {
  if (!areDifferent(notary, acceptType, evidence)) return undefined
  const [first, second] = [openAccept(notary, evidence.first), openAccept(notary, evidence.second)]
  return first.by === second.by && equals(first.body.lease, second.body.lease)
    ? { by: first.by, of: 'accept', lease: toString(first.body.lease, 'hex') }
    : undefined
}

/** Both are of this type and signed, and what was signed differs. Two envelopes of the same words are no contradiction. */
function areDifferent({ signer, network }: Notary, type: StatementType, { first, second }: Evidence): boolean {
  try {
    const payloads = [first, second].map((envelope) => openEnvelope(signer, network, type, envelope).body)
    return !equals(payloads[0]!, payloads[1]!)
  } catch (error) {
    if (error instanceof Fault) return false
    throw error
  }
}
