import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'

import { realClock, silentLog } from '../../src/environment.ts'
import { closeDatabase, inMemory, openDatabase } from '../../src/ledger/database.ts'
import type { LedgerErrorCode } from '../../src/ledger/ledger-error.ts'
import { ledgerSteps } from '../../src/ledger/migrations.ts'
import { Objects } from '../../src/ledger/objects.ts'
import { Puts } from '../../src/ledger/puts.ts'
import { Shards } from '../../src/ledger/shards.ts'
import {
  changesPendingMax,
  changesPerCommitMax,
  commitWithinMs,
  ledgerBytesMax,
  LedgerError,
  Store,
} from '../../src/ledger/store.ts'
import { ManualClock, Scratch } from '../fixtures/ledgers.ts'

const isCode = (code: LedgerErrorCode) => (error: unknown) => error instanceof LedgerError && error.code === code

const put = async (store: Store, id: string, view = ''): Promise<unknown> =>
  store.write((db) => db.prepare('INSERT INTO jobs (id, created_ms, view) VALUES (?, 0, ?)').run(id, view).changes)

const ids = (store: Store): unknown[] =>
  store.read((db) =>
    db
      .prepare('SELECT id FROM jobs ORDER BY id')
      .all()
      .map((row) => row['id']),
  )

describe('changes', () => {
  test('are committed together, once the first has waited long enough', async () => {
    using scratch = new Scratch()
    const time = new ManualClock()
    const store = scratch.open(time.clock)
    const written = Promise.all(['a', 'b', 'c'].map(async (id) => put(store, id)))
    assert.deepEqual(
      [...time.waiting].map(({ delayMs }) => delayMs),
      [commitWithinMs],
    )
    assert.deepEqual(ids(store), [], 'nothing is done before its group')
    time.fire()
    assert.deepEqual(await written, [1, 1, 1])
    assert.deepEqual(ids(store), ['a', 'b', 'c'])
    assert.deepEqual(store.counts, { commits: 1, changes: 3, largest: 3 })
    assert.equal(time.waiting.size, 0)
  })

  test('are committed without waiting, once they are enough', async () => {
    using scratch = new Scratch()
    const time = new ManualClock()
    const store = scratch.open(time.clock)
    const written = Array.from({ length: changesPerCommitMax + 1 }, async (_, index) => put(store, `${index}`))
    await Promise.all(written.slice(0, changesPerCommitMax))
    assert.deepEqual(store.counts, { commits: 1, changes: changesPerCommitMax, largest: changesPerCommitMax })
    time.fire()
    await written.at(-1)
    assert.equal(store.counts.commits, 2)
  })

  test('that throw fail alone, and leave nothing', async () => {
    using scratch = new Scratch()
    const store = scratch.open()
    await put(store, 'taken')
    const results = await Promise.allSettled([
      put(store, 'a'),
      store.write((db) => {
        db.prepare(`INSERT INTO jobs (id, created_ms, view) VALUES ('half', 0, '')`).run()
        throw new RangeError('no')
      }),
      put(store, 'taken'),
      put(store, 'b'),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    )
    assert.ok(results[1].status === 'rejected' && results[1].reason instanceof RangeError)
    assert.deepEqual(ids(store), ['a', 'b', 'taken'])
  })

  test('must not be async, nor use the store', async () => {
    using scratch = new Scratch()
    const store = scratch.open()
    await assert.rejects(
      store.write(async () => 1),
      TypeError,
    )
    await assert.rejects(
      store.write(() => store.read(() => 1)),
      /and not the store/,
    )
    await assert.rejects(
      store.write(() => store.writeNow(() => 1)),
      /and not the store/,
    )
    await put(store, 'a')
    assert.deepEqual(ids(store), ['a'])
  })

  test('have a bound to their number', async () => {
    using scratch = new Scratch()
    const time = new ManualClock()
    const store = scratch.open(time.clock)
    // A change that brings more changes with it is the only way to have many at once: others are committed at 64.
    const inner: Promise<unknown>[] = []
    const outer = store.write(() => {
      for (let count = 0; count <= changesPendingMax; count++) inner.push(put(store, `${count}`))
    })
    time.fire()
    await outer
    await assert.rejects(inner.at(-1)!, isCode('LEDGER_BUSY'))
    while (time.waiting.size > 0) time.fire()
    await Promise.all(inner.slice(0, -1))
    assert.equal(store.counts.largest, changesPerCommitMax)
    assert.equal(store.counts.changes, changesPendingMax + 1)
  })

  test('that cannot wait come after those that do', async () => {
    using scratch = new Scratch()
    const store = scratch.open(new ManualClock().clock)
    const waiting = put(store, 'a')
    assert.deepEqual(
      store.writeNow((db) => db.prepare('SELECT count(*) AS count FROM jobs').get()!['count']),
      1,
    )
    await waiting
    assert.throws(() =>
      store.writeNow((db) => {
        db.exec(`INSERT INTO jobs (id, created_ms, view) VALUES ('b', 0, '')`)
        throw new RangeError('no')
      }),
    )
    assert.deepEqual(ids(store), ['a'])
  })
})

describe('a ledger', () => {
  test('commits what waits when it is closed, and takes nothing more', async () => {
    using scratch = new Scratch()
    const store = scratch.open(new ManualClock().clock)
    const written = Array.from({ length: 3 }, async (_, index) => put(store, `${index}`))
    store.close()
    store.close()
    assert.deepEqual(await Promise.all(written), [1, 1, 1])
    await assert.rejects(put(store, 'late'), isCode('LEDGER_CLOSED'))
    assert.throws(() => ids(store), isCode('LEDGER_CLOSED'))
    assert.ok(!existsSync(`${scratch.path}.pid`))
    assert.deepEqual(ids(scratch.open()), ['0', '1', '2'])
  })

  test('that is full says so, loses nothing, and goes on when there is room', async () => {
    using scratch = new Scratch()
    const roomBytes = 400_000
    const store = scratch.open(undefined, roomBytes)
    await put(store, 'kept', 'x'.repeat(10_000))
    const group = await Promise.allSettled([
      put(store, 'small'),
      put(store, 'large', 'x'.repeat(roomBytes)),
      put(store, 'after'),
    ])
    for (const result of group)
      if (result.status === 'rejected') assert.ok(isCode('LEDGER_FULL')(result.reason), String(result.reason))
    assert.equal(group[1].status, 'rejected')
    const done = ['small', 'large', 'after'].filter((_, index) => group[index]!.status === 'fulfilled')
    assert.deepEqual(ids(store), [...done, 'kept'].toSorted())
    await store.write((db) => db.exec('DELETE FROM jobs'))
    await put(store, 'again')
    assert.deepEqual(ids(store), ['again'])
  })

  test('writes durably', () => {
    using scratch = new Scratch()
    const store = scratch.open()
    const full = 2
    const settings = ['journal_mode', 'synchronous', 'foreign_keys', 'locking_mode', 'busy_timeout']
    const found = settings.map((name) => Object.values(store.read((db) => db.prepare(`PRAGMA ${name}`).get())!)[0])
    assert.deepEqual(found, ['wal', full, 1, 'exclusive', 0])
  })

  test('cannot be opened twice, in one process either', () => {
    using scratch = new Scratch()
    scratch.open()
    assert.throws(
      () => scratch.open(),
      (error) => isCode('LEDGER_IN_USE')(error) && (error as LedgerError).pid === process.pid,
    )
  })

  test('of a newer program is refused', () => {
    using scratch = new Scratch()
    scratch.open().close()
    const db = new DatabaseSync(scratch.path)
    db.exec('PRAGMA user_version = 1000')
    db.close()
    assert.throws(() => scratch.open(), isCode('LEDGER_TOO_NEW'))
  })
})

test('a ledger of an older program is taken up, and of its shards none is let go that somebody may have been promised', () => {
  using scratch = new Scratch()
  const old = openDatabase(scratch.path, {
    steps: ledgerSteps.slice(0, 2),
    synchronous: 'FULL',
    bytesMax: ledgerBytesMax,
  })
  old.exec(`INSERT INTO shards (root, bytes, keep_until_ms, owner, created_ms) VALUES ('ab', 10, 900, 'owner', 1)`)
  old.exec(
    `INSERT INTO objects (cid, key, manifest, placement, bytes, name, created_ms) VALUES ('c', x'01', x'02', '[]', 1, 'n', 1)`,
  )
  closeDatabase(old, scratch.path)
  const store = scratch.open()
  const shard = new Shards(store).get('ab')
  assert.deepEqual([shard?.keepUntilMs, shard?.othersUntilMs], [900, 900])
  assert.equal(new Objects(store).get('c')?.name, 'n')
  assert.deepEqual(new Puts(store).over(Infinity), [])
})

describe('a damaged file', () => {
  const damages: [what: string, damage: (scratch: Scratch) => void][] = [
    ['that is no database', ({ path }) => writeFileSync(path, 'not a database, '.repeat(1_000))],
    ['whose first page is gone', ({ path }) => overwrite(path, 0, 4_096)],
    ['whose schema is gone', ({ path }) => overwrite(path, 100, 3_000)],
    ['whose tables are gone', ({ path }) => overwrite(path, 4_096, 200_000)],
    ['that is cut off', ({ path }) => writeFileSync(path, readFileSync(path).subarray(0, 30_000))],
  ]

  function overwrite(path: string, at: number, bytes: number): void {
    const content = readFileSync(path)
    content.fill(0xff, at, at + bytes)
    writeFileSync(path, content)
  }

  for (const [what, damage] of damages) {
    test(`${what} is refused, and not held`, async () => {
      using scratch = new Scratch()
      const store = scratch.open()
      for (let index = 0; index < 20; index++) await put(store, `${index}`, 'x'.repeat(10_000))
      store.close()
      damage(scratch)
      assert.throws(() => scratch.open(), isCode('LEDGER_DAMAGED'))
      assert.throws(() => scratch.open(), isCode('LEDGER_DAMAGED'))
    })
  }
})

test('a ledger in memory is one of its own, has no file beside it, and outlives the store over it', async () => {
  const time = new ManualClock()
  const [store, other] = [inMemory, inMemory].map((path) => Store.open(path, time.clock, silentLog)) as [Store, Store]
  const written = put(store, 'a')
  time.fire()
  await written
  assert.deepEqual([ids(store), ids(other)], [['a'], []])
  assert.ok(!existsSync(`${inMemory}.pid`) && !existsSync(inMemory))
  store.close()
  other.close()

  const db = openDatabase(inMemory, { steps: ledgerSteps, synchronous: 'FULL', bytesMax: ledgerBytesMax })
  const first = Store.over(db, inMemory, time.clock, silentLog)
  const kept = put(first, 'kept')
  time.fire()
  await kept
  // Waits for a commit that never comes: whoever had this store is gone.
  void put(first, 'lost')
  assert.deepEqual(ids(Store.over(db, inMemory, new ManualClock().clock, silentLog)), ['kept'])
  closeDatabase(db, inMemory)
})

test('a ledger in a folder that is not there cannot be opened', () => {
  using scratch = new Scratch()
  const path = join(scratch.folder, 'none', 'ledger.db')
  assert.throws(() => Store.open(path, realClock, silentLog), isCode('LEDGER_BROKEN'))
})
