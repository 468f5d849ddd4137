/** For whom a peer worked: final receipts with their countersignatures, and what is none of it. */
import { sealCountersignature, type Receipt } from '../../../protocols/receipt/index.ts'
import { encodeReferring, referencesMax, type ShownReference } from '../../../protocols/references/index.ts'
import { sha256, type Signed } from '../../../protocols/wire/index.ts'
import { startMs } from '../../negotiate/parties.ts'
import { bad, good, type VectorFile } from './cases.ts'
import { asker, stranger, worker } from './kinds.ts'
import { countersignatures, receiptAfter, receipts, result } from './lease.ts'

const context = { peer: worker.signer.peer }

export function countersigned(receipt: Signed<Receipt>, by = asker): ShownReference {
  const { lease, sequence } = receipt.body
  const signed = sealCountersignature(by, { lease, sequence, receipt: sha256(receipt.envelope), issuedMs: startMs })
  return { receipt: receipt.envelope, countersignature: signed.envelope }
}

const final = { final: true, result: result.cid }
/** Of one receipt, the only one of its lease. */
export const single = (over: Partial<Receipt> = {}, by = worker): Signed<Receipt> =>
  receiptAfter(undefined, 9_000, { ...final, ...over }, by)
const otherLease = 'ab'.repeat(32)
export const last: ShownReference = {
  receipt: receipts.at(-1)!.envelope,
  countersignature: countersignatures.at(-1)!.envelope,
}
const shows = (shown: readonly ShownReference[]) => encodeReferring({ say: 'references', shown })
const wrong = (name: string, fault: string, ...shown: ShownReference[]) =>
  bad('referring', name, fault, shows(shown), context)
const ofStranger = countersigned(single({ lease: otherLease, requester: stranger.signer.peer }), stranger)

const references: VectorFile = {
  what: 'Messages of /pleach/references/1 (protocols/references/README.md).',
  cases: [
    good('referring', 'QUESTION', encodeReferring({ say: 'question' }), context),
    good('referring', 'REFERENCES of two requesters', shows([last, ofStranger]), context),
    good('referring', 'REFERENCES of nobody', shows([]), context),
    good(
      'referring',
      'REFUSED',
      encodeReferring({ say: 'refused', refusal: { code: 'BUSY', facts: { questionsPerPeerMax: 10 } } }),
      context,
    ),
    wrong('a receipt that is not final', 'FIELD_INVALID', {
      receipt: receipts[0]!.envelope,
      countersignature: countersignatures[0]!.envelope,
    }),
    wrong('a receipt of nothing', 'FIELD_INVALID', countersigned(single({ amountMicro: 0 }))),
    wrong('work for oneself', 'FIELD_INVALID', countersigned(single({ requester: worker.signer.peer }), worker)),
    wrong('a lease twice', 'FIELD_INVALID', last, last),
    wrong('a receipt of another', 'SIGNER_UNEXPECTED', countersigned(single({}, stranger))),
    wrong('a countersignature of another than the requester', 'SIGNER_UNEXPECTED', countersigned(single(), stranger)),
    wrong('a countersignature of another receipt', 'PROOF_INVALID', {
      ...last,
      countersignature: countersignatures[0]!.envelope,
    }),
    wrong('a signature of which a bit was flipped', 'SIGNATURE_INVALID', {
      ...last,
      countersignature: last.countersignature.with(
        last.countersignature.byteLength - 1,
        last.countersignature.at(-1)! ^ 1,
      ),
    }),
    wrong('an envelope that is missing', 'FIELD_INVALID', { ...last, countersignature: new Uint8Array() }),
    wrong('too many', 'FIELD_INVALID', ...Array.from({ length: referencesMax + 1 }, () => last)),
    bad('referring', 'nothing said', 'FIELD_INVALID', new Uint8Array(), context),
    bad('referring', 'not of this form', 'FRAME_MALFORMED', Uint8Array.of(0x12, 0xff), context),
  ],
}

export const referencesVectors: Readonly<Record<string, VectorFile>> = { references }
