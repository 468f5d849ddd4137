// What follows from the state of the ledger: no new work on a full disk, nothing paid on a damaged lease, nothing signed in doubt.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { worker } from '../../bench/ledger/trade.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { SeededRandom } from '../../sim/random.ts'
import { silentLog } from '../../src/environment.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { openReceipt } from '../../protocols/receipt/index.ts'
import { Receipts } from '../../src/ledger/receipts.ts'
import { LedgerCare, type CareNews } from '../../src/node/ledger-care.ts'
import { Scratch } from '../fixtures/ledgers.ts'
import { writeReceipts } from '../fixtures/receipt-ledgers.ts'
import { controlErrorOf } from '../support/mesh.ts'

const mib = 2 ** 20

/** As a real one, which tells whole milliseconds. */
class WholeClock extends VirtualClock {
  override nowMs(): number {
    return Math.floor(super.nowMs())
  }
}

/** A care over a ledger with receipts, on a disk of which so much is free, and what it told. */
async function careOf(scratch: Scratch, free: { bytes: number }) {
  const clock = new WholeClock(1_700_000_000_000)
  const store = scratch.open()
  await writeReceipts(store, 2, 3)
  const open = (isOnlyOne: boolean): LedgerCare =>
    new LedgerCare({
      ledger: store,
      notary: worker,
      disk: { space: async () => ({ freeBytes: free.bytes, totalBytes: 100_000 * mib }) },
      options: { dataDir: scratch.folder, isOnlyOne },
      ports: { reserveBytes: 100_000 },
      clock,
      random: new SeededRandom(1),
      log: silentLog,
    })
  const care = open(false)
  const told: CareNews[] = []
  const end = care.begin(
    (news) => told.push(news),
    async () => {},
  )
  /** Lets so much time go by, and what was begun in it come to its end. */
  const pass = async (forMs: number): Promise<void> => {
    const untilMs = clock.nowMs() + forMs
    for (;;) {
      await new Promise(setImmediate)
      if (clock.nextMs === undefined || clock.nextMs > untilMs) return
      clock.jump()
    }
  }
  return { store, care, told, end, pass, open }
}

test('with little room on the disk no new work is taken, and it is again when room returns', async () => {
  using scratch = new Scratch()
  const free = { bytes: 1_000 * mib }
  const { care, told, end, pass } = await careOf(scratch, free)
  await pass(30_000)
  assert.deepEqual(told, [])
  care.checkMayBegin()
  free.bytes = 200 * mib
  await pass(30_000)
  assert.deepEqual(told, [{ is: 'room', isLow: true }])
  const error = await controlErrorOf((async () => care.checkMayBegin())())
  assert.deepEqual([error.code, error.exit], ['DISK_LOW', 6])
  assert.match(care.warnings().join(), /nearly full/)
  free.bytes = 280 * mib
  await pass(30_000)
  assert.equal(told.length, 1, 'not at once: it would come and go')
  free.bytes = 400 * mib
  await pass(30_000)
  assert.deepEqual(told.at(-1), { is: 'room', isLow: false })
  care.checkMayBegin()
  await end()
})

test('a damaged lease is left out of what is owed, is not paid, and is told of', async () => {
  using scratch = new Scratch()
  const { store, care, end, pass } = await careOf(scratch, { bytes: 1_000 * mib })
  const receipts = new Receipts(store)
  const first = receipts.totals().find(({ role }) => role === 'provider')
  const others = receipts.totals().filter(({ lease }) => lease !== first!.lease)
  store.writeNow((db) =>
    db
      .prepare('UPDATE receipts SET amount_micro = amount_micro + 1 WHERE lease = ? AND sequence = 2')
      .run(first!.lease),
  )
  await pass(3_600_000)
  assert.deepEqual(
    care.damages.list().map(({ lease, role, sequence, what }) => [lease, role, sequence, what]),
    [[first!.lease, first!.role, 2, 'amount_micro']],
  )
  assert.deepEqual(receipts.totals(), others)
  assert.deepEqual(receipts.chain(first!.lease, first!.role), [])
  store.writeNow((db) => db.exec(`UPDATE receipts SET final = 1 WHERE role = 'provider'`))
  const shown = receipts.references(1_000).map(({ receipt }) => openReceipt(worker, receipt).body.lease)
  assert.ok(shown.length > 0 && !shown.includes(first!.lease), 'nobody is shown what may not be what was signed')
  assert.equal(care.whyNotPay(first!.lease)?.code, 'RECEIPTS_DAMAGED')
  assert.equal(care.whyNotPay(others[0]!.lease), null)
  assert.match(care.warnings().join(), new RegExp(`damaged at receipts ${first!.lease}/.*/2`))
  await end()
})

test('in doubt nothing is signed, over restarts too, until the owner says that this is the only one', async () => {
  using scratch = new Scratch()
  const { store, care, told, end, open } = await careOf(scratch, { bytes: 1_000 * mib })
  const machines = new MachineStates(store, worker)
  const sign = async (by: LedgerCare, signer: string, kind = 'receipt'): Promise<void> => {
    const statements = [{ kind, by: signer, envelope: new Uint8Array(3) }]
    await by.journal(machines).commit({ kind: 'lease', id: 'x', state: 1, final: false, statements })
  }
  care.onForeignRecord(17)
  care.onForeignRecord(18)
  assert.deepEqual(told, [{ is: 'doubt', isOn: true }])
  assert.equal(care.whyNotPay('any')?.code, 'IN_DOUBT')
  for (const kind of ['receipt', 'countersignature', 'storage-receipt', 'storage-countersignature'])
    await assert.rejects(sign(care, worker.signer.peer, kind), /PEER_TWICE/)
  await care.journal(machines).commit({ kind: 'lease', id: 'x', state: 2, final: false, statements: [] })
  await end()
  const again = open(false)
  assert.match(again.warnings()[0]!, /another peer signs/)
  await assert.rejects(sign(again, worker.signer.peer), /PEER_TWICE/)
  const decided = open(true)
  assert.deepEqual([decided.warnings(), decided.whyNotPay('any')], [[], null])
  assert.deepEqual(open(false).doubts.list(), [])
})

test('an older copy of the ledger is noticed by the checkpoint beside it', async () => {
  using scratch = new Scratch()
  const { store, care, end, open } = await careOf(scratch, { bytes: 1_000 * mib })
  await writeReceipts(store, 1, 2, 'later')
  care.close()
  await end()
  const known = store.read((db) => db.prepare('SELECT count(*) AS count FROM chain').get()!['count'] as number)
  // As if the last two statements had never been written.
  store.writeNow((db) => {
    db.prepare('DELETE FROM chain WHERE position > ?').run(known - 2)
    db.exec('DELETE FROM checkpoints')
  })
  assert.deepEqual(
    open(false)
      .doubts.list()
      .map(({ code, facts }) => [code, facts]),
    [['LEDGER_BEHIND', { signed: known, known: known - 2 }]],
  )
})
