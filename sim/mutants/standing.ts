/** Bugs in what one peer thinks of others: each lets names in that nobody knows. */
import type { Mutant } from './mutant.ts'

const shownByAll = { scenario: 'sybil', seedsMax: 8 } as const
const wrongResults = { scenario: 'wrong', seedsMax: 8 } as const

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
    name: 'strangers-cut-it-short',
    about: 'six offers are enough, whoever made them: those that one attacker has are there first',
    edits: [
      {
        file: 'src/market/job-context.ts',
        find: 'return mayBeAnybody || isKnown(about(peer))',
        replace: 'return requirements.runtime.length > 0 || mayBeAnybody || isKnown(about(peer))',
      },
    ],
    ...shownByAll,
  },
  {
    name: 'check-ignored',
    about: 'what one whom we know makes of the same job is not held against it',
    edits: [
      {
        file: 'src/market/check-machine.ts',
        find: "outcomeOf(mine) === outcomeOf(theirs) ? 'same' : 'different'",
        replace: "outcomeOf(mine) !== '' && outcomeOf(theirs) !== '' ? 'same' : 'different'",
      },
    ],
    ...wrongResults,
  },
  {
    name: 'own-work-ignored',
    about: 'nor what this machine makes of it, where nobody is known yet',
    edits: [
      {
        file: 'src/market/redo-machine.ts',
        find: 'return outcomeOf(document) === state.madeHere',
        replace: "return outcomeOf(document) !== ''",
      },
    ],
    ...wrongResults,
  },
]
