// Receipts as their owner asks for them, out of a real ledger: by any name that fits one lease, as a file and as a credential that hold.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { toString } from 'uint8arrays'

import { sealDispute } from '../../protocols/receipt/index.ts'
import { verifyReceiptFile } from '../../protocols/receipt/verify.ts'
import { verifyAnyFile } from '../../protocols/storage/verify.ts'
import { sha256, type Statement } from '../../protocols/wire/index.ts'
import { ControlError } from '../../src/control/api.ts'
import { petnameOf } from '../../src/host/petname.ts'
import { MachineStates, storageStatementsSql } from '../../src/ledger/machine-states.ts'
import { Receipts } from '../../src/ledger/receipts.ts'
import { ReceiptFiles } from '../../src/node/receipt-files.ts'
import { StorageAccounts } from '../../src/node/storage-accounts.ts'
import { encodeState } from '../../src/state-form.ts'
import { Scratch } from '../fixtures/ledgers.ts'
import { asker, provider, requester, startMs, worker } from '../negotiate/parties.ts'
import { Account } from '../receipt/accounts.ts'
import { KeptAccount } from '../storage/accounts.ts'

const paid = new Account().pays(1_000).ends(3_000)
const again = new Account({ epoch: 2 }).pays(1_000)
const lastReceipt = again.receipts.at(-1)!.receipt
/** As if the last answer had not come, but a word against it. */
again.receipts.at(-1)!.countersignature = null
const dispute = sealDispute(asker, {
  lease: again.lease.id,
  sequence: 1,
  receipt: sha256(lastReceipt),
  refusal: { code: 'WALL_TIME', facts: { claimedMs: 1_000, allowedMs: 900 } },
  issuedMs: startMs + 1_000,
}).envelope

const statementsOf = ({ lease, result, receipts }: Account, disputes: readonly Uint8Array[]): Statement[] => [
  { kind: 'award', by: requester, envelope: lease.award.envelope },
  { kind: 'accept', by: provider, envelope: lease.accept.envelope },
  { kind: 'commit', by: requester, envelope: lease.commit.envelope },
  { kind: 'result', by: provider, envelope: result.envelope },
  ...receipts.flatMap(({ receipt, countersignature }) => [
    { kind: 'receipt', by: provider, envelope: receipt },
    ...(countersignature === null ? [] : [{ kind: 'countersignature', by: requester, envelope: countersignature }]),
  ]),
  ...disputes.map((envelope) => ({ kind: 'receipt-dispute', by: requester, envelope })),
]

const scratch = new Scratch()
after(() => scratch[Symbol.dispose]())
const store = scratch.open()
const ledger = new MachineStates(store, worker)
for (const [index, account] of [paid, again].entries()) {
  const statements = statementsOf(account, account === again ? [dispute] : [])
  const entry = { kind: 'lease', id: String(index), state: null, final: true, statements } as const
  await ledger.commit(entry, startMs + index * 60_000)
}
/** Of the keeper: a month that is long over, and one whose last receipt the owner has not answered; and one without a receipt. */
const [march, april, empty] = [
  new KeptAccount('2026-03').counts().counts(),
  new KeptAccount('2026-04').counts().counts({ relayBytes: 2 ** 20 }, false),
  new KeptAccount('2026-05'),
]
for (const kept of [march, april, empty]) {
  const { account, keep } = kept
  const entry = {
    kind: 'storage-keeper',
    id: account.id,
    state: encodeState(keep),
    statements: kept.statements(),
  } as const
  await ledger.commit({ ...entry, final: kept === march }, startMs)
}
const storage = new StorageAccounts({ notary: worker, machines: ledger } as never)
const receipts = new Receipts(store)
const clock = { nowMs: () => startMs + 120_000 } as never
const files = new ReceiptFiles({ notary: worker, receipts, storage, clock, damageOf: () => undefined })

const job = paid.lease.award.body.job
const hashOf = (receipt: Uint8Array): string => toString(sha256(receipt), 'hex')
const cidOf = (receipt: Uint8Array): string => CID.createV1(0x55, Digest.create(0x12, sha256(receipt))).toString()
const refused = (id: string): ControlError => {
  try {
    files.file(id)
  } catch (error) {
    assert.ok(error instanceof ControlError)
    return error
  }
  return assert.fail(`${id} is a name`)
}

test('the list, newest first, by lease, job, peer and time', () => {
  const leases = (filter: Parameters<ReceiptFiles['list']>[0]): string[] => files.list(filter).map(({ lease }) => lease)
  const all = [again.lease.id, paid.lease.id]
  assert.deepEqual(leases({}), all)
  assert.deepEqual(leases({ job: job.slice(-4) }), all)
  assert.deepEqual(leases({ job: job.slice(0, 20) }), all)
  assert.deepEqual(leases({ job: 'other' }), [])
  assert.deepEqual(leases({ lease: paid.lease.id.slice(0, 8) }), [paid.lease.id])
  for (const peer of [requester, requester.slice(0, 12), requester.slice(-4), petnameOf(requester)])
    assert.deepEqual(leases({ peer }), all)
  assert.deepEqual(leases({ peer: petnameOf(provider) }), [])
  assert.deepEqual(leases({ sinceMs: startMs + 60_000 }), [again.lease.id])
  const [disputed, settled] = files.list({})
  assert.deepEqual([disputed!.disputed, disputed!.amount, disputed!.bothSigned], ['WALL_TIME', '0', 0])
  assert.deepEqual([settled!.disputed, settled!.amount, settled!.bothSigned], ['', '0.000834', 2])
})

test('a lease is named by the beginning of its id, or of any of its receipts, in either spelling', () => {
  for (const [account, { receipt }] of [paid, again].flatMap((one) =>
    one.receipts.map((entry) => [one, entry] as const),
  )) {
    const [hash, cid] = [hashOf(receipt), cidOf(receipt)]
    for (const id of [
      account.lease.id,
      account.lease.id.slice(0, 8),
      hash,
      hash.slice(0, 9),
      cid,
      cid.slice(0, 16),
      cid.slice(0, 21),
    ])
      assert.deepEqual(files.file(id), files.file(account.lease.id), id)
  }
})

test('what fits none, or more than one, is said', () => {
  for (const id of ['nothing', 'ff'.repeat(33), 'bafkrei', 'bafkreizzzzzzzz', '%'])
    assert.deepEqual([refused(id).code, refused(id).exit], ['NOT_FOUND', 2], id)
  for (const id of [job, job.slice(0, 10), job.slice(-4)]) {
    const { code, message, why, cure } = refused(id)
    assert.deepEqual([code, message], ['AMBIGUOUS', `2 leases fit ${id}`])
    assert.match(why, new RegExp(`${again.lease.id.slice(0, 12)}, ${paid.lease.id.slice(0, 12)}`))
    assert.equal(cure, `pleach receipt show ${again.lease.id.slice(0, 12)}`)
  }
})

test('the file and the credential hold, and have the disputes', () => {
  for (const file of [files.file(paid.lease.id), files.credential(paid.lease.id)]) {
    const verdict = verifyReceiptFile(JSON.parse(JSON.stringify(file)))
    assert.deepEqual(verdict.ok && [verdict.payable, verdict.final, verdict.disputes], ['0.000834', true, []])
  }
  for (const file of [files.file(again.lease.id), files.credential(again.lease.id)]) {
    const verdict = verifyReceiptFile(JSON.parse(JSON.stringify(file)))
    assert.deepEqual(
      verdict.ok && [
        verdict.payable,
        verdict.claimed.amount,
        verdict.disputes.map(({ code, resolved }) => [code, resolved]),
      ],
      ['0', '0.000278', [['WALL_TIME', false]]],
    )
  }
})

test('an account of storage is named by the beginning of its id, over or not, and its file holds', () => {
  const listed = storage.list().map(({ account, period, receipts: count }) => [account, period, count])
  assert.deepEqual(listed, [
    [empty.account.id, '2026-05', 0],
    [april.account.id, '2026-04', 1],
    [march.account.id, '2026-03', 2],
  ])
  for (const kept of [march, april]) {
    for (const id of [kept.account.id, kept.account.id.slice(0, 12)]) {
      assert.deepEqual(files.file(id), kept.file())
      for (const made of [files.file(id), files.credential(id)]) {
        const verdict = verifyAnyFile(JSON.stringify(made))
        assert.ok(verdict.ok && verdict.kind === 'pleach-storage-receipts')
        assert.deepEqual([verdict.bothSigned, verdict.receipts], kept === march ? [2, 2] : [1, 2])
      }
    }
  }
  assert.deepEqual([refused(empty.account.id).code, refused(empty.account.id).exit], ['NO_RECEIPT', 2])
  const { code, message } = refused('')
  assert.deepEqual([code, message], ['AMBIGUOUS', '5 accounts fit '])
})

test('receipts of an account are found by an index, however much else is signed', () => {
  const plan = store.read((db) => db.prepare(`EXPLAIN QUERY PLAN ${storageStatementsSql}`).all('storage-keeper/1'))
  assert.match(JSON.stringify(plan), /SEARCH statements USING INDEX statements_storage/)
})

test('what a disk has made something else is not exported as a credential', async () => {
  await store.write((db) => {
    db.prepare("UPDATE receipts SET envelope = x'00' WHERE lease = ? AND sequence = 1").run(paid.lease.id)
  })
  assert.equal(verifyReceiptFile(files.file(paid.lease.id)).ok, false)
  assert.throws(
    () => files.credential(paid.lease.id),
    (error) => error instanceof ControlError && error.code === 'NOT_VERIFIED' && error.exit === 3,
  )
})
