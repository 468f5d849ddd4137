/** What a proof taught an account is in the ledger under its lease, on the right side of it, and the books are read back from there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { forfeitOf, openForfeit, sealAgreement, sealStatement, totalsOf } from '../../protocols/settle/index.ts'
import { sha256 } from '../../protocols/wire/index.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { Proofs } from '../../src/ledger/proofs.ts'
import { Receipts } from '../../src/ledger/receipts.ts'
import { decodeState, encodeState } from '../../src/state-form.ts'
import { Settlements } from '../../src/ledger/settlements.ts'
import { Scratch } from '../fixtures/ledgers.ts'
import { startMs } from '../negotiate/parties.ts'
import {
  betrayalOf,
  evidenceOf,
  high,
  higher,
  leaseNamed,
  low,
  lower,
  recordsOf,
  statementOf,
  unit,
} from './parties.ts'

test('a forfeit waits in the ledger until a statement has taken it in, at the side that claims it and at the side that owes it', async () => {
  using scratch = new Scratch()
  const store = scratch.open()
  const machines = new MachineStates(store, high)
  const settlements = new Settlements(store, higher)
  const proofs = new Proofs(store)
  const { lease, proof } = betrayalOf(low, high, 4_000)
  const entry = { kind: 'job', id: 'one', final: false, state: null } as const
  await machines.commit({ ...entry, statements: [{ kind: 'award', by: higher, envelope: proof.award }] }, startMs)
  assert.deepEqual(proofs.awardOf(lease), proof.award)
  assert.equal(proofs.awardOf(leaseNamed('none')), undefined)
  assert.deepEqual(settlements.partners(), [])
  for (const first of [proof.first, proof.second])
    await proofs.putForfeit({ lease, peer: lower, unit, ...proof, first, atMs: startMs })
  assert.deepEqual(settlements.partners(), [{ peer: lower, unit }])
  assert.deepEqual(settlements.forfeitsWith(lower, unit), [proof], 'the first stays')
  assert.deepEqual(settlements.forfeitsWith(lower, 'franc'), [])
  const forfeits = [forfeitOf(openForfeit(high, proof))]
  const statement = sealStatement(high, statementOf([], { forfeits, ...totalsOf(lower, higher, [], forfeits)! }))
  const { unit: of, number, revision } = statement.body
  const agreement = sealAgreement(low, {
    unit: of,
    number,
    revision,
    statement: sha256(statement.envelope),
    issuedMs: startMs,
  })
  const agreed = [
    { kind: 'settlement', by: higher, envelope: statement.envelope },
    { kind: 'settlement-agreement', by: lower, envelope: agreement.envelope },
  ]
  const account = { kind: 'settle', id: `${lower}/${unit}`, final: false, state: null } as const
  await machines.commit({ ...account, statements: agreed }, startMs)
  assert.deepEqual([settlements.isForfeited(lease), settlements.forfeitsWith(lower, unit)], [true, []])
  assert.equal(settlements.owed(lower, unit).toUs, 4_000n)
  await proofs.putForfeit({ lease, peer: lower, unit, ...proof, atMs: startMs })
  assert.deepEqual(settlements.forfeitsWith(lower, unit), [], 'once')
  using other = new Scratch()
  const theirs = other.open()
  await new MachineStates(theirs, low).commit({ ...account, id: `${higher}/${unit}`, statements: agreed }, startMs)
  const debtor = new Settlements(theirs, lower)
  assert.deepEqual([debtor.isForfeited(lease), debtor.owed(higher, unit).byUs], [true, 4_000n])
})

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
