import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import { entriesMax, keyCharsMax, KeyValueFile, valueBytesMax } from '../../src/ledger/key-value.ts'
import { Jobs } from '../../src/ledger/jobs.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { silentLog } from '../../src/environment.ts'
import { Experiences, experiencesMax, type ExperienceRow } from '../../src/ledger/experiences.ts'
import { addReceipt, countersign, ForkError, Receipts } from '../../src/ledger/receipts.ts'
import { floorsMax, SequenceFloors } from '../../src/ledger/sequence-floors.ts'
import { Dossiers } from '../../src/ledger/dossiers.ts'
import { Shards } from '../../src/ledger/shards.ts'
import { sha256 } from '../../protocols/wire/hash.ts'
import { Trade, worker, type Step } from '../../bench/ledger/trade.ts'
import { Scratch } from '../fixtures/ledgers.ts'

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

describe('the floor of a sequence number', () => {
  const attempt = fc.record({
    key: fc.constantFrom('a', 'b'),
    sequence: fc.nat(6),
    record: fc.constantFrom('x', 'y'),
    restart: fc.boolean(),
  })

  test('never falls, and has one record, over restarts too', () => {
    fc.assert(
      fc.property(fc.array(attempt, { maxLength: 25 }), (attempts) => {
        using scratch = new Scratch()
        let store = scratch.open()
        let floors = new SequenceFloors(store)
        const model = new Map<string, { readonly sequence: number; readonly record: string }>()
        for (const { key, sequence, record, restart } of attempts) {
          if (restart) {
            store.close()
            store = scratch.open()
            floors = new SequenceFloors(store)
          }
          const known = model.get(key)
          const expected =
            known === undefined || sequence > known.sequence || (sequence === known.sequence && record === known.record)
          assert.equal(floors.accepts(key, sequence, sha256(bytes(record))), expected)
          if (expected) model.set(key, { sequence, record })
        }
      }),
      { numRuns: 25 },
    )
  })

  test('is forgotten only when there are too many, the oldest first', () => {
    using scratch = new Scratch()
    const store = scratch.open()
    store.writeNow((db) => {
      const insert = db.prepare('INSERT INTO sequence_floors (key, floor, hash, used) VALUES (?, 9, ?, ?)')
      for (let used = 1; used <= floorsMax; used++) insert.run(`key-${used}`, sha256(bytes('x')), used)
    })
    const floors = new SequenceFloors(store)
    assert.ok(!floors.accepts('key-1', 1, sha256(bytes('old'))))
    assert.ok(floors.accepts('key-1', 10, sha256(bytes('new'))))
    assert.ok(floors.accepts('one-more', 1, sha256(bytes('x'))))
    assert.ok(!floors.accepts('key-1', 1, sha256(bytes('old'))), 'raised last')
    assert.ok(!floors.accepts('key-3', 1, sha256(bytes('old'))))
    assert.ok(floors.accepts('key-2', 1, sha256(bytes('old'))), 'the oldest is forgotten')
    const count = store.read((db) => db.prepare('SELECT count(*) AS count FROM sequence_floors').get()!['count'])
    assert.equal(count, floorsMax)
  })

  test('of our own counters is never given twice', () => {
    using scratch = new Scratch()
    const first = new SequenceFloors(scratch.open())
    assert.deepEqual([first.next('record', 5), first.next('record', 0), first.next('other', 0)], [5, 6, 1])
  })
})

describe('receipts', () => {
  const receipt = (sequence: number, text: string) =>
    ({
      by: 'provider',
      envelope: bytes(text),
      body: {
        lease: 'ab',
        sequence,
        previous: sha256(bytes('before')),
        final: false,
        amountMicro: sequence * 10,
        unit: 'credit',
        job: 'job',
        requester: 'requester',
      },
    }) as never as Parameters<typeof addReceipt>[2]
  const countersignature = (sequence: number, of: string, text: string) =>
    ({
      by: 'requester',
      envelope: bytes(text),
      body: { lease: 'ab', sequence, receipt: sha256(bytes(of)) },
    }) as never as Parameters<typeof countersign>[2]

  test('are kept once each; another in the same place is a fork', async () => {
    using scratch = new Scratch()
    const store = scratch.open()
    const receipts = new Receipts(store)
    const add = async (sequence: number, text: string): Promise<void> =>
      store.write((db) => addReceipt(db, 'provider', receipt(sequence, text), 1))
    await add(1, 'one')
    await add(1, 'one')
    await add(2, 'two')
    await assert.rejects(add(1, 'another one'), ForkError)
    assert.deepEqual(
      receipts.chain('ab', 'provider').map(({ sequence, envelope }) => [sequence, Buffer.from(envelope).toString()]),
      [
        [1, 'one'],
        [2, 'two'],
      ],
    )
    assert.deepEqual(receipts.chain('ab', 'requester'), [])
  })

  test('count what both have signed', async () => {
    using scratch = new Scratch()
    const store = scratch.open()
    await store.write((db) => {
      addReceipt(db, 'provider', receipt(1, 'one'), 1)
      addReceipt(db, 'provider', receipt(2, 'two'), 2)
      countersign(db, 'provider', countersignature(1, 'one', 'signed one'), 2)
      countersign(db, 'provider', countersignature(2, 'another two', 'signed another'), 2)
    })
    const [total] = new Receipts(store).totals()
    assert.deepEqual([total?.receipts, total?.bothSigned, total?.amountMicro, total?.updatedMs], [2, 1, 10, 2])
  })
})

test('a receipt and its countersignature lie in one row; a countersignature of a receipt that is not here is kept by itself', async () => {
  using scratch = new Scratch()
  const store = scratch.open()
  const machines = new MachineStates(store, worker)
  const trade = new Trade('rows', 2)
  const keep = async (step: Step): Promise<void> => machines.commit({ ...step, kind: 'lease', final: false }, 1)
  trade.turn()
  await keep(trade.receipt(0))
  trade.receipt(1)
  for (const index of [0, 1]) trade.countersign(index)
  const taken = [trade.take(0), trade.take(1)] as const
  const counts = () =>
    store.read((db) =>
      ['statements', 'receipts', 'chain'].map((table) => db.prepare(`SELECT count(*) AS n FROM ${table}`).get()!['n']),
    )
  for (const step of [taken[0], taken[0]]) await keep(step)
  assert.deepEqual(counts(), [0, 1, 2])
  const [row] = new Receipts(store).chain(taken[0].id, 'provider')
  assert.deepEqual(row?.countersignature, taken[0].statements[0]?.envelope)
  for (const step of [taken[1], taken[1]]) await keep(step)
  assert.deepEqual(counts(), [1, 1, 2])
})

describe('machines', () => {
  const statement = (text: string) => ({ kind: 'offer', by: 'peer', envelope: bytes(text) })
  const entry = (id: string, state: string | null, final = false) =>
    ({
      kind: 'job',
      id,
      state: state === null ? null : bytes(state),
      final,
      statements: [statement(`by ${id}`)],
    }) as const

  test('that are not over come back after a restart, with what they said', async () => {
    using scratch = new Scratch()
    const first = scratch.open()
    // Only statements of leases are opened, so no notary is asked for these.
    const states = new MachineStates(first, undefined as never)
    await Promise.all([states.commit(entry('a', 'old'), 1), states.commit(entry('b', 'open'), 2)])
    await states.commit(entry('a', 'new'), 3)
    await states.commit(entry('b', 'over', true), 4)
    await states.commit(entry('c', null), 5)
    first.close()
    const store = scratch.open()
    const open = new MachineStates(store, undefined as never).open('job')
    assert.deepEqual(
      open.map(({ id, state }) => [id, Buffer.from(state).toString()]),
      [['a', 'new']],
    )
    const said = store.read((db) => db.prepare('SELECT machine FROM statements ORDER BY machine').all())
    assert.deepEqual(
      said.map((row) => row['machine']),
      ['job/a', 'job/b', 'job/c'],
    )
  })
})

describe('jobs', () => {
  test('are listed newest first, as they were shown last', async () => {
    using scratch = new Scratch()
    const jobs = new Jobs(scratch.open())
    await Promise.all([jobs.put('a', 1, 'old'), jobs.put('b', 2, 'b')])
    await jobs.put('a', 9, 'a')
    assert.deepEqual(jobs.list(), ['b', 'a'])
  })
})

describe('shards', () => {
  const shard = (root: string, keepUntilMs: number, size = 10) => ({
    root,
    bytes: size,
    keepUntilMs,
    owner: 'peer',
    othersUntilMs: 0,
    createdMs: 1,
  })

  test('are listed when they have expired, and kept for the longer of two times', async () => {
    using scratch = new Scratch()
    const shards = new Shards(scratch.open())
    await Promise.all([shards.put(shard('a', 100)), shards.put(shard('b', 200)), shards.put(shard('c', 300))])
    await shards.put(shard('a', 250))
    await shards.put(shard('c', 1))
    assert.deepEqual(
      shards.expired(200).map(({ root }) => root),
      ['b'],
    )
    assert.equal(shards.get('a')?.keepUntilMs, 250)
    assert.deepEqual(shards.totalBut('nobody'), { bytes: 30, shards: 3 })
    await shards.delete('b')
    assert.deepEqual([shards.get('b'), shards.totalBut('nobody').bytes], [undefined, 20])
  })
})

test('what is known of an object counts with the shard that it is kept for, and leaves with it', async () => {
  using scratch = new Scratch()
  const store = scratch.open()
  const [shards, dossiers] = [new Shards(store), new Dossiers(store)]
  const entry = { bytes: 10, keepUntilMs: 1, othersUntilMs: 0, createdMs: 1 }
  await shards.put({ ...entry, root: 'a', owner: 'them' })
  await shards.put({ ...entry, root: 'b', owner: 'me' })
  const dossier = { root: 'a', manifest: new Uint8Array(200), records: [new Uint8Array(30)], isAdvertised: false }
  await dossiers.put({ ...dossier, object: 'one' })
  await dossiers.put({ ...dossier, object: 'two', root: 'b' })
  assert.deepEqual([shards.totalBut('me'), shards.bytesOf('them')], [{ bytes: 240, shards: 1 }, 240])
  await dossiers.put({ ...dossier, object: 'one', records: [new Uint8Array(30), new Uint8Array(40)] })
  assert.deepEqual([shards.totalBut('me').bytes, shards.totalBut('them').bytes], [280, 240])
  await dossiers.delete('one')
  assert.equal(shards.totalBut('me').bytes, 10)
})

const row: ExperienceRow = {
  success: 1.5,
  refused: 0,
  noShow: 0.25,
  fault: 0,
  paidMicro: 1_234_567.5,
  startMs: 300,
  starts: 2,
  lapses: 0.5,
  lapsedMs: 7,
  lapse: 'noShow',
  atMs: 8,
  evidence: ['SILENT', 'sent a "bad" block'],
}

describe('what was seen of peers', () => {
  test('has a row for each peer and each thing that it did, and comes back as it was', async () => {
    using scratch = new Scratch()
    const store = scratch.open()
    const seen = new Experiences(store, silentLog)
    seen.change('p', 'wasi', (before) => {
      assert.equal(before, undefined)
      return row
    })
    seen.change('p', 'wasi', (before) => ({ ...before!, success: before!.success + 1 }))
    seen.change('p', 'keeping', () => row)
    seen.change('', 'wasi', () => row)
    await store.write(() => {})
    assert.deepEqual(
      [...seen.of('p')],
      [
        ['keeping', row],
        ['wasi', { ...row, success: 2.5 }],
      ],
    )
    assert.equal(seen.of('q').size, 0)
    assert.deepEqual(seen.peers(), ['p'], 'strangers as such are no peer')
  })

  test('is bounded: that of whom nothing was seen for longest gives way', async () => {
    using scratch = new Scratch()
    const store = scratch.open()
    const seen = new Experiences(store, silentLog)
    store.writeNow((db) => {
      const fill = db.prepare(
        `WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < ?)
         INSERT INTO experiences SELECT 'peer-' || value, 'wasi', 0, 0, 0, 0, 0, 0, 0, 0, 0, '', value, '[]' FROM n`,
      )
      fill.run(experiencesMax)
    })
    seen.change('one-more', 'wasi', () => ({ ...row, atMs: experiencesMax + 1 }))
    await store.write(() => {})
    assert.equal(seen.of('peer-1').size, 0)
    assert.ok(seen.of('peer-2').size === 1 && seen.of('one-more').size === 1)
  })

  test('a change that cannot be written is told in the log, and nobody waits for it', async () => {
    using scratch = new Scratch()
    const store = scratch.open()
    const told: string[] = []
    const seen = new Experiences(store, (_level, message) => void told.push(message))
    seen.change('p', 'wasi', () => ({ ...row, success: null as unknown as number }))
    await store.write(() => {})
    assert.equal(told.length, 1)
    assert.equal(seen.of('p').size, 0)
  })
})

describe('keys and values', () => {
  test('come back, by key and by the beginning of a key, after a restart', () => {
    using scratch = new Scratch()
    const path = join(scratch.folder, 'values.db')
    const first = new KeyValueFile(path)
    for (const key of ['/a/1', '/a/2', '/b/1', '/a', '😀/1']) assert.ok(first.put(key, bytes(key)))
    first.put('/a/1', bytes('changed'))
    first.delete('/a/2')
    first.close()
    first.close()
    const second = new KeyValueFile(path)
    assert.equal(Buffer.from(second.get('/a/1')!).toString(), 'changed')
    assert.equal(second.get('/a/2'), undefined)
    assert.deepEqual(
      second.list('/a').map(([key]) => key),
      ['/a', '/a/1'],
    )
    assert.deepEqual(
      second.list('😀').map(([key]) => key),
      ['😀/1'],
    )
    assert.equal(second.list('').length, 4)
    second.close()
  })

  test('are bounded', () => {
    using scratch = new Scratch()
    const path = join(scratch.folder, 'values.db')
    new KeyValueFile(path).close()
    fill(path)
    const file = new KeyValueFile(path)
    assert.ok(!file.put('one-more', bytes('x')))
    assert.ok(file.put('key-0', bytes('changed')))
    file.delete('key-1')
    assert.ok(file.put('one-more', bytes('x')))
    assert.ok(!file.put('x'.repeat(keyCharsMax + 1), bytes('x')))
    assert.ok(!file.put('key-0', new Uint8Array(valueBytesMax + 1)))
    file.close()
  })
})

/** Puts in as many entries as there may be. */
function fill(path: string): void {
  const db = new DatabaseSync(path)
  db.exec('BEGIN')
  const insert = db.prepare('INSERT INTO entries (key, value) VALUES (?, ?)')
  for (let index = 0; index < entriesMax; index++) insert.run(`key-${index}`, new Uint8Array(1))
  db.exec('COMMIT')
  db.close()
}
