// Both sides are told why: a requester of a job that nobody took or that is only thought of, a provider of what it did not win. Real peers, over TCP.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { plainPolicy } from '../../src/config/options.ts'
import type { JobExplanationView } from '../../src/control/api.ts'
import { exits, prints, sleeps } from '../fixtures/programs.ts'
import { eventually, inTime, lendsNothing, Mesh, storyOf } from '../support/mesh.ts'

const mib = 2 ** 20
const small = { memoryBytes: 64 * mib, diskBytes: mib, logBytes: mib, outputBytes: mib }
let mesh: Mesh
before(async () => {
  mesh = await Mesh.of({
    consumer: lendsNothing,
    cheap: { offer: { policy: { ...plainPolicy, region: 'eu', operator: 'reeds' } } },
    fair: { offer: { cpuHourMicro: 2_000_000 } },
    dear: { offer: { cpuHourMicro: 4_000_000 } },
    tiny: { offer: { cpuMilli: 500 } },
    choosy: { offer: { policy: { ...plainPolicy, deny: [] } } },
    strict: { offer: { policy: { ...plainPolicy, allow: ['12D3KooWSomebodyElse'] } } },
  })
  await mesh.knows('consumer', ['cheap', 'fair', 'dear', 'tiny', 'choosy', 'strict'])
})
after(async () => mesh[Symbol.asyncDispose]())

const consumer = () => mesh.peer('consumer').control

/** On a busy machine some hear of a job late, or do not answer within the time that they are given. */
async function explained(job: string): Promise<JobExplanationView> {
  let explanation: JobExplanationView | undefined
  await eventually('all that are asked have heard of it and say so', async () => {
    explanation = await consumer().explainJob(job, inTime())
    return explanation.providers.every(({ verdict }) => verdict !== 'unanswered' && verdict !== 'unheard')
  })
  return explanation!
}

test('a dry run says who fits, who is free now, what it would cost and when it would begin, and bids for nothing', async () => {
  const spec = { module: 'none.wasm', ...small, wallMs: 3_600_000, costMax: '9' }
  let estimate = await consumer().estimate(spec, inTime())
  // On a busy machine some do not answer within the time of a dry run; then it goes by their records.
  await eventually('all that are asked answer in time', async () => {
    assert.deepEqual([estimate.costFrom, estimate.costTo], ['1', '4'])
    if (estimate.answered === estimate.asked) return true
    estimate = await consumer().estimate(spec, inTime())
    return false
  })
  assert.deepEqual([estimate.known, estimate.reachable], [6, 6])
  // By their records five fit; one says itself that it works for others only.
  assert.deepEqual([estimate.pass, estimate.asked, estimate.ready], [4, 5, 4])
  assert.deepEqual(estimate.pricesPerCpuHour, ['1', '1', '2', '4'])
  assert.deepEqual([estimate.costFrom, estimate.costTo], ['1', '4'])
  assert.ok((estimate.startInMs ?? 0) > 0)
  assert.deepEqual(estimate.explanation.declined, [{ reason: 'requester not allowed', count: 1 }])
  assert.deepEqual(
    estimate.explanation.excluded.map(({ requirement, count }) => [requirement, count]),
    [['cpu >= 1', 1]],
  )
  assert.deepEqual(await consumer().jobs(), [])
  assert.equal((await mesh.peer('cheap').control.status()).market.bidsSeen, 0)
})

test('offers are found by what a job would ask for, best first, with the price of it all', async () => {
  const { offers, explanation } = await consumer().findOffers({ ...small, priceMax: '3' }, true, inTime())
  assert.deepEqual(new Set(offers.map(({ peer }) => mesh.nameOf(peer))), new Set(['cheap', 'choosy', 'strict', 'fair']))
  assert.equal(mesh.nameOf(offers.at(-1)!.peer), 'fair')
  assert.deepEqual(
    explanation.excluded.map(({ requirement, count }) => [requirement, count]),
    [
      ['cpu >= 1', 1],
      ['price <= 3/h', 1],
    ],
  )
  const near = await consumer().findOffers({ ...small, regions: ['eu'] }, false, inTime())
  const [cheap, ...others] = near.offers
  assert.deepEqual(others, [])
  assert.equal(mesh.nameOf(cheap!.peer), 'cheap')
  assert.deepEqual(
    [cheap!.region, cheap!.operator, cheap!.openForMs, cheap!.askedPerCpuHour],
    ['eu', 'reeds', null, '1'],
  )
  assert.equal(cheap!.standing, 0.5)
})

test('of each provider it is told why it did not take a job: by its record, or by its own word', async () => {
  const module = await mesh.file('says.wasm', prints([1, 'said']))
  const story = await mesh.run('consumer', { module, ...small })
  assert.equal(story.job.stage, 'paid')
  const { job, providers } = await explained(story.job.id)
  assert.equal(job, story.job.id)
  assert.equal(providers.length, 6, 'each is told of once')
  const by = new Map(providers.map((one) => [mesh.nameOf(one.peer), one]))
  const taker = mesh.nameOf(story.job.provider!.peer)
  assert.equal(by.get(taker)?.verdict, 'took')
  assert.deepEqual(by.get('tiny')?.reasons, ['cpu (0.5 < 1)'])
  assert.deepEqual([by.get('tiny')?.verdict, by.get('tiny')?.code], ['lacks', 'LACKS_CPU'])
  assert.deepEqual([by.get('strict')?.verdict, by.get('strict')?.code], ['declined', 'NOT_ALLOWED'])
  const losers = ['cheap', 'fair', 'dear', 'choosy'].filter((name) => name !== taker)
  for (const name of losers) assert.equal(by.get(name)?.verdict, 'offered', name)
  await assert.rejects(consumer().explainJob('nothing', inTime()), { code: 'NOT_FOUND' })
})

test('what a busy provider said when it heard of a job is told later too', async () => {
  const provider = mesh.peer('choosy').name
  const long = await mesh.file('sleeps.wasm', sleeps(60_000, 'tick\n'))
  const held = { module: long, ...small, cpuMilli: 2_000, allow: [provider] }
  const { id } = await consumer().submit(held, inTime())
  await storyOf(mesh.peer('consumer'), id, 'log')
  const second = await mesh.run('consumer', { ...held, module: await mesh.file('other.wasm', exits(0)), waitMs: 1_000 })
  assert.equal(second.job.code, 'NO_MATCH')
  const { declined, unexplained } = second.the('end').explanation!
  assert.deepEqual(unexplained === 1 ? [] : declined, unexplained === 1 ? [] : [{ reason: 'busy', count: 1 }])
  const { providers } = await explained(second.job.id)
  const said = providers.find(({ peer }) => peer === provider)
  assert.deepEqual([said?.verdict, said?.code], ['declined', 'BUSY'])
  assert.match(said?.reasons.join('; ') ?? '', /^busy \(wanted 2000, free 0\); now: busy \(/)
  const allowed = providers.find(({ peer }) => mesh.nameOf(peer) === 'fair')
  assert.deepEqual([allowed?.verdict, allowed?.code, allowed?.reasons], ['lacks', null, ['allowed']])
  await consumer().cancel(id)
  await storyOf(mesh.peer('consumer'), id)
  await eventually('its capacity is free', async () => {
    const { ready } = await consumer().estimate({ ...held, module: 'none' }, inTime())
    return ready === 1
  })
  // It may have offered as soon as it could, while the bid was still open for it.
  const later = (await explained(second.job.id)).providers.find(({ peer }) => peer === provider)
  assert.ok(later?.verdict === 'declined' || later?.verdict === 'offered', later?.verdict)
})

test('a dearer provider sees by how much it was too dear, and at what price it would have won; after a restart too', async () => {
  const module = await mesh.file('ends.wasm', exits(0))
  const allow = [mesh.peer('fair').name, mesh.peer('dear').name]
  const market = async () => (await mesh.peer('dear').control.status()).market
  const lostBefore = (await market()).lost['dearer than winner'] ?? 0
  // One choice in twenty is made at random.
  for (let jobs = 0; jobs < 5 && ((await market()).lost['dearer than winner'] ?? 0) === lostBefore; jobs++) {
    assert.equal((await mesh.run('consumer', { module, ...small, allow, name: `job ${jobs}` })).job.stage, 'paid')
  }
  const seen = await market()
  const { lost, dearerPercent, hint, bidsSeen, answered, notAnswered } = seen
  assert.ok((lost['dearer than winner'] ?? 0) > lostBefore, JSON.stringify(lost))
  assert.ok((dearerPercent ?? 0) >= 100, `${dearerPercent} %`)
  assert.ok(hint !== null && Number(hint.price) <= 2 && hint.wouldHaveWon > 0, JSON.stringify(hint))
  assert.ok(bidsSeen >= answered && answered > 0)
  assert.deepEqual(notAnswered, {})
  const small500 = (await mesh.peer('tiny').control.status()).market
  assert.equal(small500.answered, 0)
  assert.deepEqual(Object.keys(small500.notAnswered), ['over cpu'])
  assert.equal(small500.hint, null)

  await mesh.stop('dear')
  const again = await mesh.startAgain('dear')
  // What it heard between that look and its end is counted too.
  const { market: after } = await again.control.status()
  assert.ok(after.bidsSeen >= bidsSeen && after.won >= seen.won && after.answered >= answered)
  assert.ok((after.lost['dearer than winner'] ?? 0) >= lost['dearer than winner']!)
  assert.deepEqual(after.hint?.price, hint.price)
})
