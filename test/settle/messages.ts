/** One of each message, from keys that are always the same: what the codec's tests take apart. */
import {
  forfeitOf,
  openForfeit,
  sealAgreement,
  sealDifference,
  sealStatement,
  totalsOf,
  type Disputed,
  type Settling,
} from '../../protocols/settle/index.ts'
import { sha256 } from '../../protocols/wire/index.ts'
import { startMs } from '../negotiate/parties.ts'
import { betrayalOf, entryOf, evidenceOf, high, higher, leaseNamed, low, lower, statementOf, unit } from './parties.ts'

const [one, two, three] = [leaseNamed('one'), leaseNamed('two'), leaseNamed('three')]
const proofOfOne = evidenceOf(low, high, one, 7, 700)
const proofOfTwo = evidenceOf(high, low, two, 3, 300)
const laterOfTwo = evidenceOf(high, low, two, 4, 350)
const [entryOne, entryTwo] = [entryOf(low, one, proofOfOne, 250), entryOf(high, two, proofOfTwo)]
const [{ sequence, receipt, amountMicro }, laterHeld] = [entryOne, entryOf(high, two, laterOfTwo)]
const more = { sequence: laterHeld.sequence, receipt: laterHeld.receipt, amountMicro: laterHeld.amountMicro }

const first = sealStatement(low, statementOf([entryOne, entryTwo]))
const differs = sealDifference(high, {
  unit,
  number: 1,
  revision: 1,
  statement: sha256(first.envelope),
  objections: [
    { lease: one, code: 'HOLDS_LESS' as const, holds: null },
    { lease: two, code: 'HOLDS_MORE' as const, holds: more },
  ].toSorted((left, right) => (left.lease < right.lease ? -1 : 1)),
  issuedMs: startMs + 10,
})
const disputed: Disputed[] = [
  {
    lease: one,
    provider: lower,
    code: 'RECEIPT_DIFFERS' as const,
    proposerHolds: { sequence, receipt, amountMicro },
    otherHolds: more,
  },
  {
    lease: three,
    provider: higher,
    code: 'HOLDS_LESS' as const,
    proposerHolds: { sequence, receipt, amountMicro },
    otherHolds: null,
  },
].toSorted((left, right) => (left.lease < right.lease ? -1 : 1))
export const second = sealStatement(
  low,
  statementOf([laterHeld], {
    number: 2 ** 53 - 1,
    revision: 2,
    previous: sha256(first.envelope),
    answers: sha256(differs.envelope),
    disputed,
    issuedMs: startMs + 20,
  }),
)
const agreement = sealAgreement(high, {
  unit,
  number: second.body.number,
  revision: 2,
  statement: sha256(second.envelope),
  issuedMs: startMs + 30,
})

const betrayal = openForfeit(low, betrayalOf(high, low, 4_000).proof)
const forfeits = [forfeitOf(betrayal)]
const forfeiting = sealStatement(low, statementOf([], { forfeits, ...totalsOf(lower, higher, [], forfeits)! }))

export const messages: Readonly<Record<string, Settling>> = {
  'PROPOSE, a first revision': { say: 'propose', statement: first, evidence: [], forfeits: [] },
  'PROPOSE, a second revision with disputes and a proof': {
    say: 'propose',
    statement: second,
    evidence: [laterOfTwo],
    forfeits: [],
  },
  'PROPOSE, with a forfeit and its proof': {
    say: 'propose',
    statement: forfeiting,
    evidence: [],
    forfeits: [betrayal],
  },
  'DIFFER, with the proof of more': { say: 'differ', difference: differs, evidence: [laterOfTwo] },
  AGREE: { say: 'agree', agreement },
  AGREED: { say: 'agreed', statement: second, agreement },
}
