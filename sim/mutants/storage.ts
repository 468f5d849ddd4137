/** Bugs in how objects are kept and looked after. */
import type { Mutant } from './mutant.ts'

const scenario = 'storage-care'
const audit = 'src/storage/audit.ts'
const repair = 'src/storage/repair.ts'
const care = 'src/node/object-care.ts'

export const storageMutants: readonly Mutant[] = [
  {
    name: 'audit-asks-nothing',
    about: 'who says that it has a shard passes',
    edits: [{ file: audit, find: 'shardBytes, leaves, async () => {}', replace: 'shardBytes, [], async () => {}' }],
    scenario,
  },
  {
    name: 'audit-tolerates-loss',
    about: 'a keeper that says it has lost a shard counts as one that is away',
    edits: [
      {
        file: audit,
        find: "lostCodes.includes(error.code) ? 'failed' : 'absent'",
        replace: "lostCodes.includes(error.code) ? 'absent' : 'absent'",
      },
      { file: care, find: 'const absentMs = 30 * 60_000', replace: 'const absentMs = 30 * 60 * 60_000' },
    ],
    scenario,
  },
  {
    name: 'repair-too-late',
    about: 'repair begins when nothing more may be lost',
    edits: [{ file: repair, find: 'k + Math.ceil(m / 2))', replace: 'k)' }],
    scenario,
  },
  {
    name: 'repair-unclaimed',
    about: 'a claim that another has is no obstacle',
    edits: [
      {
        file: repair,
        find: 'if (refusedMs === undefined || granted.length * 2 > answered) return release',
        replace: 'if (refusedMs === undefined || granted.length >= 0) return release',
      },
    ],
    scenario,
  },
  {
    name: 'repair-on-old-news',
    about: 'who gets the claim does not look whether another has just repaired',
    edits: [
      {
        file: care,
        find: 'const [now, news] = await this.#lookedAgain(known, signal)',
        replace: 'const [now, news] = [known, [] as AuditResult[]]',
      },
      { file: care, find: 'async #lookedAgain(', replace: 'async lookedAgain(' },
    ],
    scenario,
  },
  {
    name: 'repair-unchecked',
    about: 'what repair made is kept and placed whatever it is',
    edits: [
      { file: repair, find: 'if (!equals(root, shards[row]!)) {', replace: 'if (!equals(root, root)) {' },
      {
        file: repair,
        find: 'mill.rebuild(set, { code, rows }, signal)',
        replace: 'mill.rebuild(set, { code, rows: rows.map(() => width - 1) }, signal)',
      },
    ],
    scenario,
  },
  {
    name: 'repair-untold',
    about: 'where repaired shards are is not said to anybody',
    edits: [
      {
        file: care,
        find: 'await this.#moved(known, mergedPlaces(held, placed), signal)',
        replace: 'await Promise.resolve(held)',
      },
    ],
    scenario,
  },
  {
    name: 'terms-unrenewed',
    about: 'terms of what is looked after run out',
    edits: [
      {
        file: care,
        find: '(place.heardUntilMs ?? 0) - clock.nowMs() < belowMs,',
        replace: '(place.heardUntilMs ?? Infinity) - clock.nowMs() < belowMs / 1e9,',
      },
    ],
    scenario,
  },
  {
    name: 'terms-as-claimed',
    about: 'whoever claims a long term for a keeper is believed, and so nobody renews it',
    edits: [
      {
        file: care,
        find: '(place.heardUntilMs ?? 0) - clock.nowMs() < belowMs,',
        replace: 'place.keepUntilMs - clock.nowMs() < belowMs,',
      },
    ],
    scenario,
  },
  {
    name: 'unrepairable-unrenewed',
    about: 'while there is nobody to repair with, terms run out',
    edits: [
      {
        file: care,
        find: '    // Though there was nobody',
        replace: '    if (healthy.size <= repairAt(code)) return\n    // Though there was nobody',
      },
    ],
    scenario,
  },
  {
    name: 'rot-forgotten',
    about: 'what a scrub found is not remembered',
    edits: [
      { file: 'src/storage/shard-store.ts', find: 'this.#damaged.set(root, error.leaf)', replace: 'void error.leaf' },
    ],
    scenario,
  },
  {
    name: 'rot-behind-memory',
    about: 'a scrub believes what is in memory',
    edits: [
      {
        file: 'src/storage/shard-store.ts',
        find: 'return this.#open(root, true)',
        replace: 'return this.#open(root, false)',
      },
    ],
    scenario,
  },
  {
    name: 'manifest-of-any-name',
    about: 'a dossier is kept under the name that its first shard has',
    edits: [
      {
        file: 'src/storage/archive.ts',
        find: '    const entry: DossierEntry = {\n      object,',
        replace: '    const entry: DossierEntry = {\n      object: object + roots.length,',
      },
    ],
    scenario,
  },
]
