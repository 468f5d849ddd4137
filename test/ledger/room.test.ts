// A disk that is really full: a file system of a few MiB, where this may be mounted.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { Reserve } from '../../src/ledger/reserve.ts'
import { LedgerError, Store } from '../../src/ledger/store.ts'
import { Scratch } from '../fixtures/ledgers.ts'

const diskBytes = 24 * 2 ** 20
const roomBytes = 4 * 2 ** 20
const folder = mkdtempSync(join(tmpdir(), 'pleach-small-disk-'))
let why: string | undefined

before(() => {
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'pleach-test', folder], {
    encoding: 'utf8',
  })
  if (mounted.status !== 0)
    why = `no small file system can be mounted: ${(mounted.error?.message ?? mounted.stderr).trim()}`
})
after(() => {
  if (why === undefined) spawnSync('umount', [folder])
  rmSync(folder, { recursive: true, force: true })
})

/** Everything that is left but `leftBytes`. */
function fill(leftBytes: number): string {
  const path = join(folder, 'filler')
  const file = openSync(path, 'w')
  const chunk = new Uint8Array(64 * 1024)
  try {
    for (;;) {
      const { bavail, bsize } = statfsSync(folder)
      if (bavail * bsize < leftBytes + chunk.byteLength) return path
      writeSync(file, chunk)
    }
  } finally {
    closeSync(file)
  }
}

const put = async (store: Store, id: string, view = ''): Promise<unknown> =>
  store.write((db) => db.prepare('INSERT INTO jobs (id, created_ms, view) VALUES (?, 0, ?)').run(id, view).changes)

test('on a full disk the reserve lets what is under way be written down; without it, it fails and nothing is lost', async (t) => {
  if (why !== undefined) return t.skip(why)
  const path = join(folder, 'data')
  mkdirSync(path)
  const reserve = new Reserve(join(path, 'ledger.reserve'), realRandom, silentLog, roomBytes)
  const store = Store.open(join(path, 'ledger.db'), realClock, silentLog)
  let relieved = 0
  store.onFull(() => {
    const isReleased = reserve.release()
    relieved += Number(isReleased)
    return isReleased
  })
  await put(store, 'kept', 'x'.repeat(100_000))
  assert.ok(reserve.hold() && reserve.isHeld)
  assert.ok(statSync(join(path, 'ledger.reserve')).blocks * 512 >= roomBytes, 'it has its room')
  const filler = fill(0)
  // More than was left, and less than the reserve.
  for (let index = 0; index < 10; index++) await put(store, `under-way-${index}`, 'y'.repeat(100_000))
  assert.deepEqual([relieved, reserve.isHeld], [1, false])
  const failed = await (async () => {
    try {
      for (let index = 0; ; index++) await put(store, `more-${index}`, 'z'.repeat(500_000))
    } catch (error) {
      return error
    }
  })()
  assert.ok(failed instanceof LedgerError && failed.code === 'LEDGER_FULL', String(failed))
  assert.ok(!reserve.hold() && !reserve.isHeld, 'there is no room for it, and no half of it stays')
  rmSync(filler)
  assert.ok(reserve.hold())
  await put(store, 'again')
  const ids = (): unknown[] => store.read((db) => db.prepare('SELECT id FROM jobs').all()).map((row) => row['id'])
  for (const id of ['kept', 'under-way-0', 'under-way-9', 'again']) assert.ok(ids().includes(id), id)
  store.close()
})

test('the reserve is written, is taken up as it is, and is given up once', () => {
  using scratch = new Scratch()
  const path = join(scratch.folder, 'reserve')
  const reserve = new Reserve(path, realRandom, silentLog, 3_000_000)
  assert.ok(!reserve.isHeld && !reserve.release())
  assert.ok(reserve.hold())
  const { ino, blocks } = statSync(path)
  assert.ok(blocks * 512 >= 3_000_000)
  assert.ok(reserve.hold())
  assert.equal(statSync(path).ino, ino)
  assert.ok(reserve.release() && !reserve.isHeld && !reserve.release())
})
