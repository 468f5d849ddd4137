/** Bugs in what one peer does with it. */
import type { Mutant } from './mutant.ts'

const reactor = 'src/reactor.ts'

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
    name: 'program-not-attached',
    about: 'a program that outlived its provider is not taken up again',
    edits: [
      {
        file: 'protocols/execute/provider.ts',
        find: "const happened = state.at === 'staging' ? 'stage' : 'attach'\n  const effects: TaskEffect[] = [{ do: 'tell', event: { happened, order: state.order } }]",
        replace:
          "const effects: TaskEffect[] = state.at === 'staging' ? [{ do: 'tell', event: { happened: 'stage', order: state.order } }] : []",
      },
    ],
  },
  {
    name: 'staging-forgotten',
    about: 'a requester that is restarted while it bids does not stage its inputs again',
    edits: [
      {
        file: 'src/market/hunt-machine.ts',
        find: "      [\n        { do: 'errand', errand: 'stage' },\n        { do: 'errand', errand: 'announce' },",
        replace: "      [\n        { do: 'errand', errand: 'announce' },",
      },
    ],
  },
  {
    name: 'epoch-not-raised',
    about: 'a place is awarded again under the epoch it had',
    edits: [
      {
        file: 'src/market/hunt-machine.ts',
        find: 'epoch: slot.epoch + 1',
        replace: 'epoch: Math.max(1, slot.epoch)',
      },
    ],
  },
  {
    name: 'second-try-same-epoch',
    about: 'a place that is tried a second time is awarded under the epoch that the first has',
    edits: [
      {
        file: 'src/market/race-machine.ts',
        find: 'const spare: Spare = { place: { slot, epoch, attempts',
        replace: 'const spare: Spare = { place: { slot, epoch: epoch - 1, attempts',
      },
    ],
    scenario: 'gangs+silence',
  },
  {
    name: 'end-unsaved',
    about: 'that a job has ended is not written down',
    edits: [
      {
        file: 'src/market/job-turns.ts',
        find: "return [state, [...effects, { do: 'save' }, { do: 'tell', event: { stage: 'ended',",
        replace: "return [state, [...effects, { do: 'tell', event: { stage: 'ended',",
      },
    ],
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
        file: 'src/discovery/record-index.ts',
        find: 'if (!floor.raise(floorKeyOf(by), body.sequence, sha256(envelope))) return false',
        replace: 'floor.raise(floorKeyOf(by), body.sequence, sha256(envelope))',
      },
    ],
    scenario: 'poisoned',
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
      {
        file: 'src/discovery/record-index.ts',
        find: "if (record.by !== peer) throw new Fault('SIGNER_UNEXPECTED', 'the record is by another peer', { by: record.by })\n    return this.admit(record)",
        replace: 'return this.admit({ ...record, by: peer })',
      },
    ],
    scenario: 'poisoned',
  },
  {
    name: 'gang-commits-early',
    about: 'a place of a gang is committed when the first of them is accepted',
    edits: [
      {
        file: 'protocols/negotiate/gang.ts',
        find: "if (slots.every(({ at }) => at === 'accepted')) return commitAll",
        replace: "if (slots.some(({ at }) => at === 'accepted')) return commitAll",
      },
    ],
  },
  {
    name: 'gang-of-one-provider',
    about: 'whoever holds a place of a gang may be awarded another of it',
    edits: [
      {
        file: 'src/market/hunt-machine.ts',
        find: 'const chosen = context.choose(choice)',
        replace:
          'const ranked = context.choose(choice); const chosen = ranked.length === 0 ? [] : wanted.map(() => ranked[0])',
      },
    ],
  },
  {
    name: 'gang-outlives-failure',
    about: 'a gang of which one place has failed waits for the others',
    edits: [
      {
        file: 'protocols/negotiate/gang.ts',
        find: "if (slots.some(({ at }) => at === 'closed')) return closeAll",
        replace: "if (slots.every(({ at }) => at === 'closed')) return closeAll",
      },
    ],
  },
  {
    name: 'stored-before-durable',
    about: 'a keeper says STORED before its entry is written',
    edits: [
      {
        file: 'src/storage/shard-store.ts',
        find: 'await index.put(known === undefined ? fresh : prolonged(known, owner, keepUntilMs))',
        replace: 'void index.put(known === undefined ? fresh : prolonged(known, owner, keepUntilMs)).catch(() => {})',
      },
    ],
    scenario: 'storage-power',
  },
  {
    name: 'entry-before-file',
    about: 'a shard is entered in the index before its file is there',
    edits: [
      {
        file: 'src/storage/shard-store.ts',
        find: '    await files.adopt(writer, root)\n',
        replace:
          '    await index.put({ root, bytes, owner, createdMs: clock.nowMs(), keepUntilMs })\n    await files.adopt(writer, root)\n',
      },
    ],
    scenario: 'storage-power',
  },
  {
    name: 'quota-unchecked',
    about: 'a keeper takes what is over its quota',
    edits: [
      {
        file: 'src/storage/shard-store.ts',
        find: 'if (from === self || shardBytes <= freeBytes - this.#intake.brokenBytes(name))',
        replace: 'if (from === self || freeBytes < Infinity)',
      },
    ],
    scenario: 'storage-tight',
  },
]
