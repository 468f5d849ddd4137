// A backup of a running peer, put back elsewhere, by real processes; and files that are none.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { fromString } from 'uint8arrays'

import { network } from '../../bench/ledger/leases.ts'
import { sha256 } from '../../protocols/wire/index.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { openIdentity } from '../../src/host/index.ts'
import { Store } from '../../src/ledger/store.ts'
import { writeReceipts } from '../fixtures/receipt-ledgers.ts'
import { Home, lastJson, type Running } from './command-line.ts'

const [home, other] = [new Home(), new Home()]
const { data, configFile } = home.directories()
const there = other.directories()
const file = join(home.path, 'peer.backup')
/** Of two roles, six leases each; the last receipt of each has one signature. */
const [leases, turns] = [6, 3]
const upArguments = ['up', '--network', network, '--reach', 'loopback', '--port', '0']
let up: Running

const stopped = async (running: Running): Promise<void> => {
  running.child.kill('SIGTERM')
  await running.result
}

before(async () => {
  mkdirSync(data, { recursive: true, mode: 0o700 })
  mkdirSync(join(configFile, '..'), { recursive: true })
  writeFileSync(configFile, 'bandwidthUp: 9MB/s\n')
  // The peer whose receipts these are.
  const seed = sha256(fromString('provider'))
  await openIdentity(join(data, 'key'), {
    ...realRandom,
    bytes: (count) => (count === seed.byteLength ? seed : realRandom.bytes(count)),
  })
  const store = Store.open(join(data, 'ledger.db'), realClock, silentLog)
  await writeReceipts(store, leases, turns)
  // What was written is of no work that could be taken up again.
  store.writeNow((db) => db.exec('DELETE FROM machine_states'))
  store.close()
  up = home.start(upArguments)
  await up.says(/ready \d/)
})
after(async () => {
  await stopped(up)
  home.remove()
  other.remove()
})

test('a running peer is written to one file, which only its owner reads and which overwrites nothing', async () => {
  const written = await home.run(['backup', file, '--json'])
  assert.equal(written.code, 0, written.err)
  assert.equal(
    lastJson(written)['receipts'],
    2 * leases * turns - leases,
    'of the leases that were asked for, one less each',
  )
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(
    readdirSync(data).filter((name) => name.startsWith('backup-')),
    [],
  )
  const again = await home.run(['backup', file, '--json'])
  assert.deepEqual([again.code, (lastJson(again)['error'] as { code: string }).code], [6, 'PATH_UNUSABLE'])
})

test('where a peer is nothing is put back, whether it runs or not', async () => {
  const key = readFileSync(join(data, 'key'))
  const over = await home.run(['restore', file, '--json'])
  assert.deepEqual([over.code, (lastJson(over)['error'] as { code: string }).code], [6, 'PROFILE_LIVES'])
  assert.deepEqual(readFileSync(join(data, 'key')), key)
  const lonely = home.directories('lonely').data
  mkdirSync(lonely, { recursive: true, mode: 0o700 })
  writeFileSync(join(lonely, 'ledger.db'), 'somebody has begun something here')
  const onto = await home.run(['restore', file, '--profile', 'lonely', '--json'])
  assert.deepEqual([onto.code, (lastJson(onto)['error'] as { code: string }).code], [6, 'PROFILE_LIVES'])
  assert.equal(readFileSync(join(lonely, 'ledger.db'), 'utf8'), 'somebody has begun something here')
})

test('a file that is cut off, changed or none is refused, and leaves nothing', async () => {
  const whole = readFileSync(file)
  const bent = Buffer.from(whole)
  bent[whole.indexOf('SQLite format 3') + 20_000]! ^= 1
  const cases: [name: string, bytes: Buffer][] = [
    ['cut', whole.subarray(0, whole.byteLength - 10_000)],
    ['bent', bent],
    ['none', Buffer.from('not a backup')],
    ['empty', Buffer.alloc(0)],
  ]
  for (const [name, bytes] of cases) {
    const path = join(home.path, `${name}.backup`)
    writeFileSync(path, bytes)
    const result = await other.run(['restore', path, '--json'])
    assert.deepEqual([result.code, (lastJson(result)['error'] as { code: string }).code], [3, 'BACKUP_DAMAGED'], name)
    const left = readdirSync(there.data).filter((entry) => entry !== 'lock')
    assert.deepEqual(left, [], name)
    assert.ok(!existsSync(there.configFile), name)
  }
  const missing = await other.run(['restore', join(home.path, 'nowhere'), '--json'])
  assert.deepEqual([missing.code, (lastJson(missing)['error'] as { code: string }).code], [2, 'NO_SUCH_FILE'])
})

test('what is put back is that peer, and lends and signs nothing until its owner has said that it is the only one', async () => {
  const restored = await other.run(['restore', file, '--json'])
  assert.equal(restored.code, 0, restored.err)
  assert.equal(readFileSync(there.configFile, 'utf8'), 'bandwidthUp: 9MB/s\n')
  for (const name of ['key', 'ledger.db']) assert.equal(statSync(join(there.data, name)).mode & 0o777, 0o600)
  const status = async (): Promise<Record<string, unknown>> => lastJson(await other.run(['status', '--json']))
  const first = other.start([...upArguments, '--offer'])
  await first.says(/ready \d/)
  const doubted = await status()
  const receipts = lastJson(await other.run(['receipts', '--json']))['receipts'] as unknown[]
  await stopped(first)
  assert.equal(doubted['peer'], lastJson(restored)['peer'])
  assert.equal((doubted['resting'] as { because: string }).because, 'IN_DOUBT')
  assert.match((doubted['warnings'] as string[])[0]!, /comes from a backup.*pleach up --only-one/)
  assert.equal(receipts.length, 2 * leases)
  const second = other.start([...upArguments, '--offer', '--only-one'])
  await second.says(/ready \d/)
  const sure = await status()
  await stopped(second)
  const third = other.start([...upArguments, '--offer'])
  await third.says(/ready \d/)
  const later = await status()
  await stopped(third)
  for (const { resting, warnings } of [sure, later] as { resting: unknown; warnings: string[] }[]) {
    assert.equal(resting, null)
    assert.ok(!warnings.some((warning) => warning.includes('backup')))
  }
})
