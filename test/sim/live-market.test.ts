/** What a market of real peers does: few of many answer a bid, and an impossible job is answered soon, with reasons that add up. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import type { LiveWorld } from '../../sim/live/world.ts'
import { returns } from '../fixtures/programs.ts'
import { asker, booted, ended, inTime, lender, run, until } from '../support/live.ts'

const offersMade = async ({ lenders }: LiveWorld): Promise<number> => {
  const views = await Promise.all(lenders.map(async ({ control }) => control.status()))
  return views.reduce((sum, { market }) => sum + market.answered, 0)
}

test('among fifty-two live peers a bid is answered by sixteen at most, and an impossible job in two seconds with reasons that add up', async () => {
  const world = await booted(7, [asker, ...Array.from({ length: 51 }, () => lender)])
  try {
    const [requester] = world.peers
    const module = join(world.folder, 'returns.wasm')
    await writeFile(module, returns)
    const known = async () => (await requester!.control.offers(true, inTime())).length
    await until('the requester knows half of those that lend', async () => (await known()) >= 26)
    const counts: number[] = []
    for (let job = 0; job < 8; job++) {
      const before = await offersMade(world)
      const story = await run(requester!, { module })
      assert.equal(story.job.stage, 'paid')
      counts.push((await offersMade(world)) - before)
    }
    // The first bids tell how many there are that the requester does not know.
    assert.ok(
      counts.slice(3).every((count) => count <= 16),
      String(counts),
    )
    const knows = await known()
    const beganMs = performance.now()
    const story = await run(requester!, { module, cpuMilli: 64_000 })
    const tookMs = performance.now() - beganMs
    const { job } = story
    assert.deepEqual([job.stage, job.code], ['expired', 'NO_MATCH'])
    assert.ok(tookMs < 2_000, `it took ${Math.round(tookMs)} ms`)
    const explanation = story.all('end')[0]!.explanation!
    assert.ok(explanation.known >= knows)
    const { excluded, declined, silent, unexplained } = explanation
    const told = [...excluded, ...declined].reduce((sum, { count }) => sum + count, silent + unexplained)
    assert.equal(told, explanation.known, 'each provider counts once, under its first reason')
  } finally {
    await ended(world)
  }
})
