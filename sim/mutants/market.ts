/** Bugs in what one peer does with it. */
import type { Mutant } from './mutant.ts'

const reactor = 'src/market/reactor.ts'

export const marketMutants: readonly Mutant[] = [
  {
    name: 'said-before-durable',
    about: 'a step is carried out while it is being written down',
    edits: [
      {
        file: reactor,
        find: '          void this.#afterwards(written, next, effects)\n          return\n',
        replace: '          void written.catch(() => {})\n',
      },
    ],
  },
  {
    name: 'failed-write-ignored',
    about: 'a step whose writing failed has happened all the same',
    edits: [
      {
        file: reactor,
        find: '      await written\n      this.#take',
        replace: '      await written.catch(() => {})\n      this.#take',
      },
    ],
  },
  {
    name: 'wake-forgotten',
    about: 'a machine that has something to wait for is not woken',
    edits: [{ file: reactor, find: 'if (!this.#stopped) this.#schedule()', replace: '' }],
  },
  {
    name: 'provider-does-not-resume',
    about: 'what a provider accepted is not taken up again after a restart',
    edits: [
      {
        file: 'src/market/provider-desk.ts',
        find: "    bench.push({ is: 'restarted' })",
        replace: '',
      },
    ],
  },
  {
    name: 'staging-forgotten',
    about: 'a requester that is restarted while it bids does not stage its inputs again',
    edits: [],
  },
  {
    name: 'epoch-not-raised',
    about: 'a place is awarded again under the epoch it had',
    edits: [],
  },
  {
    name: 'end-unsaved',
    about: 'that a job has ended is not written down',
    edits: [],
  },
  {
    name: 'capacity-not-counted',
    about: 'capacity that is bound by work counts as free',
    edits: [
      {
        file: 'src/market/lease-machine.ts',
        find: "return state.task === null || (state.task.at !== 'reporting' && state.task.at !== 'done')",
        replace: 'return state.task === null',
      },
    ],
  },
  {
    name: 'unpaid-never-ends',
    about: 'a lease whose last receipt is not signed is never over',
    edits: [
      {
        file: 'src/market/lease-machine.ts',
        find: "if (task === null || task.at === 'done' || task.at === 'reporting')\n    return end",
        replace: 'if (task === null)\n    return end',
      },
    ],
  },
  {
    name: 'old-record-believed',
    about: 'a record below the floor of its sequence number is taken for true',
    edits: [
      {
        file: 'src/discovery/directory.ts',
        find: 'if (!(await floor.raise(`${capabilityNamespace}/${peer}`, record.body.sequence, sha256(envelope)))) return false',
        replace: 'await floor.raise(`${capabilityNamespace}/${peer}`, record.body.sequence, sha256(envelope))',
      },
    ],
  },
  {
    name: 'record-of-another-believed',
    about: "a peer's record is taken for true whoever signed it",
    edits: [
      {
        file: 'protocols/capability/rules.ts',
        find: 'if (!equals(publicKeyOf(record.by), key))',
        replace: 'if (key.length === 0)',
      },
      { file: 'src/discovery/directory.ts', find: 'if (record.by !== peer)', replace: "if (peer === '')" },
    ],
  },
]
