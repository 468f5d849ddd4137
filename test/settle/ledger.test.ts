/** What a proof taught an account is in the ledger under its lease, on the right side of it, and the books are read back from there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { MachineStates } from '../../src/ledger/machine-states.ts'
import { Receipts } from '../../src/ledger/receipts.ts'
import { decodeState, encodeState } from '../../src/state-form.ts'
import { Scratch } from '../fixtures/ledgers.ts'
import { startMs } from '../negotiate/parties.ts'
import { evidenceOf, high, higher, leaseNamed, low, recordsOf, unit } from './parties.ts'

test('receipts that an account was shown are filed under the side that we have in the lease', async () => {
  using scratch = new Scratch()
  const store = scratch.open()
  const machines = new MachineStates(store, low)
  const [mine, theirs] = [leaseNamed('worked for them'), leaseNamed('worked for us')]
  const account = { kind: 'settle', id: `${higher}/${unit}`, final: false } as const
  const state = { at: 'resting', other: higher, unit, head: null }
  const statements = [
    ...recordsOf(evidenceOf(low, high, mine, 1, 70)),
    ...recordsOf(evidenceOf(high, low, theirs, 1, 30)),
  ]
  await machines.commit({ ...account, state: encodeState(state), statements }, startMs)
  const totals = new Map(new Receipts(store).totals().map((total) => [total.lease, total]))
  const sides = [mine, theirs].map((lease) => totals.get(lease)!)
  assert.deepEqual(
    sides.map(({ role, bothSigned, amountMicro, other }) => [role, bothSigned, amountMicro, other]),
    [
      ['provider', 1, 70, higher],
      ['requester', 1, 30, higher],
    ],
  )
  assert.deepEqual(
    machines.open('settle').map((one) => [one.id, decodeState(one.state)]),
    [[account.id, state]],
  )
})
