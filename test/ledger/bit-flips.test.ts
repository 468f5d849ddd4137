// One bit of the file flips, anywhere: whatever that changes of a receipt is found, and named by its lease and number.

import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'

import { silentLog } from '../../src/environment.ts'
import { LedgerError, Store } from '../../src/ledger/store.ts'
import { SeededRandom } from '../../sim/random.ts'
import { worker } from '../../bench/ledger/trade.ts'
import type { Notary } from '../../protocols/negotiate/index.ts'
import { Scratch } from '../fixtures/ledgers.ts'
import { still, watchOver, writeReceipts } from '../fixtures/receipt-ledgers.ts'

const flips = 300
const seed = Number(process.env['PLEACH_SEED'] ?? 8)

/** By name, how each receipt reads: as it lies in the table, and as its index finds it. */
function readReceipts(path: string): Map<string, string> {
  const db = new DatabaseSync(path)
  try {
    const told = new Map<string, string>()
    const tell = (how: string, sql: string): void => {
      const query = db.prepare(sql)
      query.setReadBigInts(true)
      for (const row of query.iterate()) {
        const name = `${String(row['lease'])}/${String(row['role'])}/${String(row['sequence'])}`
        const text = JSON.stringify(row, (_, value: unknown) =>
          typeof value === 'bigint'
            ? String(value)
            : value instanceof Uint8Array
              ? Buffer.from(value).toString('hex')
              : value,
        )
        told.set(`${how} ${name}`, text)
      }
    }
    tell('row', 'SELECT * FROM receipts NOT INDEXED')
    // With the row that it leads to: one that leads to another is not found by its name.
    tell('index', 'SELECT rowid, lease, role, sequence FROM receipts ORDER BY lease, role, sequence')
    return told
  } finally {
    db.close()
  }
}

/** What else the ledger has of receipts; of statements the index too, by which they are found. */
const restSql = [
  'SELECT * FROM chain',
  'SELECT * FROM checkpoints',
  'SELECT * FROM statements NOT INDEXED',
  'SELECT hash, rowid FROM statements ORDER BY hash',
]

function readRest(path: string): string {
  const db = new DatabaseSync(path)
  try {
    const all = (sql: string): unknown => {
      const query = db.prepare(sql)
      query.setReadBigInts(true)
      return query.all()
    }
    return JSON.stringify(restSql.map(all), (_, value: unknown) =>
      typeof value === 'bigint'
        ? String(value)
        : value instanceof Uint8Array
          ? Buffer.from(value).toString('hex')
          : value,
    )
  } finally {
    db.close()
  }
}

/** Names of the receipts that read otherwise than they did; undefined when they cannot be read at all. */
function changed(before: Map<string, string>, path: string): Set<string> | undefined {
  let after: Map<string, string>
  try {
    after = readReceipts(path)
  } catch {
    return undefined
  }
  const names = [...before.keys(), ...after.keys()].filter((name) => before.get(name) !== after.get(name))
  // What was written has another name now, or none: of the two the one that was written is to be named.
  return new Set(names.filter((name) => before.has(name)).map((name) => name.slice(name.indexOf(' ') + 1)))
}

/** The same signatures are checked three hundred times. */
function remembering({ signer, network }: Notary): Notary {
  const known = new Map<string, boolean>()
  return {
    network,
    signer: {
      ...signer,
      verify(key, message, signature) {
        const name = [key, message, signature].map((bytes) => Buffer.from(bytes).toString('latin1')).join('|')
        const verdict = known.get(name) ?? signer.verify(key, message, signature)
        known.set(name, verdict)
        return verdict
      },
    },
  }
}

test(`${flips} flipped bits: every one that touches a receipt is named, and none that touches nothing`, async (t) => {
  using scratch = new Scratch()
  const store = scratch.open()
  const watch = watchOver(store, scratch.path)
  watch.checkpoints.begin()
  await writeReceipts(store, 18, 4)
  watch.checkpoints.close()
  store.close()
  const before = readReceipts(scratch.path)
  const rest = readRest(scratch.path)
  const bytes = readFileSync(scratch.path)
  const random = new SeededRandom(seed)
  const notary = remembering(worker)
  const counts = { touched: 0, refused: 0, named: 0, untouched: 0 }
  for (let flip = 0; flip < flips; flip++) {
    const at = random.between(0, bytes.byteLength * 8 - 1)
    const what = `bit ${at} (PLEACH_SEED=${seed}, flip ${flip})`
    const path = join(scratch.folder, `flip-${flip}.db`)
    const damaged = Buffer.from(bytes)
    damaged[at >> 3]! ^= 1 << (at & 7)
    const [truthPath, besidePath] = [`${path}.truth`, `${path}.checkpoint`]
    writeFileSync(truthPath, damaged)
    writeFileSync(path, damaged)
    copyFileSync(`${scratch.path}.checkpoint`, besidePath)
    const touched = changed(before, truthPath)
    let found: string[]
    let doubts = 0
    try {
      const opened = Store.open(path, still, silentLog)
      try {
        const { damages, checkpoints, scrub, ...watched } = watchOver(opened, path, notary)
        checkpoints.begin()
        await scrub.round(AbortSignal.timeout(60_000))
        found = damages.list().map(({ place }) => place)
        for (const { lease } of damages.list()) assert.ok(lease === '' || damages.has(lease))
        doubts = watched.doubts.list().length
      } finally {
        opened.close()
      }
    } catch (error) {
      assert.ok(error instanceof LedgerError, `${what}: ${String(error)}`)
      counts.refused++
      continue
    }
    assert.ok(touched !== undefined, `${what}: receipts cannot be read, and the ledger opens`)
    const missed = [...touched].filter((name) => !found.includes(`receipts ${name}`))
    assert.deepEqual(missed, [], `${what}: not named; found were ${found.join('; ')}`)
    if (touched.size > 0) {
      counts.touched++
      counts.named += touched.size
    } else if (readRest(truthPath) === rest) {
      counts.untouched++
      assert.deepEqual([found, doubts], [[], 0], `${what}: a false alarm`)
    }
  }
  t.diagnostic(JSON.stringify(counts))
  assert.ok(counts.touched >= 30 && counts.untouched >= 30, `the flips say little: ${JSON.stringify(counts)}`)
})
