/** Bugs in what one peer thinks of others: each lets names in that nobody knows. */
import type { Mutant } from './mutant.ts'

const shownByAll = { scenario: 'sybil', seedsMax: 20 } as const

export const standingMutants: readonly Mutant[] = [
  {
    name: 'references-are-counted',
    about: 'whoever shows signatures is introduced, whoever gave them',
    edits: [
      {
        file: 'src/reputation/flow.ts',
        find: 'const { jobs, paidMicro } = known(by)',
        replace: 'const { jobs, paidMicro } = { ...known(by), jobs: 1, paidMicro: amountMicro }',
      },
    ],
    ...shownByAll,
  },
  {
    name: 'strangers-are-friends',
    about: 'a stranger is awarded before those that are known, if it asks for less',
    edits: [
      {
        file: 'src/market/rank.ts',
        find: "return familiarity === 'introduced' ? rank.introduced : rank.stranger",
        replace: 'return rank.known',
      },
    ],
    ...shownByAll,
  },
  {
    name: 'interim-references',
    about: 'receipts that are not final count as references',
    edits: [
      {
        file: 'protocols/references/codec.ts',
        find: "if (!final) throw invalid('the receipt is not the final one', { field: 'final' })",
        replace: '',
      },
      { file: 'sim/model/reference-shelf.ts', find: 'if (receipt.body.final) this', replace: 'this' },
    ],
    ...shownByAll,
  },
]
