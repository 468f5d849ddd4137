import assert from 'node:assert/strict'
import { test } from 'node:test'

import { decodeJobManifest, encodeJobManifest } from '../../protocols/execute/index.ts'
import { runSeeds } from '../../sim/model/campaign.ts'
import { plainTerms } from '../../sim/model/stand-ins.ts'
import { scenarioNamed } from '../../sim/scenarios/index.ts'

/** Enough for a second or two each; `npm run -s sim -- model --seeds N` lives as many as one likes. */
const seeds = {
  calm: 20,
  lossy: 40,
  split: 40,
  crashes: 60,
  clocks: 40,
  liars: 80,
  attack: 2,
  storm: 100,
  'crashes+lossy': 60,
  settling: 20,
  market: 3,
  gangs: 3,
}

const scenario = (name: string) => scenarioNamed(name) ?? assert.fail(`no scenario ${name}`)

for (const [name, count] of Object.entries(seeds)) {
  test(`no invariant is broken in ${count} lives of ${name}, and it keeps what it promises`, async () => {
    const { failures, paidShare, promiseKept } = await runSeeds(scenario(name), { from: 1, seeds: count })
    assert.deepEqual(
      failures,
      [],
      failures.map(({ seed }) => `npm run -s sim -- replay --scenario ${name} --seed ${seed}`).join('\n'),
    )
    assert.ok(promiseKept, `${paidShare} of the jobs were paid`)
  })
}

for (const [name, what] of [
  ['sybil', 'where half of the names are one attacker’s, the honest do the work and are paid for it'],
  ['wrong', 'and so they do where some of them deliver wrong results that look right: what they make is compared'],
] as const)
  test(what, async () => {
    const { failures, successShare, liarShare, promiseKept } = await runSeeds(scenario(name), { from: 1, seeds: 4 })
    assert.deepEqual(failures, [])
    assert.ok(promiseKept, `done by the honest ${successShare}, paid to liars ${liarShare}`)
    assert.ok(liarShare > 0, 'it is not for want of an attack')
  })

test('the same seed gives the same trace', async () => {
  const traces = await Promise.all(
    [7, 7, 8].map(async (from) => (await runSeeds(scenario('storm'), { from, seeds: 3 })).traceHash),
  )
  assert.equal(traces[0], traces[1])
  assert.notEqual(traces[0], traces[2])
})

test('with real signatures no invariant is broken either', async () => {
  const { failures } = await runSeeds(scenario('storm'), { from: 3, seeds: 2, signatures: 'real' })
  assert.deepEqual(failures, [])
})

test('the jobs of the model are lawful ones', () => {
  const { job, manifest } = plainTerms('a nonce', 0, { slots: 2 })
  assert.equal(encodeJobManifest(decodeJobManifest(manifest)).job, job)
})
