// Whole peers that worked for each other agree on what is owed, over restarts and what they hold differently.

import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { verifyVoucherFile } from '../../protocols/voucher/index.ts'
import type { StatementsView } from '../../src/control/api.ts'
import type { Peer } from '../../src/node.ts'
import { prints, sleeps } from '../fixtures/programs.ts'
import { booted, ended, inTime as inLiveTime, lender, run, Scratch } from '../support/live.ts'
import { controlErrorOf, eventually, inTime, lendsNothing, Mesh } from '../support/mesh.ts'

/** `from` has a job done by `by`, and both have written down the last receipt. */
async function worked(mesh: Mesh, from: string, by: string): Promise<string> {
  await mesh.knows(from, [by])
  const module = await mesh.file('slow.wasm', sleeps(300, 'well '))
  const { job } = await mesh.run(from, { module, priceMax: '5', memoryBytes: 2 ** 26 })
  assert.equal(job.stage, 'paid', job.code)
  assert.equal(job.provider?.peer, mesh.peer(by).name)
  for (const name of [from, by]) {
    await eventually(`${name} has all receipts of the job`, async () =>
      (await mesh.peer(name).control.receipts()).some(
        (one) => one.job === job.id && one.final && one.bothSigned === one.receipts,
      ),
    )
  }
  return job.cost
}

const statementsOf = async ({ control }: Pick<Peer, 'control'>): Promise<StatementsView> => control.money.statements()

/** The same statements at both, each the other way about. */
async function assertAgreed(one: Pick<Peer, 'control'>, other: Pick<Peer, 'control'>): Promise<StatementsView> {
  const [mine, theirs] = [await statementsOf(one), await statementsOf(other)]
  assert.deepEqual(
    mine.statements.map(({ id, number, net }) => [id, number, net]),
    theirs.statements.map(({ id, number, net }) => [id, number, net]),
  )
  for (const [index, { earned, spent, owes }] of mine.statements.entries()) {
    const mirrored = theirs.statements[index]!
    assert.deepEqual([earned, spent], [mirrored.spent, mirrored.earned])
    assert.equal(owes, { we: 'they', they: 'we', nobody: 'nobody' }[mirrored.owes])
  }
  return mine
}

test('two peers that worked for each other agree a statement by both signatures, and again only when there is something new', async () => {
  await using mesh = await Mesh.of({ one: {}, two: {} })
  const [one, two] = [mesh.peer('one'), mesh.peer('two')]
  const spent = await worked(mesh, 'one', 'two')
  const earned = await worked(mesh, 'two', 'one')
  const { settled } = await one.control.money.settle({ peer: two.petname }, inTime())
  assert.deepEqual(
    settled.map(({ other, outcome }) => [other.peer, outcome]),
    [[two.name, 'agreed']],
  )
  await eventually('both have it', async () => (await statementsOf(two)).statements.length === 1)
  const { statements, accounts } = await assertAgreed(one, two)
  assert.equal(statements[0]!.earned, earned)
  assert.equal(statements[0]!.spent, spent)
  assert.equal(statements[0]!.leases, 2)
  assert.deepEqual([accounts[0]!.unsettledLeases, accounts[0]!.state], [0, 'settled'])
  assert.deepEqual((await one.control.money.settle({}, inTime())).settled, [])
  const [again] = (await one.control.money.settle({ peer: two.name.slice(-8) }, inTime())).settled
  assert.equal(again?.outcome, 'nothing')
  await worked(mesh, 'one', 'two')
  await two.control.money.settle({ peer: one.name }, inTime())
  await eventually('both have it', async () => (await statementsOf(one)).statements.length === 2)
  assert.equal((await assertAgreed(one, two)).statements[0]!.number, 2)
  // A restart forgets nothing.
  await mesh.stop('one')
  const back = await mesh.startAgain('one')
  assert.equal((await assertAgreed(back, two)).statements.length, 2)
  const nobody = await controlErrorOf(back.control.money.settle({ peer: 'nobody' }, inTime()))
  assert.equal(nobody.code, 'NOT_FOUND')
})

test('a peer that is killed in the middle of settling takes it up again: there is one statement, the same at both', async () => {
  const files = await Scratch.make()
  const world = await booted(91, [lender, lender])
  try {
    const [one, two] = [world.peer(0), world.peer(1)]
    const module = await files.file('quick.wasm', prints([1, 'done']))
    for (const [round, crashMs] of [0, 3, 9, 27].entries()) {
      await eventually('one knows what two lends', async () =>
        (await one.control.offers(true, inLiveTime())).some(({ peer }) => peer === two.name),
      )
      const story = await run(one, { module })
      assert.equal(story.job.stage, 'paid', story.job.code)
      const victim = round % 2 === 0 ? one : two
      const settling = one.control.money.settle({ peer: two.name }, inLiveTime()).catch(() => undefined)
      await sleep(crashMs)
      victim.crash()
      await victim.restart()
      await settling
      await eventually('settled again', async () => {
        await one.control.money.settle({ peer: two.name }, AbortSignal.timeout(3_000))
        const views = await Promise.all([one, two].map(statementsOf))
        return views.every(({ accounts }) => accounts.every(({ unsettledLeases }) => unsettledLeases === 0))
      })
      const { statements } = await assertAgreed(one, two)
      assert.equal(
        statements.reduce((sum, { leases }) => sum + leases, 0),
        round + 1,
        'each lease is in one statement',
      )
    }
    assert.deepEqual([...one.holds, ...two.holds], [])
  } finally {
    await ended(world)
    await files.remove()
  }
})

test('a lease of which the two hold different things is carried over, and taken in when they hold the same again', async () => {
  await using mesh = await Mesh.of({ hub: lendsNothing, one: {}, two: lendsNothing })
  const first = await worked(mesh, 'two', 'one')
  const second = await worked(mesh, 'two', 'one')
  for (const name of ['one', 'two']) await mesh.stop(name)
  const change = (name: string, sql: string, ...values: (string | Uint8Array)[]) => {
    const db = new DatabaseSync(join(mesh.dataDir(name), 'ledger.db'))
    const result = db.prepare(sql).all(...values)
    db.close()
    return result
  }
  const [row] = change('one', 'SELECT lease, countersignature FROM receipts ORDER BY created_ms LIMIT 1')
  const [lease, countersignature] = [row!['lease'] as string, row!['countersignature'] as Uint8Array]
  const flipped = countersignature.with(countersignature.length - 1, countersignature.at(-1)! ^ 1)
  change('one', 'UPDATE receipts SET countersignature = ? WHERE lease = ?', flipped, lease)
  change('two', 'UPDATE receipts SET countersignature = NULL WHERE lease = ?', lease)
  change('two', 'UPDATE lease_totals SET signed_sequence = 0, signed_micro = 0 WHERE lease = ?', lease)
  let [one, two] = [await mesh.startAgain('one'), await mesh.startAgain('two')]
  await mesh.knows('two', ['one'])
  await one.control.money.settle({ peer: two.name }, inTime())
  await eventually('both have it', async () => (await statementsOf(two)).statements.length === 1)
  const { statements, accounts } = await assertAgreed(one, two)
  assert.equal(statements[0]!.earned, second)
  assert.deepEqual(
    statements[0]!.disputed.map((one_) => [one_.lease, one_.code, one_.weHold, one_.theyHold]),
    [[lease, 'HOLDS_LESS', first, '0']],
  )
  assert.equal(accounts[0]!.unsettledLeases, 1)
  const [again] = (await one.control.money.settle({ peer: two.name }, inTime())).settled
  assert.equal(again?.outcome, 'disputed', 'nobody has anything new to say of it')
  // The disk of the one is mended, and there is something new: the proof goes with the next statement.
  for (const name of ['one', 'two']) await mesh.stop(name)
  change('one', 'UPDATE receipts SET countersignature = ? WHERE lease = ?', countersignature, lease)
  ;[one, two] = [await mesh.startAgain('one'), await mesh.startAgain('two')]
  const third = await worked(mesh, 'two', 'one')
  await one.control.money.settle({ peer: two.name }, inTime())
  await eventually('both have it', async () => (await statementsOf(two)).statements.length === 2)
  const next = (await assertAgreed(one, two)).statements[0]!
  assert.deepEqual(next.disputed, [])
  assert.equal(Number(next.earned).toFixed(6), (Number(first) + Number(third)).toFixed(6))
})

test('a peer that settles nothing offers no such protocol: the other is not answered, and each says so', async () => {
  await using mesh = await Mesh.of({ one: { money: { settlement: 'none' } }, two: lendsNothing })
  await worked(mesh, 'two', 'one')
  const off = await controlErrorOf(mesh.peer('one').control.money.settle({}, inTime()))
  assert.equal(off.code, 'SETTLEMENT_OFF')
  const { settled } = await mesh.peer('two').control.money.settle({}, AbortSignal.timeout(500))
  assert.equal(settled[0]?.outcome, 'pending')
  assert.deepEqual((await statementsOf(mesh.peer('one'))).statements, [])
  assert.equal((await statementsOf(mesh.peer('two'))).accounts[0]?.state, 'proposing')
})

test('what is agreed is promised by a voucher to the reward address, and the file of it holds for anybody', async () => {
  const rewardAddress = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
  const money = { settlement: 'vouchers' as const, rewardAddress }
  await using mesh = await Mesh.of({
    hub: lendsNothing,
    one: { money },
    two: { offer: null, money: { settlement: 'vouchers' } },
  })
  let [one, two] = [mesh.peer('one'), mesh.peer('two')]
  const cost = await worked(mesh, 'two', 'one')
  await one.control.money.settle({ peer: two.petname }, inTime())
  await eventually('the voucher is with both, and each knows it', async () => {
    const views = await Promise.all([one, two].map(async ({ control }) => control.money.vouchers()))
    return views.every(({ vouchers }) => vouchers[0]?.acknowledged === true)
  })
  const [taken] = (await one.control.money.vouchers()).vouchers
  const [givenOut] = (await two.control.money.vouchers()).vouchers
  assert.deepEqual([taken!.way, taken!.amount, taken!.payee], ['taken', cost, rewardAddress])
  assert.deepEqual([givenOut!.way, givenOut!.id], ['given', taken!.id])
  const verdict = verifyVoucherFile(await one.control.money.voucherFile(taken!.id.slice(0, 8)))
  assert.ok(verdict.ok, JSON.stringify(verdict))
  assert.deepEqual([verdict.peer, verdict.amount], [two.name, cost])
  // Over a restart of both: the next one follows.
  for (const name of ['one', 'two']) await mesh.stop(name)
  assert.equal((await stat(join(mesh.dataDir('two'), 'voucher-key'))).mode & 0o777, 0o600)
  ;[one, two] = [await mesh.startAgain('one'), await mesh.startAgain('two')]
  const more = await worked(mesh, 'two', 'one')
  await two.control.money.settle({ peer: one.petname }, inTime())
  await eventually('the second is there', async () => (await one.control.money.vouchers()).vouchers[0]?.sequence === 2)
  const [second] = (await one.control.money.vouchers()).vouchers
  assert.equal(Number(second!.amount).toFixed(6), (Number(cost) + Number(more)).toFixed(6), 'cumulative')
  assert.equal(second!.payer, taken!.payer)
})

test('no work beyond what a requester may owe: one that settles nothing is declined, and worked for again once it has settled', async () => {
  // The first interval of a job comes to 0.00139; what the first job costs is more than the rest.
  const money = { creditFloorMicro: 1_450 }
  await using mesh = await Mesh.of({
    hub: lendsNothing,
    one: { money },
    two: { offer: null, money: { settlement: 'none' } },
  })
  await worked(mesh, 'two', 'one')
  const module = await mesh.file('slow.wasm', sleeps(300, 'well '))
  const spec = { module, priceMax: '5', memoryBytes: 2 ** 26, cpuMilli: 1_000, waitMs: 1_500 }
  const declined = await mesh.run('two', spec)
  assert.equal(declined.job.code, 'NO_MATCH')
  const { market } = await mesh.peer('one').control.status()
  assert.equal(market.notAnswered['owes us too much'], 1)
  const explained = await mesh.peer('two').control.explainJob(declined.job.id, inTime())
  assert.match(JSON.stringify(explained), /CREDIT_FULL/)
  await mesh.stop('two')
  const two = await mesh.add('two', lendsNothing)
  await mesh.knows('two', ['one'])
  const { settled } = await two.control.money.settle({}, inTime())
  assert.equal(settled[0]?.outcome, 'agreed')
  assert.equal((await mesh.run('two', { ...spec, waitMs: 10_000 })).job.stage, 'paid')
})
