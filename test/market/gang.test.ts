/** Jobs that need several places at the same time, each at another provider, or none of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { decodeNegotiation, openOffer, sealOffer } from '../../protocols/negotiate/index.ts'
import type { JobEvent } from '../../src/market/job-events.ts'
import { World, type Peer, type PeerOptions } from '../support/bench.ts'

type Of<Stage extends JobEvent['stage']> = Extract<JobEvent, { stage: Stage }>

const told = <Stage extends JobEvent['stage']>(peer: Peer, stage: Stage): Of<Stage>[] =>
  peer.jobEvents.filter((event): event is Of<Stage> => event.stage === stage)
const ending = (peer: Peer) => told(peer, 'ended').at(-1)?.ending
const leaseEndings = (peer: Peer) =>
  peer.leaseEvents.flatMap((event) => (event.stage === 'ended' ? [`${event.ending.outcome} ${event.ending.code}`] : []))

/** A requester and so many providers, the cheapest first: with equal standing they are chosen in this order. */
function meshOf(providers: number, options: Partial<PeerOptions> = {}) {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  const workers = Array.from({ length: providers }, (_, index) =>
    world.peer(2 + index, { cpuHourMicro: 1_000_000 + index * 100_000, ...options }),
  )
  return { world, asker, workers }
}

/** Nobody holds anything, and nobody is blamed. */
async function checkRest(world: World, peers: readonly Peer[]): Promise<void> {
  await world.idle(20_000)
  for (const peer of peers) {
    assert.equal(peer.provider.inUse().cpuMilli, 0, world.story())
    assert.deepEqual(peer.faults, [])
  }
}

test('four places are leased at four providers, run at once, and are paid each', async () => {
  const { world, asker, workers } = meshOf(5)
  const keys = new Set<string>()
  world.onStart = (_to, key) => void keys.add(Buffer.from(key).toString('hex'))
  await asker.requester.submit(asker.terms({ slots: 4 }))
  await world.until(() => ending(asker) !== undefined)
  await checkRest(world, [asker, ...workers])
  assert.deepEqual(ending(asker), { outcome: 'paid', code: 'PAID' })
  const matched = told(asker, 'matched')
  assert.deepEqual(
    matched.map(({ slot, epoch }) => [slot, epoch]),
    [0, 1, 2, 3].map((slot) => [slot, 1]),
  )
  assert.equal(new Set(matched.map(({ peer }) => peer)).size, 4)
  assert.equal(keys.size, 4, 'each lease has an output key of its own')
  const paid = workers.filter((worker) => leaseEndings(worker).join() === 'paid PAID')
  assert.equal(paid.length, 4)
  const receipts = told(asker, 'receipt').filter(({ final }) => final)
  assert.equal(
    told(asker, 'ended')[0]!.amountMicro,
    receipts.reduce((sum, { amountMicro }) => sum + amountMicro, 0),
    'the job costs what its places cost',
  )
  const left = workers.find((worker) => !paid.includes(worker))!
  assert.ok(world.frames.some((frame) => frame.to === left.name && frame.say === 'RELEASE'))
})

test('a gang of four with three available awards nobody, says how many came, and frees them', async () => {
  const { world, asker, workers } = meshOf(3)
  await asker.requester.submit(asker.terms({ slots: 4 }))
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'expired', code: 'NO_MATCH' })
  assert.deepEqual(told(asker, 'short'), [{ stage: 'short', wanted: 4, offered: 3 }])
  assert.ok(!world.frames.some(({ say }) => say === 'AWARD'))
  await world.idle(100)
  for (const worker of workers) assert.equal(worker.provider.inUse().cpuMilli, 0, 'released, before the hold ran out')
})

test('a provider that is late in coming completes a gang that waits', async () => {
  const { world, asker, workers } = meshOf(3)
  await asker.requester.submit(asker.terms({ slots: 4 }))
  await world.idle(7_500)
  const late = world.peer(9)
  await world.until(() => ending(asker) !== undefined)
  assert.equal(ending(asker)?.outcome, 'paid', world.story())
  await checkRest(world, [...workers, late])
})

test('one that does not answer its award costs the round: the others are freed, and all are awarded anew', async () => {
  const { world, asker, workers } = meshOf(5)
  const mute = workers[1]!
  world.fate = ({ to, say }) => (to === mute.name && say === 'AWARD' ? 0 : 1)
  await asker.requester.submit(asker.terms({ slots: 4 }))
  await world.until(() => told(asker, 'replacing').length > 0)
  assert.ok(!world.frames.some(({ say }) => say === 'COMMIT'))
  await world.idle(10)
  const freed = workers.filter((worker) =>
    worker.leaseEvents.some((event) => event.stage === 'released' && event.because.code === 'CLOSED'),
  )
  assert.equal(freed.length, 3, 'who had accepted is free at once')
  await world.until(() => ending(asker) !== undefined)
  assert.equal(ending(asker)?.outcome, 'paid')
  assert.deepEqual(
    told(asker, 'matched').map(({ slot, epoch }) => [slot, epoch]),
    [0, 1, 2, 3].map((slot) => [slot, 2]),
  )
  assert.ok(!told(asker, 'matched').some(({ peer }) => peer === mute.name))
  await checkRest(world, workers)
})

test('a place whose provider dies is awarded again alone, and the others go on', async () => {
  const { world, asker, workers } = meshOf(5, { workMs: 30_000 })
  await asker.requester.submit(asker.terms({ slots: 4 }))
  await world.until(() => told(asker, 'running').length === 4)
  const { peer, slot } = told(asker, 'matched')[2]!
  const dead = workers.find(({ name }) => name === peer)!
  dead.silence()
  await world.until(() => ending(asker) !== undefined)
  assert.equal(ending(asker)?.outcome, 'paid')
  const matched = told(asker, 'matched')
  assert.equal(matched.length, 5)
  const again = matched[4]!
  assert.deepEqual([again.slot, again.epoch], [slot, 2])
  assert.ok(!matched.slice(0, 4).some((one) => one.peer === again.peer), 'no provider holds two places')
  const living = workers.filter((worker) => worker !== dead)
  await checkRest(world, living)
  for (const worker of living) assert.deepEqual(leaseEndings(worker), ['paid PAID'], 'each worked once')
})

const offersOf = (world: World, peer: Peer): Uint8Array[] =>
  world.frames.flatMap(({ from, say, bytes }) => {
    if (from !== peer.name || say !== 'OFFER') return []
    const message = decodeNegotiation(peer.notary, bytes)
    return message.say === 'offer' ? [message.offer.envelope] : []
  })

/** A job of four places of which the first two are lost while it runs, with so many providers to spare. */
async function losingTwo(spare: number) {
  const { world, asker, workers } = meshOf(4 + spare, { workMs: 30_000 })
  await asker.requester.submit(asker.terms({ slots: 4 }))
  await world.until(() => told(asker, 'running').length === 4)
  const lost = told(asker, 'matched').flatMap(({ peer, slot }) => (slot < 2 ? [peer] : []))
  for (const worker of workers) if (lost.includes(worker.name)) worker.silence()
  return { world, asker, living: workers.filter(({ name }) => !lost.includes(name)) }
}

test('two places that are lost are awarded again one after the other: one need not wait for the other', async () => {
  const { world, asker, living } = await losingTwo(1)
  await world.until(() => told(asker, 'matched').length === 5)
  const late = world.peer(9)
  await world.until(() => ending(asker) !== undefined)
  assert.equal(ending(asker)?.outcome, 'paid')
  const again = told(asker, 'matched').slice(4)
  assert.deepEqual(
    again.map(({ slot, epoch }) => `${slot} under ${epoch}`).toSorted((left, right) => (left < right ? -1 : 1)),
    ['0 under 2', '1 under 2'],
  )
  assert.equal(again[1]!.peer, late.name)
  await checkRest(world, [...living, late])
})

test('a provider that offers again while it is awarded a place is not awarded the next', async () => {
  const { world, asker, living } = await losingTwo(2)
  const isAward = ({ say }: { say: string }): boolean => say === 'AWARD'
  await world.until(() => world.frames.filter(isAward).length === 5)
  const eager = living.find(({ name }) => name === world.frames.findLast(isAward)!.to)!
  const { body } = openOffer(asker.notary, offersOf(world, eager).at(-1)!)
  const offer = sealOffer(eager.notary, { ...body, cpuHourMicro: 1, issuedMs: body.issuedMs + 1 })
  asker.requester.onNegotiation(eager.name, { say: 'offer', offer })
  await world.until(() => ending(asker) !== undefined)
  assert.equal(ending(asker)?.outcome, 'paid')
  const again = told(asker, 'matched').slice(4)
  assert.equal(again[0]!.peer, eager.name)
  assert.notEqual(again[1]!.peer, eager.name)
  assert.equal(world.frames.filter((frame) => isAward(frame) && frame.to === eager.name).length, 1)
  await checkRest(world, living)
})

test('a place that fails for good ends the job like it: the others are stopped, and paid for what they did', async () => {
  const { world, asker, workers } = meshOf(2, { workMs: 30_000 })
  const wrong = world.peer(9, { cpuHourMicro: 900_000, exit: { reason: 'module-invalid', exitCode: null } })
  await asker.requester.submit(asker.terms({ slots: 3 }))
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'refused', code: 'MODULE_INVALID' })
  await checkRest(world, [...workers, wrong])
  assert.deepEqual(leaseEndings(wrong), ['refused MODULE_INVALID'])
  for (const worker of workers) assert.deepEqual(leaseEndings(worker), ['paid PAID'])
  assert.ok(world.clock.nowMs() < 1_700_000_000_000 + 30_000, 'nobody worked to the end')
})

test('a place that finds nobody any more ends the job, and no place of it stays leased', async () => {
  const { world, asker, workers } = meshOf(3, { workMs: 55_000 })
  await asker.requester.submit(asker.terms({ slots: 3 }))
  await world.until(() => told(asker, 'running').length === 3)
  workers[0]!.silence()
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'expired', code: 'NO_MATCH' })
  await checkRest(world, workers.slice(1))
  for (const worker of workers.slice(1)) assert.deepEqual(leaseEndings(worker), ['paid PAID'])
})

for (const stage of ['bidding', 'matched', 'running'] as const) {
  test(`a gang that is cancelled after ${stage} holds nobody, and what was worked is paid`, async () => {
    const { world, asker, workers } = meshOf(4, { workMs: 30_000 })
    const terms = asker.terms({ slots: 4 })
    await asker.requester.submit(terms)
    await world.until(() => told(asker, stage).length > 0)
    asker.requester.cancel(terms.job)
    await world.until(() => ending(asker) !== undefined)
    assert.equal(told(asker, 'ended').length, 1)
    assert.equal(ending(asker)?.code, stage === 'bidding' ? 'CANCELLED' : 'PAID')
    await checkRest(world, workers)
    asker.requester.cancel(terms.job)
    await world.idle(100)
    assert.equal(told(asker, 'ended').length, 1, 'it ends once')
  })
}

test('a cancelled gang that loses a provider awards nobody again', async () => {
  const { world, asker, workers } = meshOf(4, { workMs: 30_000 })
  const terms = asker.terms({ slots: 3 })
  await asker.requester.submit(terms)
  await world.until(() => told(asker, 'running').length === 3)
  const lost = workers.find(({ name }) => name === told(asker, 'matched')[0]!.peer)!
  lost.silence()
  asker.requester.cancel(terms.job)
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), { outcome: 'expired', code: 'PROVIDER_SILENT' })
  assert.equal(told(asker, 'matched').length, 3)
  await checkRest(
    world,
    workers.filter((worker) => worker !== lost),
  )
})

/** A gang of three whose requester dies right after its nth write: nothing that it would have said then is heard. */
async function dyingAt(write: number) {
  const { world, asker, workers } = meshOf(4)
  let isBack = false
  world.fate = ({ from }) => (!isBack && from === asker.name && asker.journal.length >= write ? 0 : 1)
  await asker.requester.submit(asker.terms({ slots: 3 }))
  await world.until(() => asker.journal.length >= write || ending(asker) !== undefined)
  const wrote = asker.journal.length
  const again = asker.restart(1, { lends: false })
  isBack = true
  return { world, asker, again, workers, wrote }
}

test('a requester that is restarted after any of its writes: the gang is whole, and paid', async (context) => {
  const rehearsal = await dyingAt(Infinity)
  assert.equal(ending(rehearsal.asker)?.outcome, 'paid')
  const kinds = new Set<string>()
  for (let write = 1; write < rehearsal.wrote; write++) {
    await context.test(`write ${write}`, async () => {
      const { world, asker, again, workers } = await dyingAt(write)
      for (const { statements } of asker.journal.slice(0, write)) for (const { kind } of statements) kinds.add(kind)
      await world.until(() => ending(again) !== undefined)
      assert.equal(ending(again)?.outcome, 'paid', world.story())
      await checkRest(world, [again, ...workers])
      const paid = workers.flatMap((worker) => leaseEndings(worker)).filter((one) => one === 'paid PAID')
      assert.equal(paid.length, 3)
    })
  }
  for (const kind of ['award', 'accept', 'commit', 'result', 'receipt']) assert.ok(kinds.has(kind), kind)
})

test('a requester that dies right after its decision repeats every COMMIT as soon as it is back', async () => {
  const { asker } = await dyingAt(Infinity)
  const decision = 1 + asker.journal.findIndex(({ statements }) => statements.some(({ kind }) => kind === 'commit'))
  const { world, workers } = await dyingAt(decision)
  assert.ok(!workers.some(({ leaseEvents }) => leaseEvents.some(({ stage }) => stage === 'leased')))
  await world.idle(50)
  const leased = workers.filter(({ leaseEvents }) => leaseEvents.some(({ stage }) => stage === 'leased'))
  assert.equal(leased.length, 3)
})

test('a late copy of an offer whose round is over does not cost the next round', async () => {
  const { world, asker, workers } = meshOf(5)
  const mute = workers[1]!
  world.fate = ({ to, say }) => (to === mute.name && say === 'AWARD' ? 0 : say === 'OFFER' ? 2 : 1)
  let copies = 0
  // The round is over after 3.4 s, and the next is decided on after 3.8 s.
  world.delayMs = ({ say }) => (say === 'OFFER' && ++copies % 2 === 0 ? 3_500 : 5)
  await asker.requester.submit(asker.terms({ slots: 4 }))
  await world.until(() => ending(asker) !== undefined)
  assert.equal(ending(asker)?.outcome, 'paid')
  assert.deepEqual(
    told(asker, 'matched').map(({ epoch }) => epoch),
    [2, 2, 2, 2],
  )
  await checkRest(world, workers)
})

test('every message of a gang may be lost once: it is still paid, and nobody is left holding', async (context) => {
  const rehearse = async (lost: number) => {
    const { world, asker, workers } = meshOf(3, { workMs: 1_500 })
    let count = 0
    world.fate = () => (count++ === lost ? 0 : 1)
    await asker.requester.submit(asker.terms({ slots: 2 }))
    await world.until(() => ending(asker) !== undefined)
    return { world, asker, workers }
  }
  const { world: quiet } = await rehearse(-1)
  for (const [lost, { say }] of quiet.frames.entries()) {
    await context.test(`message ${lost} (${say}) lost`, async () => {
      const { world, asker, workers } = await rehearse(lost)
      assert.equal(ending(asker)?.outcome, 'paid', world.story())
      await checkRest(world, [asker, ...workers])
    })
  }
})
