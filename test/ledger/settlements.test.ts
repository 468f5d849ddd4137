// Books over the ledger say what books over the statements say, count nothing twice, and income adds up to what is signed.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import {
  openSettling,
  originOf,
  sealAgreement,
  sealStatement,
  totalsOf,
  type Entry,
  type LeaseBook,
} from '../../protocols/settle/index.ts'
import { sha256, type Statement } from '../../protocols/wire/index.ts'
import { Exposures } from '../../src/ledger/exposures.ts'
import { Incomes } from '../../src/ledger/incomes.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { Settlements } from '../../src/ledger/settlements.ts'
import type { Store } from '../../src/ledger/store.ts'
import { StatementBooks } from '../../src/settlement/statement-books.ts'
import { Scratch } from '../fixtures/ledgers.ts'
import { startMs } from '../negotiate/parties.ts'
import { evidenceOf, high, higher, leaseNamed, low, lower, recordsOf, statementOf, unit } from '../settle/parties.ts'
import { network } from '../support/peers.ts'

const dayMs = 86_400_000

/** What `low` has written down, in both kinds of books. */
class Books {
  readonly ledger: Settlements
  readonly exposures: Exposures
  readonly incomes: Incomes
  readonly statements = new StatementBooks(low)
  readonly amounts = new Map<string, number>()
  readonly damaged = new Set<string>()
  previous = originOf(network, lower, higher, unit)
  number = 0
  nowMs = startMs
  readonly #machines: MachineStates

  constructor(store: Store) {
    this.#machines = new MachineStates(store, low)
    this.ledger = new Settlements(store, lower, (lease) => this.damaged.has(lease))
    this.exposures = new Exposures(store)
    this.incomes = new Incomes(store)
  }

  async write(...statements: Statement[]): Promise<void> {
    const account = { kind: 'settle', id: `${higher}/${unit}`, state: null, final: false } as const
    await this.#machines.commit({ ...account, statements }, this.nowMs)
    for (const statement of statements) this.statements.add(statement)
  }

  async work(name: string, byUs: boolean, addedMicro: number, isSigned = true): Promise<void> {
    const key = `${name} ${byUs}`
    const lease = leaseNamed(key)
    const sequence = this.sequenceOf(key) + 1
    const amount = (this.amounts.get(key) ?? 0) + addedMicro
    this.amounts.set(key, amount)
    this.#sequences.set(key, sequence)
    const [provider, requester] = byUs ? [low, high] : [high, low]
    const records = recordsOf(evidenceOf(provider, requester, lease, sequence, amount))
    await this.write(...(isSigned ? records : records.slice(0, 1)))
  }

  /** Takes in everything that is unsettled. */
  async settle(): Promise<void> {
    const entries: Entry[] = this.books().flatMap(({ lease, provider, held, settledMicro }) =>
      held === null || held.amountMicro <= settledMicro ? [] : [{ lease, provider, ...held, settledMicro }],
    )
    if (entries.length === 0) return
    const over = { number: ++this.number, previous: this.previous }
    const statement = sealStatement(high, statementOf(entries, { ...over, ...totalsOf(lower, higher, entries)! }))
    this.previous = sha256(statement.envelope)
    const reference = { unit, number: this.number, revision: 1, statement: this.previous, issuedMs: startMs }
    const agreement = sealAgreement(low, reference)
    await this.write(
      { kind: 'settlement', by: statement.by, envelope: statement.envelope },
      { kind: 'settlement-agreement', by: agreement.by, envelope: agreement.envelope },
    )
  }

  books(): LeaseBook[] {
    return this.ledger.totalsWith(higher, unit)
  }

  sequenceOf(key: string): number {
    return this.#sequences.get(key) ?? 0
  }

  readonly #sequences = new Map<string, number>()
}

const event = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constant('work' as const),
      name: fc.constantFrom('a', 'b', 'c'),
      byUs: fc.boolean(),
      micro: fc.integer({ min: 0, max: 1_000 }),
      isSigned: fc.constantFrom(true, true, true, false),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ does: 'settle' as const }) },
)

test('the ledger’s books are those of the statements; what all statements add of a lease is the last amount that they take in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
      using scratch = new Scratch()
      const books = new Books(scratch.open())
      for (const one of events) {
        if (one.does === 'settle') await books.settle()
        else await books.work(one.name, one.byUs, one.micro, one.isSigned)
      }
      const byLease = (all: readonly LeaseBook[]) => all.toSorted((one, other) => (one.lease < other.lease ? -1 : 1))
      assert.deepEqual(byLease(books.books()), byLease(books.statements.totalsWith(higher, unit)))
      assert.deepEqual([...books.ledger.partners()], [...books.statements.partners()])
      for (let number = 1; number <= books.number; number++)
        assert.deepEqual(books.ledger.agreed(higher, unit, number), books.statements.agreed(higher, unit, number))
      await books.settle()
      const held = (byUs: boolean): bigint =>
        books
          .books()
          .filter(({ provider }) => (provider === lower) === byUs)
          .reduce((sum, book) => sum + BigInt(book.held?.amountMicro ?? 0), 0n)
      const { byUs, toUs } = books.ledger.owed(higher, unit)
      assert.equal(toUs - byUs, held(true) - held(false), 'all nets together are what the receipts come to')
      const earned = books.incomes.by('peer', 'provider', 0).reduce((sum, row) => sum + row.micro, 0n)
      assert.equal(earned, held(true))
      const exposure = books.exposures.of(higher, unit)
      assert.deepEqual([exposure.countersignedMicro, exposure.settledMicro], [held(true), held(true)])
      assert.equal(books.exposures.spentWith(higher, unit), held(false))
      await books.settle()
      assert.deepEqual(books.ledger.owed(higher, unit).byUs, byUs, 'settled once more, nothing is added')
    }),
    { numRuns: 40 },
  )
})

describe('what is in the books', () => {
  test('a damaged lease is held as nothing, and stays settled as far as it was', async () => {
    using scratch = new Scratch()
    const books = new Books(scratch.open())
    await books.work('one', true, 70)
    await books.settle()
    await books.work('one', true, 30)
    assert.equal(books.books()[0]!.held?.amountMicro, 100)
    books.damaged.add(leaseNamed('one true'))
    assert.deepEqual([books.books()[0]!.held, books.books()[0]!.settledMicro], [null, 70])
  })

  test('a receipt that the requester has not signed is exposure, by its lease', async () => {
    using scratch = new Scratch()
    const books = new Books(scratch.open())
    await books.work('one', true, 70)
    await books.work('one', true, 30, false)
    const { countersignedMicro, settledMicro, unsigned } = books.exposures.of(higher, unit)
    assert.deepEqual([countersignedMicro, settledMicro, [...unsigned]], [70n, 0n, [[leaseNamed('one true'), 30n]]])
  })

  test('income by day, each receipt for what it adds; since then only', async () => {
    using scratch = new Scratch()
    const books = new Books(scratch.open())
    await books.work('one', true, 70)
    books.nowMs += dayMs
    await books.work('one', true, 30)
    await books.work('two', true, 5)
    await books.work('ours', false, 1_000)
    const days = books.incomes.by('day', 'provider', 0)
    assert.deepEqual(
      days.map(({ key, micro, leases }) => [key, micro, leases]),
      [
        [new Date(startMs + dayMs).toISOString().slice(0, 10), 35n, 2],
        [new Date(startMs).toISOString().slice(0, 10), 70n, 1],
      ],
    )
    assert.deepEqual(
      books.incomes.by('job', 'provider', startMs + 1).map(({ micro }) => micro),
      [35n],
    )
    assert.deepEqual(
      books.incomes.by('peer', 'requester', 0).map(({ key, micro }) => [key, micro]),
      [[higher, 1_000n]],
    )
  })

  test('units are never added up', async () => {
    using scratch = new Scratch()
    const books = new Books(scratch.open())
    await books.work('one', true, 70)
    await books.write(...recordsOf(evidenceOf(low, high, leaseNamed('in another unit'), 1, 9, { unit: 'euro' })))
    assert.deepEqual(
      books.incomes.by('day', 'provider', 0).map((row) => [row.unit, row.micro]),
      [
        ['credit', 70n],
        ['euro', 9n],
      ],
    )
    assert.equal(books.ledger.partners().length, 2)
    assert.equal(openSettling(higher, 'euro').head, null)
  })
})
