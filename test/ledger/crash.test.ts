// A little of what `npm run test:crash` does: kills while receipts are exchanged, and power losses by replaying what was written.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { killTraders } from '../crash/kills.ts'
import { losePower, whyNoPowerLoss } from '../crash/power-loss.ts'

const seed = Number(process.env['PLEACH_SEED'] ?? 8)
const why = whyNoPowerLoss()

test('of what was acknowledged nothing is lost, doubled or torn when either side is killed', async () => {
  const { acknowledged, lost, doubled, chainBreaks, bad } = await killTraders(3, seed, () => {})
  assert.deepEqual([lost, doubled, chainBreaks, bad], [0, 0, 0, []], `PLEACH_SEED=${seed}`)
  assert.ok(acknowledged > 20, `${acknowledged}`)
})

test(
  'a power loss takes nothing that was acknowledged; without the syncs it would',
  { skip: why ?? false },
  async () => {
    const shared = { states: 15, seed, leases: 6, turns: 10 }
    const { lossy, broken, bad, acknowledged } = await losePower({ ...shared, synchronous: 'FULL' })
    assert.deepEqual([lossy, broken, bad], [0, 0, []], `PLEACH_SEED=${seed}`)
    assert.equal(acknowledged, 2 * shared.leases * shared.turns)
    const unsynced = await losePower({ ...shared, synchronous: 'NORMAL' })
    assert.ok(unsynced.lossy > 0, 'a loss would be seen')
  },
)
