// The same job on two real peers: the results name other leases and other times, and the same outcome.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { openResult, outcomeOf, type ResultDocument } from '../../protocols/execute/index.ts'
import { verifierOf, type ReceiptFile } from '../../protocols/receipt/verify.ts'
import { assemble } from '../fixtures/wat.ts'
import { eventually, lendsNothing, Mesh } from '../support/mesh.ts'

/** Writes the time, chance, and the bits of a NaN that the processor makes to stdout and to /out/told. */
const curious = assemble(`(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\00\\01\\00\\00\\20\\00\\00\\00") (data (i32.const 64) "out/told")
  (func (export "_start")
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 256)))
    (drop (call $random (i32.const 264) (i32.const 16)))
    (f64.store (i32.const 280) (f64.div (f64.load (i32.const 1024)) (f64.load (i32.const 1032))))
    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 8) (i32.const 1) (i64.const 66) (i64.const 66) (i32.const 0) (i32.const 16)))
    (drop (call $write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 20)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))))`)

test('a deterministic job has the same outcome and gas on every peer', async () => {
  await using mesh = await Mesh.of({ consumer: lendsNothing, one: {}, two: {} })
  await mesh.knows('consumer', ['one', 'two'])
  const { control } = mesh.peer('consumer')
  const module = await mesh.file('curious.wasm', curious)
  const results = async (job: string, count: number): Promise<ResultDocument[]> => {
    const mine = async () => (await control.receipts()).filter((receipt) => receipt.job === job && receipt.final)
    await eventually('every lease has its last receipt', async () => (await mine()).length === count)
    return Promise.all(
      (await mine()).map(async ({ lease }) => {
        const { network, result } = (await control.receiptFile(lease)) as ReceiptFile
        return openResult(verifierOf(network), Buffer.from(result!, 'base64')).body
      }),
    )
  }

  const { job } = await mesh.run('consumer', {
    module,
    nodes: 2,
    deterministic: true,
    gasMax: 1_000_000,
    priceMax: '5',
  })
  assert.equal(job.stage, 'paid')
  const [left, right] = (await results(job.id, 2)) as [ResultDocument, ResultDocument]
  assert.equal(left.stdout.bytes, 32)
  assert.notEqual(left.lease, right.lease)
  assert.notEqual(left.outputs, right.outputs, 'each is sealed under a key of its lease')
  assert.deepEqual(left.stdout, right.stdout)
  assert.equal(left.outputsSha256, right.outputsSha256)
  assert.ok(left.usage.gas > 0)
  assert.equal(left.usage.gas, right.usage.gas)
  assert.equal(outcomeOf(left), outcomeOf(right))
  assert.equal(job.outcome, outcomeOf(left))
  assert.equal(job.gas, left.usage.gas)

  // Another job of the same program has another time and other chance; and without the profile two peers differ.
  const again = await mesh.run('consumer', { module, deterministic: true, check: 'never', priceMax: '5' })
  const [other] = await results(again.job.id, 1)
  assert.notDeepEqual(other!.stdout, left.stdout)
  assert.equal(other!.usage.gas, left.usage.gas)
  const free = await mesh.run('consumer', { module, nodes: 2, priceMax: '5' })
  const [here, there] = await results(free.job.id, 2)
  assert.notDeepEqual(here!.stdout, there!.stdout)
  assert.equal(free.job.outcome, undefined)

  const poor = await mesh.run('consumer', { module, gasMax: 300, priceMax: '5' })
  assert.deepEqual([poor.job.reason, poor.job.stage, poor.job.gas], ['gas-limit', 'paid', 300])
})
