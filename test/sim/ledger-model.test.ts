import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'

import { withSight } from '../../src/reputation/experience.ts'
import type { JournalEntry } from '../../src/reactor.ts'
import { encodeState } from '../../src/state-form.ts'
import { pageBytes } from '../../src/ledger/database.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { Receipts } from '../../src/ledger/receipts.ts'
import { Store } from '../../src/ledger/store.ts'
import { check } from '../../sim/checkers/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { runSeeds } from '../../sim/model/campaign.ts'
import { exhaustFaults } from '../../sim/model/exhaust.ts'
import { LedgerBooks } from '../../sim/model/ledger-books.ts'
import { LifeClock } from '../../sim/model/life.ts'
import { settled } from '../../sim/model/settled.ts'
import { modelSigner } from '../../sim/model/signer.ts'
import { World } from '../../sim/model/world.ts'
import { SeededRandom } from '../../sim/random.ts'
import { scenarioNamed } from '../../sim/scenarios/index.ts'

const ledger = scenarioNamed('ledger')!

test('no invariant is broken in 80 lives of ledger, and it keeps what it promises', async () => {
  const { failures, promiseKept } = await runSeeds(ledger, { from: 1, seeds: 80 })
  assert.deepEqual(failures, [])
  assert.ok(promiseKept)
})

test('nor where half of the peers have another kind of books', async () => {
  const { failures } = await runSeeds({ ...ledger, ledgerShare: 0.5 }, { from: 500, seeds: 40 })
  assert.deepEqual(failures, [])
})

test('nor with real signatures', async () => {
  const { failures } = await runSeeds(ledger, { from: 3, seeds: 2, signatures: 'real' })
  assert.deepEqual(failures, [])
})

test('the same seed gives the same trace', async () => {
  const traces: string[] = []
  for (const from of [7, 7, 8]) traces.push((await runSeeds(ledger, { from, seeds: 3 })).traceHash)
  assert.equal(traces[0], traces[1])
  assert.notEqual(traces[0], traces[2])
})

test('commits fail, and are cut off before and after they reach the disk', async () => {
  const counts = { durable: 0, failed: 0, lost: 0, landed: 0 }
  const seen = (): boolean => Object.values(counts).every((count) => count > 0)
  for (let seed = 1; seed <= 200 && !seen(); seed++) {
    const world = new World(seed, ledger)
    await world.run()
    for (const { disk } of world.peers) {
      assert.ok(disk instanceof LedgerBooks)
      for (const { outcome, statements } of disk.audit.commits) {
        if (outcome !== null) counts[outcome]++
        else if (statements.length > 0) counts[disk.holds(statements[0]!.envelope) ? 'landed' : 'lost']++
      }
    }
    world.close()
  }
  assert.ok(seen(), JSON.stringify(counts))
})

test('in one job every frame may be lost, doubled or late, and every peer may die at every effect and COMMIT', async () => {
  const report = await exhaustFaults({ ...scenarioNamed('single')!, ledgerShare: 1 }, 1, 0, 0)
  assert.deepEqual(report.failures, [])
  assert.ok(report.singles > 300 && report.effects > report.frames, JSON.stringify(report))
})

describe('the ledger as books of a peer', () => {
  const entry = (id: string, step: number, final = false, bytes = 0): JournalEntry => ({
    kind: 'job',
    id,
    state: bytes === 0 ? { step } : { step, ballast: new Uint8Array(bytes) },
    final,
    statements: [],
  })
  const begin = (seed = 1) => {
    const clock = new VirtualClock(1_000)
    const books = new LedgerBooks({ network: 'test', signer: modelSigner(1) }, SeededRandom.of(seed, 'books'))
    /** What the peer dies at. */
    const fate: { at: 'before' | 'after' | null } = { at: null }
    const life = new LifeClock(clock, 0)
    const open = (of: LifeClock) =>
      books.open(of, (when) => {
        if (when === fate.at) of.isOver = true
      })
    const said: string[] = []
    const tell = (promise: Promise<unknown>): void =>
      void promise.then(
        () => said.push('durable'),
        (error: unknown) => said.push((error as Error).name),
      )
    const pass = async (): Promise<void> => {
      while (clock.jump()) await settled()
      await settled()
    }
    return { clock, books, fate, life, open, said, tell, pass }
  }

  for (const [at, steps] of [
    ['before', []],
    ['after', [1]],
  ] as const)
    test(`are ${steps.length === 0 ? 'lost' : 'kept'} when the peer dies right ${at} a COMMIT, and it hears nothing`, async () => {
      const { clock, books, fate, life, open, said, tell, pass } = begin()
      fate.at = at
      const first = open(life)
      tell(first.commit(entry('a', 1)))
      await pass()
      assert.ok(life.isOver)
      assert.deepEqual(said, [])
      fate.at = null
      const second = open(new LifeClock(clock, 0))
      assert.deepEqual(
        second.unfinished().map(({ state }) => state),
        steps.map((step) => ({ step })),
      )
      // Who is dead writes nothing any more.
      tell(first.commit(entry('a', 2)))
      assert.equal(first.accepts('key', 1, new Uint8Array(32)), false)
      tell(first.nextSequence())
      first.change('peer', 'talking', (before) => withSight(before, { sight: 'fault' }, 0))
      await pass()
      assert.deepEqual([said, books.sequence, books.seen.size], [[], 0, 0])
      tell(second.commit(entry('b', 1, true)))
      await pass()
      assert.deepEqual(
        [said, books.states.get('job/b')],
        [['durable'], { kind: 'job', state: { step: 1 }, final: true }],
      )
      assert.deepEqual(books.stateBytes('job/b'), encodeState({ step: 1 }))
    })

  test('say so when they cannot be written, whatever is wrong, and go on when they can', async () => {
    // Which of the three troubles it is comes by chance.
    for (let seed = 1; seed <= 12; seed++) {
      const { books, life, open, said, tell, pass } = begin(seed)
      const opened = open(life)
      books.isFull = true
      for (let step = 0; step < 10; step++) {
        tell(opened.commit(entry(`${step}`, step, false, pageBytes)))
        await pass()
      }
      assert.ok(said.includes('LedgerError'), said.join(' '))
      const kept = said.filter((word) => word === 'durable').length + books.audit.brokenWrites
      assert.equal(books.states.size, kept)
      books.isFull = false
      tell(open(life).commit(entry('later', 1)))
      await pass()
      assert.equal(said.at(-1), 'durable')
      assert.equal(books.states.size, kept + 1)
    }
  })
})

describe('the invariants see', () => {
  const planted: readonly { readonly bug: string; readonly checker: string; plant(t: TestContext): void }[] = [
    {
      bug: 'a store that acknowledges what still waits for its COMMIT',
      checker: 'durable-before-said',
      plant: (t) => {
        const write = Reflect.get(Store.prototype, 'write')
        t.mock.method(Store.prototype, 'write', async function (this: Store, change: Parameters<Store['write']>[0]) {
          void write.call(this, change).catch(() => {})
        })
      },
    },
    {
      bug: 'the ledger of a provider that forgets receipts which it acknowledged',
      checker: 'no-receipt-lost',
      plant: (t) => {
        const commit = Reflect.get(MachineStates.prototype, 'commit')
        t.mock.method(
          MachineStates.prototype,
          'commit',
          async function (this: MachineStates, ...[made, nowMs]: Parameters<MachineStates['commit']>) {
            const statements =
              made.kind === 'lease' ? made.statements.filter(({ kind }) => kind !== 'receipt') : made.statements
            return commit.call(this, { ...made, statements }, nowMs)
          },
        )
      },
    },
    {
      bug: 'machines that are not listed as open',
      checker: 'ledger-agrees',
      plant: (t) => t.mock.method(MachineStates.prototype, 'open', () => []),
    },
    {
      bug: 'totals that leave out an account',
      checker: 'ledger-agrees',
      plant: (t) => {
        const totals = Reflect.get(Receipts.prototype, 'totals')
        t.mock.method(Receipts.prototype, 'totals', function (this: Receipts) {
          return totals.call(this).slice(1)
        })
      },
    },
  ]

  for (const { bug, checker, plant } of planted)
    test(bug, async (t) => {
      plant(t)
      const found = new Set<string>()
      for (let seed = 1; seed <= 30 && !found.has(checker); seed++) {
        const world = new World(seed, ledger)
        await world.run()
        for (const violation of check(world)) found.add(violation.checker)
        world.close()
      }
      assert.ok(found.has(checker), [...found].join(', '))
    })
})
