/** Bugs in the ledger: looked for where the books of every peer are the ledger itself. */
import type { Mutant } from './mutant.ts'

const scenario = 'ledger'
const store = 'src/ledger/store.ts'
const machineStates = 'src/ledger/machine-states.ts'

export const ledgerMutants: readonly Mutant[] = [
  {
    name: 'ledger-acknowledges-at-once',
    about: 'a change is acknowledged while it still waits for its group',
    edits: [{ file: store, find: 'return promise as Promise<Result>', replace: 'return undefined as Result' }],
    scenario,
  },
  {
    name: 'ledger-acknowledges-in-its-group',
    about: 'a change is acknowledged when it is made, before the COMMIT that may fail',
    edits: [{ file: store, find: 'return () => resolve(result)', replace: 'resolve(result); return () => {}' }],
    scenario,
  },
  {
    name: 'ledger-failed-commit-ignored',
    about: 'a group whose COMMIT failed is acknowledged',
    edits: [
      {
        file: store,
        find: 'for (const { reject } of group) reject(error)',
        replace: 'for (const { resolve } of group) resolve(undefined)',
      },
    ],
    scenario,
  },
  {
    name: 'ledger-splits-a-step',
    about: 'the state of a step is written without all of its statements',
    edits: [
      {
        file: machineStates,
        find: 'for (const statement of entry.statements) this.#record(db, entry, statement, nowMs)',
        replace: 'for (const statement of entry.statements.slice(0, 1)) this.#record(db, entry, statement, nowMs)',
      },
    ],
    scenario,
  },
  {
    name: 'ledger-forgets-the-end',
    about: 'that a machine is over is not written down with its state',
    edits: [{ file: machineStates, find: 'final = excluded.final, ', replace: '' }],
    scenario,
  },
  {
    name: 'ledger-keeps-the-first-state',
    about: 'a state is written once and not replaced',
    edits: [{ file: machineStates, find: 'state = excluded.state, ', replace: '' }],
    scenario,
  },
  {
    name: 'ledger-counts-what-one-signed',
    about: 'receipts that only the provider signed count as earned',
    edits: [
      {
        file: 'src/ledger/receipts.ts',
        find: 'max(CASE WHEN countersignature IS NOT NULL THEN amount_micro END)',
        replace: 'max(amount_micro)',
      },
    ],
    scenario,
  },
  {
    name: 'ledger-sees-a-fork-in-a-chain',
    about: 'a receipt that follows another is taken for one that contradicts it',
    edits: [
      {
        file: 'src/ledger/receipts.ts',
        find: 'const { changes } = prepared(db, insertSql)',
        replace:
          'if (sequence > 1) throw new ForkError(lease, sequence)\n  const { changes } = prepared(db, insertSql)',
      },
    ],
    scenario,
  },
  {
    name: 'ledger-loses-the-floor',
    about: 'the floor of a sequence number may fall',
    edits: [
      {
        file: 'src/ledger/sequence-floors.ts',
        find: 'if (floor === undefined || sequence > floor.floor)',
        replace: 'if (floor === undefined || sequence !== floor.floor)',
      },
    ],
    // Old records come from those who keep them for it.
    scenario: 'poisoned+ledger',
  },
]
