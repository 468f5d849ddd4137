/** What proves that a peer equivocated, and what does not. */
import { encodeEvidence } from '../../../protocols/evidence/index.ts'
import { sealAccept, sealAward } from '../../../protocols/negotiate/index.ts'
import { sealCountersignature } from '../../../protocols/receipt/index.ts'
import { startMs } from '../../negotiate/parties.ts'
import { storageCountersignatureOf, storageReceiptOf } from './storage.ts'
import { bad, good, type VectorFile } from './cases.ts'
import { asker, stranger, worker } from './kinds.ts'
import {
  accept,
  award,
  countersignatures,
  dispute,
  first,
  leaseHash,
  offer,
  receiptAfter,
  second,
  terms,
} from './lease.ts'

const dearer = sealAward(asker, { ...terms, ceilingMicro: terms.ceilingMicro + 1 })
const laterSigned = sealCountersignature(asker, {
  ...countersignatures[0]!.body,
  issuedMs: countersignatures[0]!.body.issuedMs + 1,
})
const later = sealAccept(worker, { lease: leaseHash, issuedMs: startMs + 530, commitByMs: startMs + 5_530 })
const two = (first: { envelope: Uint8Array }, second: { envelope: Uint8Array }) =>
  encodeEvidence({ first: first.envelope, second: second.envelope })
const no = (name: string, bytes: Uint8Array) => bad('evidence', name, 'PROOF_INVALID', bytes)

const evidence: VectorFile = {
  what: 'Messages of /pleach/evidence/1 (protocols/evidence/README.md), and what they prove.',
  cases: [
    good('evidence', 'two AWARDs of one place', two(award, dearer)),
    good(
      'evidence',
      'two AWARDs of one place to two providers',
      two(award, sealAward(asker, { ...terms, provider: stranger.signer.peer })),
    ),
    good('evidence', 'two ACCEPTs of one AWARD', two(accept, later)),
    good('evidence', 'two receipts of one number', two(second, receiptAfter(first, 3_002))),
    good('evidence', 'two countersignatures of one number', two(countersignatures[0]!, laterSigned)),
    good(
      'evidence',
      'two receipts of storage of one number',
      two(storageReceiptOf(), storageReceiptOf({ issuedMs: 7 })),
    ),
    good(
      'evidence',
      'two countersignatures of one receipt of storage',
      two(storageCountersignatureOf(), storageCountersignatureOf(7)),
    ),
    no('receipts of storage of two numbers', two(storageReceiptOf(), storageReceiptOf({ sequence: 2 }))),
    no('a receipt of storage twice', two(storageReceiptOf(), storageReceiptOf())),
    no('receipts of two numbers', two(first, second)),
    no('receipts of one number by two signers', two(second, receiptAfter(first, 3_002, {}, stranger))),
    no('receipts of one number of two leases', two(second, receiptAfter(first, 3_002, { lease: '0'.repeat(64) }))),
    no('a receipt twice', two(second, second)),
    no('a receipt and its countersignature', two(first, countersignatures[0]!)),
    no('a countersignature and a dispute', two(countersignatures[1]!, dispute)),
    no('an AWARD twice', two(award, award)),
    no('AWARDs of two epochs', two(award, sealAward(asker, { ...terms, epoch: 2 }))),
    no('AWARDs of two slots', two(award, sealAward(asker, { ...terms, slot: 1 }))),
    no('AWARDs by two signers', two(award, sealAward(stranger, { ...terms, ceilingMicro: 1 }))),
    no('ACCEPTs of two AWARDs', two(accept, sealAccept(worker, { ...accept.body, lease: new Uint8Array(32) }))),
    no('an AWARD and an ACCEPT', two(award, accept)),
    no('an OFFER twice', two(offer, offer)),
    no('an AWARD of another network', two(award, sealAward({ ...asker, network: 'elsewhere' }, dearer.body))),
    no('junk', encodeEvidence({ first: Uint8Array.of(1), second: Uint8Array.of(2) })),
    bad(
      'evidence',
      'one statement',
      'FIELD_INVALID',
      encodeEvidence({ first: award.envelope, second: new Uint8Array() }),
    ),
    bad('evidence', 'nothing', 'FIELD_INVALID', new Uint8Array()),
    bad('evidence', 'not of this form', 'FRAME_MALFORMED', Uint8Array.of(0x0a, 0xff)),
  ],
}

export const evidenceVectors = { evidence }
