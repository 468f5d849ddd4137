// A receipt that was not countersigned at once: both ledgers keep the signed proof of why not, and know whether it is resolved.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  openBill,
  openDispute,
  stepBill,
  stepPay,
  openAccount,
  type Billing,
  type BillState,
  type PayState,
} from '../../protocols/receipt/index.ts'
import type { Effect, Statement } from '../../protocols/wire/index.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { Receipts } from '../../src/ledger/receipts.ts'
import { billedLease } from '../../src/market/terms.ts'
import { encodeState } from '../../src/state-form.ts'
import { Scratch } from '../fixtures/ledgers.ts'
import { asker, leaseOf, provider, requester, startMs, worker } from '../negotiate/parties.ts'
import { measuredOf, worked } from '../receipt/accounts.ts'

const lease = billedLease(leaseOf())

type Did = readonly Effect<Billing, unknown>[]
const recorded = (effects: Did): Statement[] => effects.flatMap((one) => (one.do === 'record' ? [one.statement] : []))
const said = (effects: Did): Billing => {
  const sent = effects.find((one) => one.do === 'send')
  assert.ok(sent?.do === 'send')
  return sent.message
}

test('a dispute is in both ledgers before it is said, and resolved once both have signed', async () => {
  using scratch = new Scratch()
  using other = new Scratch()
  const stores = { requester: scratch.open(), provider: other.open() }
  const books = { requester: new Receipts(stores.requester), provider: new Receipts(stores.provider) }
  const machines = {
    requester: new MachineStates(stores.requester, asker),
    provider: new MachineStates(stores.provider, worker),
  }
  const keep = async (role: 'requester' | 'provider', state: object, effects: Did) =>
    machines[role].commit(
      {
        kind: role === 'requester' ? 'job' : 'lease',
        id: 'one',
        state: encodeState(state),
        final: false,
        statements: recorded(effects),
      },
      startMs,
    )
  const pay = async (state: PayState, message: Billing, wallMs: number) => {
    const input = { is: 'message', from: provider, message, measured: measuredOf(wallMs) } as const
    const [next, effects] = stepPay(asker, state, input, startMs + wallMs)
    await keep('requester', next, effects)
    return [next, said(effects)] as const
  }
  const bill = async (state: BillState, input: Parameters<typeof stepBill>[2], atMs: number) => {
    const [next, effects] = stepBill(worker, state, input, startMs + atMs)
    await keep('provider', next, effects)
    return [next, effects] as const
  }

  const [asking, effects] = await bill(openBill(lease, startMs), { is: 'wake', usage: worked(5_000) }, 5_000)
  const receipt = said(effects)
  const [disputed, dispute] = await pay(openAccount(lease), receipt, 1_000)
  assert.ok(dispute.say === 'dispute')
  const [waiting] = await bill(asking, { is: 'message', from: requester, message: dispute }, 5_020)
  for (const role of ['requester', 'provider'] as const) {
    const [row, ...more] = books[role].disputes(lease.id, role)
    assert.equal(more.length, 0)
    assert.deepEqual([row!.sequence, row!.code, row!.resolved], [1, 'WALL_TIME', false], role)
    assert.deepEqual(openDispute(worker, row!.envelope).body, dispute.dispute.body)
    const [total] = books[role].totals()
    assert.deepEqual(
      [total!.receipts, total!.bothSigned, total!.amountMicro],
      [1, 0, 0],
      'half-signed: nothing is owed',
    )
  }

  const [, signed] = await pay(disputed, receipt, 3_000)
  assert.equal(signed.say, 'countersignature')
  await bill(waiting, { is: 'message', from: requester, message: signed }, 7_020)
  for (const role of ['requester', 'provider'] as const) {
    assert.equal(books[role].disputes(lease.id, role)[0]!.resolved, true, role)
    const [total] = books[role].totals()
    assert.deepEqual([total!.receipts, total!.bothSigned], [1, 1])
    assert.equal(total!.amountMicro, 1_389)
  }
})
