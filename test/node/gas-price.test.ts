// Real peers that are paid by what a program executes, and by everything that a tariff has a price for.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { openResult } from '../../protocols/execute/index.ts'
import { openAward } from '../../protocols/negotiate/index.ts'
import { amountOwed, openReceipt, usageOf, type Usage } from '../../protocols/receipt/index.ts'
import { verifierOf, verifyReceiptFile, type ReceiptFile } from '../../protocols/receipt/verify.ts'
import { parseMicro } from '../../protocols/wire/index.ts'
import { plainPolicy, type OfferPolicy } from '../../src/config/options.ts'
import { sleeps } from '../fixtures/programs.ts'
import { assemble } from '../fixtures/wat.ts'
import { eventually, lendsNothing, Mesh, type MemberOptions } from '../support/mesh.ts'

/** Counts to a million, and leaves eight bytes in /out/told. */
const counts = assemble(`(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\00\\01\\00\\00\\08\\00\\00\\00") (data (i32.const 64) "out/told")
  (func (export "_start") (local $left i32)
    (local.set $left (i32.const 1000000))
    (loop $again
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 8) (i32.const 1) (i64.const 66) (i64.const 66) (i32.const 0) (i32.const 16)))
    (drop (call $write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 20)))))`)

const asks = (cpuHourMicro: number, policy: Partial<OfferPolicy>): MemberOptions => ({
  offer: { cpuHourMicro, policy: { ...plainPolicy, ...policy } },
})

/** The last receipt of the one lease of a job, from the file that proves it. */
async function lastOf(mesh: Mesh, job: string) {
  const { control } = mesh.peer('consumer')
  const mine = async () => (await control.receipts()).filter((receipt) => receipt.job === job && receipt.final)
  await eventually('the last receipt is there', async () => (await mine()).length === 1)
  const [view] = await mine()
  const file = (await control.receiptFile(view!.lease)) as ReceiptFile
  const notary = verifierOf(file.network)
  const bytes = (text: string) => Buffer.from(text, 'base64')
  assert.ok(verifyReceiptFile(file).ok)
  const receipts = file.receipts.map(({ receipt }) => openReceipt(notary, bytes(receipt)).body)
  return {
    view: view!,
    award: openAward(notary, bytes(file.lease.award)).body,
    result: openResult(notary, bytes(file.result!)).body,
    receipts,
    receipt: receipts.at(-1)!,
  }
}

test('paid by gas alone: what is owed follows from the instructions of a deterministic job', async () => {
  await using mesh = await Mesh.of({ consumer: lendsNothing, one: asks(0, { gigaGasMicro: 1_000_003 }) })
  await mesh.knows('consumer', ['one'])
  const { control } = mesh.peer('consumer')
  const [offer] = await control.offers(false, AbortSignal.timeout(5_000))
  assert.deepEqual([offer?.pricePerCpuHour, offer?.pricePerGigaGas], ['0', '1.000003'])
  const module = await mesh.file('counts.wasm', counts)
  const wish = { module, deterministic: true, wallMs: 60_000 }
  // 10^9 instructions a second are reckoned with where the job has no limit: 3,600 an hour.
  const dear = await mesh.run('consumer', { ...wish, priceMax: '3600', waitMs: 1_000 })
  assert.equal(dear.job.code, 'NO_MATCH')
  const { job } = await mesh.run('consumer', { ...wish, gasMax: 20_000_000, priceMax: '1.2001' })
  assert.equal(job.stage, 'paid')
  const { view, award, result, receipt } = await lastOf(mesh, job.id)
  assert.equal(award.cpuHourMicro, 0)
  const { gas } = result.usage
  assert.ok(gas > 4_000_000 && gas < 20_000_000, String(gas))
  assert.equal(receipt.usage.gas, gas)
  assert.equal(receipt.amountMicro, Math.ceil((gas * 1_000_003) / 10 ** 9))
  assert.equal(parseMicro(view.amount), receipt.amountMicro)
  assert.equal(parseMicro(job.cost), receipt.amountMicro)
  // The same work costs the same, however fast it went.
  const again = await mesh.run('consumer', { ...wish, gasMax: 20_000_000, priceMax: '1.2001' })
  assert.equal(parseMicro(again.job.cost), receipt.amountMicro)
})

test('paid by everything: what is leased counts for as long as it ran, and what was carried counts once', async () => {
  const policy = {
    gigaGasMicro: 17_001,
    memoryGibHourMicro: 700_001,
    inGibMicro: 90_000_001,
    outGibMicro: 5_000_000_009,
    storeGibHourMicro: 30_007,
  }
  await using mesh = await Mesh.of({ consumer: lendsNothing, one: asks(800_000, policy) })
  await mesh.knows('consumer', ['one'])
  const module = await mesh.file('counts.wasm', counts)
  const stdin = await mesh.file('words', 'warp and weft')
  const wish = { module, stdin, memoryBytes: 2 ** 28, diskBytes: 2 ** 30, wallMs: 60_000, priceMax: '1000' }
  const estimate = await mesh.peer('consumer').control.estimate(wish, AbortSignal.timeout(10_000))
  const { job } = await mesh.run('consumer', wish)
  assert.equal(job.stage, 'paid')
  const { award, result, receipt } = await lastOf(mesh, job.id)
  const { usage } = receipt
  const inBytes = counts.byteLength + 'warp and weft'.length
  assert.deepEqual([usage.inBytes, usage.outBytes, usage.gpuMs], [inBytes, 8, 0])
  assert.deepEqual(usage, usageOf(award, usage))
  assert.ok(usage.memMibS > 0 && usage.storeMibS > 0 && usage.wallMs >= result.usage.wallMs)
  assert.equal(usage.gas, result.usage.gas)
  assert.equal(receipt.amountMicro, amountOwed(award, usage))
  const parts = [
    Math.ceil((award.cpuMilli * usage.wallMs * 800_000) / 3_600_000_000),
    Math.ceil((usage.gas * 17_001) / 10 ** 9),
    Math.ceil((usage.memMibS * 700_001) / 3_686_400),
    Math.ceil((inBytes * 90_000_001) / 2 ** 30),
    Math.ceil((8 * 5_000_000_009) / 2 ** 30),
    Math.ceil((usage.storeMibS * 30_007) / 3_686_400),
  ]
  assert.equal(
    receipt.amountMicro,
    parts.reduce((sum, part) => sum + part, 0),
  )
  assert.ok(parseMicro(estimate.costTo!)! >= receipt.amountMicro, 'a minute was reckoned with')
})

test('a receipt of work that runs has what was leased and fetched, and the gas that was heard', async () => {
  await using mesh = await Mesh.of({
    consumer: lendsNothing,
    one: asks(0, { gigaGasMicro: 10 ** 9, inGibMicro: 10 ** 9 }),
  })
  await mesh.knows('consumer', ['one'])
  const program = sleeps(6_000, 'well, well')
  const module = await mesh.file('sleeps.wasm', program)
  const { job } = await mesh.run('consumer', { module, gasMax: 10 ** 6, wallMs: 60_000, priceMax: '1000' })
  assert.equal(job.stage, 'paid')
  const { award, receipts, result } = await lastOf(mesh, job.id)
  assert.equal(award.paymentIntervalMs, 5_000)
  assert.equal(award.paymentIntervalMsMax, 60_000)
  assert.equal(receipts.length, 2, 'one after five seconds, and the last')
  const [running, last] = receipts.map(({ usage }) => usage) as [Usage, Usage]
  assert.ok(running.wallMs >= 5_000 && running.wallMs <= last.wallMs)
  assert.deepEqual(running, usageOf(award, running))
  assert.deepEqual([running.inBytes, running.outBytes], [program.byteLength, 0])
  assert.ok(running.gas <= last.gas && last.gas === result.usage.gas)
  assert.equal(receipts[0]!.amountMicro, amountOwed(award, running))
})
