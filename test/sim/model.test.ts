import assert from 'node:assert/strict'
import { test } from 'node:test'

import { runSeeds } from '../../sim/model/campaign.ts'
import { scenarios } from '../../sim/scenarios/index.ts'

/** Enough for a second or two each; `npm run -s sim -- model --seeds N` runs as many as one likes. */
const seeds = { calm: 5, lossy: 20, crashes: 30, storm: 40 }

for (const [name, count] of Object.entries(seeds)) {
  test(`no invariant is broken in ${count} lives of ${name}`, async () => {
    const { failures } = await runSeeds(scenarios[name]!, 1, count)
    assert.deepEqual(
      failures,
      [],
      failures.map(({ seed }) => `npm run -s sim -- replay --scenario ${name} --seed ${seed}`).join('\n'),
    )
  })
}

test('the same seed gives the same trace', async () => {
  const [first, second, other] = [
    await runSeeds(scenarios.storm!, 7, 3),
    await runSeeds(scenarios.storm!, 7, 3),
    await runSeeds(scenarios.storm!, 8, 3),
  ]
  assert.equal(first.traceHash, second.traceHash)
  assert.notEqual(first.traceHash, other.traceHash)
})
