/** Small work of a peer that is new to us is done by one that we know as well, and compared. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { JobEvent } from '../../src/market/job-events.ts'
import { petnameOf } from '../../src/host/index.ts'
import type { JobTerms } from '../../src/market/terms.ts'
import { Outcomes } from '../../src/node/outcomes.ts'
import { World, type Peer, type PeerOptions } from '../support/bench.ts'

type Of<Stage extends JobEvent['stage']> = Extract<JobEvent, { stage: Stage }>

const told = <Stage extends JobEvent['stage']>(peer: Peer, stage: Stage): Of<Stage>[] =>
  peer.jobEvents.filter((event): event is Of<Stage> => event.stage === stage)
const ending = (peer: Peer) => told(peer, 'ended').at(-1)?.ending
const leaseEndings = (peer: Peer) =>
  peer.leaseEvents.flatMap((event) => (event.stage === 'ended' ? [`${event.ending.outcome} ${event.ending.code}`] : []))
const paid = { outcome: 'paid', code: 'PAID' }
const workMs = 3_000
const lie = { exitCode: 7 }

interface Cast {
  readonly newcomer: Partial<PeerOptions>
  readonly friend: Partial<PeerOptions>
  readonly terms: Partial<JobTerms>
}

/** One that asks, one that did a single job for it and is cheap, and one that did five and is dear. */
async function cast(over: Partial<Cast> = {}) {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  const newcomer = world.peer(2, { cpuHourMicro: 900_000, workMs, ...over.newcomer })
  const friend = world.peer(3, { cpuHourMicro: 1_100_000, workMs, ...over.friend })
  meet(asker, { newcomer, friend })
  const terms = asker.terms({ checksStrangers: true, ...over.terms })
  await asker.requester.submit(terms)
  return { world, asker, newcomer, friend, terms, beganMs: world.clock.nowMs() }
}

function meet(asker: Peer, { newcomer, friend }: { newcomer: Peer; friend: Peer }): void {
  asker.jobsFor.set(newcomer.name, 1).set(friend.name, 5)
  asker.standings.set(newcomer.name, 0.65).set(friend.name, 0.65)
}

/** Nobody holds anything, and nobody is blamed. */
async function checkRest(world: World, peers: readonly Peer[]): Promise<void> {
  await world.idle(30_000)
  for (const peer of peers) {
    assert.equal(peer.provider.inUse().cpuMilli, 0, world.story())
    assert.deepEqual(peer.faults, [])
  }
}

const leaseOf = (asker: Peer, peer: Peer) =>
  [...told(asker, 'matched'), ...told(asker, 'checking')].find((event) =>
    'by' in event ? event.by === peer.name : event.peer === peer.name,
  )!.lease
const findings = (asker: Peer) => told(asker, 'checked').map(({ peer, by, found }) => [peer, by, found])

test('both made the same: both are paid, and the work of the first is shown only then', async () => {
  const { world, asker, newcomer, friend } = await cast({ friend: { workMs: workMs + 1_000 } })
  await world.until(() => told(asker, 'checking').length === 1)
  assert.deepEqual(
    told(asker, 'checking').map(({ peer, by }) => [peer, by]),
    [[newcomer.name, friend.name]],
  )
  await world.until(() => newcomer.leaseEvents.some(({ stage }) => stage === 'reported'))
  await world.idle(500)
  assert.deepEqual([told(asker, 'result'), [...asker.read]], [[], []], 'nothing is shown before they are compared')
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), paid, world.story())
  assert.deepEqual(findings(asker), [[newcomer.name, friend.name, 'same']])
  assert.deepEqual(
    told(asker, 'result').map(({ peer }) => peer),
    [newcomer.name],
  )
  assert.deepEqual([...asker.read], [leaseOf(asker, newcomer)])
  assert.deepEqual(
    told(asker, 'matched').map(({ peer, epoch }) => [peer, epoch]),
    [[newcomer.name, 1]],
  )
  await checkRest(world, [asker, newcomer, friend])
  assert.deepEqual([leaseEndings(newcomer), leaseEndings(friend)], [['paid PAID'], ['paid PAID']])
  const finals = told(asker, 'receipt').filter(({ final }) => final)
  assert.equal(finals.length, 2)
  assert.equal(
    told(asker, 'ended')[0]!.amountMicro,
    finals.reduce((sum, { amountMicro }) => sum + amountMicro, 0),
    'the job costs what both cost',
  )
})

test('they differ: what the one made that we know is taken, and both are paid', async () => {
  const { world, asker, newcomer, friend } = await cast({ newcomer: { exit: lie } })
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), paid, world.story())
  assert.deepEqual(findings(asker), [[newcomer.name, friend.name, 'different']])
  assert.deepEqual(
    told(asker, 'result').map(({ peer, exitCode }) => [peer, exitCode]),
    [[friend.name, 0]],
  )
  assert.equal(told(asker, 'ended')[0]!.document?.exitCode, 0)
  assert.deepEqual([...asker.read], [leaseOf(asker, friend)], 'nobody reads what the other made')
  assert.deepEqual(
    told(asker, 'matched').map(({ peer, epoch }) => [peer, epoch]),
    [
      [newcomer.name, 1],
      [friend.name, 2],
    ],
  )
  await checkRest(world, [asker, newcomer, friend])
  assert.deepEqual([leaseEndings(newcomer), leaseEndings(friend)], [['paid PAID'], ['paid PAID']])
})

test('a check that takes too long is not waited for: the first is taken, and the other paid for what it did', async () => {
  const tookMs = 14_000
  const newcomerIs = { exit: lie, workMs: tookMs }
  const { world, asker, newcomer, friend } = await cast({ friend: { workMs: 50_000 }, newcomer: newcomerIs })
  await world.until(() => newcomer.leaseEvents.some(({ stage }) => stage === 'reported'))
  const doneMs = world.clock.nowMs()
  await world.until(() => leaseEndings(newcomer).length > 0)
  assert.ok(world.clock.nowMs() - doneMs < 10_000, 'it is paid before it gives up to ask for it')
  assert.deepEqual([told(asker, 'result'), [...asker.read]], [[], []])
  await world.until(() => told(asker, 'result').length > 0)
  const waitedMs = world.clock.nowMs() - doneMs
  assert.ok(waitedMs >= tookMs - 100 && waitedMs <= tookMs + 500, `it was waited ${waitedMs} ms`)
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), paid, world.story())
  assert.deepEqual(findings(asker), [[newcomer.name, friend.name, 'nothing']])
  assert.deepEqual(told(asker, 'replacing'), [], 'nobody is reproached')
  await checkRest(world, [asker, newcomer, friend])
  assert.deepEqual([leaseEndings(newcomer), leaseEndings(friend)], [['paid PAID'], ['paid PAID']])
})

test('whoever makes something up at once is waited with for ten seconds all the same', async () => {
  const { world, asker, newcomer, friend } = await cast({
    friend: { workMs: 9_000 },
    newcomer: { exit: lie, workMs: 10 },
  })
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(findings(asker), [[newcomer.name, friend.name, 'different']])
  await checkRest(world, [asker, newcomer, friend])
  assert.deepEqual([leaseEndings(newcomer), leaseEndings(friend)], [['paid PAID'], ['paid PAID']])
})

describe('what is noted of both', () => {
  const noted = async (over: Partial<Cast>) => {
    const world = new World()
    const asker = world.peer(1, { lends: false })
    const newcomer = world.peer(2, { cpuHourMicro: 900_000, workMs, ...over.newcomer })
    const friend = world.peer(3, { cpuHourMicro: 1_100_000, workMs, ...over.friend })
    meet(asker, { newcomer, friend })
    const notes: string[] = []
    const nameOf = (peer: string): string => (peer === newcomer.name ? 'newcomer' : 'friend')
    const outcomes = new Outcomes({
      self: asker.name,
      reputation: {
        note: (peer, doing, { sight, evidence = '' }) => {
          assert.equal(doing, 'wasi-preview1')
          notes.push([nameOf(peer), sight, ...(sight === 'fault' ? [evidence] : [])].join(' '))
        },
        noteStart: () => {},
      },
      stateOf: (job) => asker.requester.state(job),
      nowMs: () => world.clock.nowMs(),
    })
    asker.onJob = (job, event) => outcomes.onJob(job, event)
    const terms = asker.terms({ checksStrangers: true })
    await asker.requester.submit(terms)
    await world.until(() => ending(asker) !== undefined)
    await checkRest(world, [asker, newcomer, friend])
    return { notes: notes.toSorted(), terms, friend }
  }
  const bothDidWell = ['friend success', 'newcomer success']

  test('the same: both did well, once each, whenever they are paid', async () => {
    assert.deepEqual((await noted({})).notes, bothDidWell)
    assert.deepEqual((await noted({ newcomer: { workMs: 10 }, friend: { workMs: 9_000 } })).notes, bothDidWell)
    assert.deepEqual((await noted({ newcomer: { workMs: 21_000 }, friend: { workMs: 11_000 } })).notes, bothDidWell)
  })
  test('they differ: it is a fault of the one that we know less, and no merit that it was paid', async () => {
    for (const newcomerMs of [10, workMs, 12_000]) {
      const { notes, terms, friend } = await noted({
        newcomer: { exit: lie, workMs: newcomerMs },
        friend: { workMs: Math.max(newcomerMs, 9_000) },
      })
      const because = `made something else of job ${terms.job} than ${petnameOf(friend.name)}, whom we know`
      assert.deepEqual(notes, ['friend success', `newcomer fault ${because}`])
    }
  })
  test('they could not be compared: neither a merit nor a reproach', async () => {
    assert.deepEqual((await noted({ friend: { workMs: 50_000 } })).notes, [])
  })
})

test('nor is it waited for beyond the time that the job has', async () => {
  const short = { ...(await cast()).terms.requirements, wallMsMax: workMs + 700 }
  const { world, asker, newcomer } = await cast({ friend: { workMs: 50_000 }, terms: { requirements: short } })
  await world.until(() => newcomer.leaseEvents.some(({ stage }) => stage === 'reported'))
  const doneMs = world.clock.nowMs()
  await world.until(() => told(asker, 'result').length > 0)
  assert.ok(world.clock.nowMs() - doneMs <= 1_000)
})

test('a first that takes more than twice as long is a straggler: the other is taken', async () => {
  const { world, asker, newcomer, friend } = await cast({ newcomer: { workMs: 40_000 } })
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), paid, world.story())
  assert.deepEqual(
    told(asker, 'replacing').map(({ peer, because }) => [peer, because.code]),
    [[newcomer.name, 'STRAGGLED']],
  )
  assert.deepEqual(findings(asker), [[newcomer.name, friend.name, 'nothing']])
  assert.deepEqual(
    told(asker, 'result').map(({ peer }) => peer),
    [friend.name],
  )
  await checkRest(world, [asker, newcomer, friend])
  assert.deepEqual([leaseEndings(newcomer), leaseEndings(friend)], [['paid PAID'], ['paid PAID']])
})

test('a check that is lost says nothing of the first, which is taken', async () => {
  const { world, asker, newcomer, friend } = await cast()
  await world.until(() => friend.leaseEvents.some(({ stage }) => stage === 'running'))
  friend.silence()
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), paid, world.story())
  assert.deepEqual(findings(asker), [[newcomer.name, friend.name, 'nothing']])
  assert.deepEqual(told(asker, 'replacing'), [])
  await checkRest(world, [asker, newcomer])
})

for (const [when, friendMs] of [
  ['works', 6_000],
  ['is done', 1_000],
] as const)
  test(`when the first is lost while the other ${when}, the other has the place`, async () => {
    const { world, asker, newcomer, friend } = await cast({
      newcomer: { workMs: 9_000 },
      friend: { workMs: friendMs },
      terms: { reclaimMs: 2_000 },
    })
    await world.until(() => told(asker, 'checking').length > 0)
    await world.idle(200)
    newcomer.silence()
    await world.until(() => ending(asker) !== undefined)
    assert.deepEqual(ending(asker), paid, world.story())
    assert.deepEqual(
      told(asker, 'replacing').map(({ peer, because }) => [peer, because.code]),
      [[newcomer.name, when === 'works' ? 'PROVIDER_SILENT' : told(asker, 'replacing')[0]!.because.code]],
    )
    assert.deepEqual(
      told(asker, 'result').map(({ peer }) => peer),
      [friend.name],
    )
    assert.equal(told(asker, 'matched').at(-1)!.peer, friend.name)
    await checkRest(world, [asker, friend])
  })

test('where they cannot be compared, the one that came to an end is taken', async () => {
  const { world, asker, newcomer, friend } = await cast({
    newcomer: { exit: { reason: 'wall-limit', exitCode: null } },
  })
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(findings(asker), [[newcomer.name, friend.name, 'nothing']])
  assert.deepEqual(
    told(asker, 'result').map(({ peer, reason }) => [peer, reason]),
    [[friend.name, 'exited']],
  )
  await checkRest(world, [asker, newcomer, friend])
})

describe('done once', () => {
  const once = async (
    over: Partial<Cast>,
    prepare: (peers: Record<'asker' | 'newcomer' | 'friend', Peer>) => void = () => {},
  ) => {
    const world = new World()
    const asker = world.peer(1, { lends: false })
    const newcomer = world.peer(2, { cpuHourMicro: 900_000, workMs })
    const friend = world.peer(3, { cpuHourMicro: 1_100_000, workMs, ...over.friend })
    meet(asker, { newcomer, friend })
    prepare({ asker, newcomer, friend })
    await asker.requester.submit(asker.terms({ checksStrangers: true, ...over.terms }))
    await world.until(() => ending(asker) !== undefined)
    assert.deepEqual(ending(asker), paid, world.story())
    assert.deepEqual(
      told(asker, 'matched').map(({ peer }) => peer),
      [newcomer.name],
    )
    assert.deepEqual(told(asker, 'checking'), [])
    assert.deepEqual(
      leaseEndings(friend).filter((code) => code.startsWith('paid')),
      [],
    )
    await checkRest(world, [asker, newcomer, friend])
    return findings(asker).map(([, by, found]) => [by, found])
  }
  const nobody = [[null, 'nothing']]

  test('when its owner does not want it, or it is not the same wherever it runs', async () => {
    assert.deepEqual(await once({ terms: { checksStrangers: false } }), [])
  })
  test('when it is no small work', async () => {
    const { requirements } = (await cast()).terms
    assert.deepEqual(await once({ terms: { requirements: { ...requirements, wallMsMax: 1_000_000 } } }), [])
  })
  test('when nobody whom we know offers, and that is told', async () => {
    assert.deepEqual(await once({}, ({ friend }) => friend.provider.bids.lend(null)), nobody)
    assert.deepEqual(await once({}, ({ asker, friend }) => void asker.jobsFor.delete(friend.name)), nobody)
  })
  test('when the other is known less well than the one whose work it is, or is at the same place', async () => {
    assert.deepEqual(
      await once({}, ({ asker, newcomer, friend }) => void asker.jobsFor.set(newcomer.name, 2).set(friend.name, 1.4)),
      nobody,
    )
    const houses = ({ asker, friend }: Record<'asker' | 'newcomer' | 'friend', Peer>): void => {
      for (const name of [...asker.jobsFor.keys(), friend.name]) asker.houses.set(name, '192.0.2.0/24')
    }
    assert.deepEqual(await once({}, houses), nobody)
  })
  test('when both together could cost more than one may', async () => {
    // A minute of one processor: 15,000 and 18,334 at the most.
    assert.deepEqual(await once({ terms: { ceilingMicro: 33_000 } }), nobody)
  })
  test('when the one that was awarded it does not take it', async () => {
    const world = new World()
    const asker = world.peer(1, { lends: false })
    const newcomer = world.peer(2, { cpuHourMicro: 900_000, workMs })
    const friend = world.peer(3, { cpuHourMicro: 1_100_000 })
    meet(asker, { newcomer, friend })
    world.fate = ({ to, say }) => Number(say !== 'AWARD' || to !== friend.name)
    await asker.requester.submit(asker.terms({ checksStrangers: true }))
    await world.until(() => ending(asker) !== undefined)
    assert.deepEqual(ending(asker), paid, world.story())
    assert.deepEqual(findings(asker), [[newcomer.name, null, 'nothing']])
    await checkRest(world, [asker, newcomer, friend])
  })
})

describe('where nobody is known who could check', () => {
  /** Two strangers, the cheaper of which is awarded first; this machine may do the work as well. */
  const alone = async (over: { newcomer?: Partial<PeerOptions>; asker?: Partial<PeerOptions> } = {}) => {
    const world = new World()
    const asker = world.peer(1, { lends: false, ...over.asker })
    const newcomer = world.peer(2, { cpuHourMicro: 900_000, workMs, ...over.newcomer })
    const other = world.peer(3, { cpuHourMicro: 1_100_000, workMs })
    asker.redosLeft = 1
    const terms = asker.terms({ checksStrangers: true })
    await asker.requester.submit(terms)
    return { world, asker, newcomer, other, terms }
  }
  const ended = async ({ world, asker }: { world: World; asker: Peer }) => {
    await world.until(() => ending(asker) !== undefined)
    return ending(asker)
  }

  test('this machine does the work as well, once, and nothing is shown before it has', async () => {
    const all = await alone({ asker: { redoMs: workMs + 1_500 } })
    const { world, asker, newcomer, other } = all
    await world.until(() => newcomer.leaseEvents.some(({ stage }) => stage === 'reported'))
    await world.idle(500)
    assert.deepEqual([told(asker, 'result'), [...asker.read]], [[], []])
    assert.deepEqual(await ended(all), paid, world.story())
    assert.deepEqual(findings(asker), [[newcomer.name, asker.name, 'same']])
    assert.equal(asker.redosLeft, 0)
    await checkRest(world, [asker, newcomer, other])
    assert.deepEqual([leaseEndings(newcomer), leaseEndings(other)], [['paid PAID'], []])
  })

  test('one that made something else is paid, and the job is given to another, of whom the same is expected', async () => {
    const all = await alone({ newcomer: { exit: lie } })
    const { world, asker, newcomer, other } = all
    assert.deepEqual(await ended(all), paid, world.story())
    assert.deepEqual(findings(asker), [
      [newcomer.name, asker.name, 'different'],
      [other.name, asker.name, 'same'],
    ])
    assert.deepEqual(
      told(asker, 'replacing').map(({ peer, because }) => [peer, because.code]),
      [[newcomer.name, 'OUTCOME_DIFFERS']],
    )
    assert.deepEqual(
      told(asker, 'result').map(({ peer, exitCode }) => [peer, exitCode]),
      [[other.name, 0]],
    )
    assert.equal(asker.redos, 1, 'what was made here once is known')
    await checkRest(world, [asker, newcomer, other])
    assert.deepEqual([leaseEndings(newcomer), leaseEndings(other)], [['paid PAID'], ['paid PAID']])
  })

  test('when all that have it make something else, the job ends so, and they are paid', async () => {
    const world = new World()
    const asker = world.peer(1, { lends: false })
    const liars = [2, 3, 4].map((seed) => world.peer(seed, { exit: lie, workMs: 100 }))
    asker.redosLeft = 1
    await asker.requester.submit(asker.terms({ checksStrangers: true, retriesMax: 1 }))
    assert.deepEqual(await ended({ world, asker }), { outcome: 'expired', code: 'OUTCOME_DIFFERS' })
    assert.deepEqual(told(asker, 'result'), [])
    await checkRest(world, [asker, ...liars])
    const codes = liars.flatMap((liar) => leaseEndings(liar))
    assert.deepEqual(codes, ['paid PAID', 'paid PAID'])
    const finals = told(asker, 'receipt').filter(({ final }) => final)
    assert.equal(
      told(asker, 'ended')[0]!.amountMicro,
      finals.reduce((sum, { amountMicro }) => sum + amountMicro, 0),
    )
  })

  test('when this machine cannot, what came is taken', async () => {
    const all = await alone({ newcomer: { exit: lie }, asker: { redoMs: null } })
    const { world, asker, newcomer, other } = all
    assert.deepEqual(await ended(all), paid, world.story())
    assert.deepEqual(findings(asker), [[newcomer.name, asker.name, 'nothing']])
    await checkRest(world, [asker, newcomer, other])
  })

  test('when this machine takes too long, what came is taken, and the lie is found out later', async () => {
    const all = await alone({ newcomer: { exit: lie }, asker: { redoMs: 30_000 } })
    const { world, asker, newcomer, other } = all
    const beganMs = world.clock.nowMs()
    assert.deepEqual(await ended(all), paid, world.story())
    assert.ok(world.clock.nowMs() - beganMs < workMs + 11_500)
    assert.deepEqual(findings(asker), [[newcomer.name, asker.name, 'nothing']])
    await checkRest(world, [asker, newcomer, other])
    assert.deepEqual(findings(asker).at(-1), [newcomer.name, asker.name, 'different'])
  })

  test('of a gang all are held against what it makes once', async () => {
    const world = new World()
    const asker = world.peer(1, { lends: false })
    const liar = world.peer(2, { exit: lie })
    const others = [3, 4, 5].map((seed) => world.peer(seed, { cpuHourMicro: 1_100_000 }))
    asker.redosLeft = 1
    await asker.requester.submit(asker.terms({ checksStrangers: true, slots: 3 }))
    assert.deepEqual(await ended({ world, asker }), paid, world.story())
    assert.deepEqual(
      told(asker, 'checked')
        .map(({ found }) => found)
        .toSorted(),
      ['different', 'same', 'same', 'same'],
    )
    assert.ok(told(asker, 'result').every(({ exitCode }) => exitCode === 0))
    assert.equal(asker.redos, 1)
    await checkRest(world, [asker, liar, ...others])
  })

  test('a cancelled one ends', async () => {
    for (const redoMs of [2 * workMs, 60_000]) {
      const all = await alone({ asker: { redoMs } })
      const { world, asker, newcomer, other, terms } = all
      await world.until(() => newcomer.leaseEvents.some(({ stage }) => stage === 'reported'))
      await world.idle(200)
      asker.requester.cancel(terms.job)
      await ended(all)
      await checkRest(world, [asker, newcomer, other])
      assert.deepEqual(leaseEndings(newcomer), ['paid PAID'])
    }
  })

  test('it goes on over a restart of its requester, after any of its writes', async (context) => {
    const dyingAt = async (write: number) => {
      const { world, asker, newcomer, other } = await alone({ newcomer: { exit: lie, workMs: 1_500 } })
      let isBack = false
      world.fate = ({ from }) => (!isBack && from === asker.name && asker.journal.length >= write ? 0 : 1)
      await world.until(() => asker.journal.length >= write || ending(asker) !== undefined)
      const wrote = asker.journal.length
      const again = asker.restart(1, { lends: false })
      again.redosLeft = 1
      isBack = true
      return { world, asker, again, wrote, newcomer, other }
    }
    const { wrote } = await dyingAt(Infinity)
    for (let write = 3; write < wrote; write++) {
      await context.test(`write ${write}`, async () => {
        const { world, asker, again, newcomer, other } = await dyingAt(write)
        assert.equal((await ended({ world, asker: again }))?.outcome, 'paid', world.story())
        const results = [...told(asker, 'result'), ...told(again, 'result')]
        assert.ok(
          results.every(({ exitCode }) => exitCode === 0),
          'the lie is not shown, in whichever life',
        )
        await checkRest(world, [again, newcomer, other])
      })
    }
  })
})

test('of a gang those on probation are compared each with another, as far as there are any', async () => {
  const world = new World()
  const asker = world.peer(1, { lends: false })
  const new1 = world.peer(2, { cpuHourMicro: 900_000, exit: lie })
  const new2 = world.peer(3, { cpuHourMicro: 900_000 })
  const new3 = world.peer(4, { cpuHourMicro: 900_000 })
  const friends = [5, 6].map((seed) => world.peer(seed, { cpuHourMicro: 1_100_000, workMs }))
  for (const friend of friends) {
    for (const newcomer of [new1, new2, new3]) meet(asker, { newcomer, friend })
  }
  await asker.requester.submit(asker.terms({ checksStrangers: true, slots: 3 }))
  await world.until(() => ending(asker) !== undefined)
  assert.deepEqual(ending(asker), paid, world.story())
  const found = told(asker, 'checked')
  assert.equal(found.length, 3)
  assert.deepEqual(new Set(found.flatMap(({ by }) => by ?? [])), new Set(friends.map(({ name }) => name)))
  const ofLiar = found.find(({ peer }) => peer === new1.name)!
  assert.equal(ofLiar.found, ofLiar.by === null ? 'nothing' : 'different')
  assert.equal(told(asker, 'result').length, 3)
  await checkRest(world, [asker, new1, new2, new3, ...friends])
})

test('a job that is cancelled meanwhile ends, and both are paid for what they did', async () => {
  for (const friendMs of [workMs + 5_000, 50_000]) {
    const { world, asker, newcomer, friend, terms } = await cast({ friend: { workMs: friendMs } })
    await world.until(() => newcomer.leaseEvents.some(({ stage }) => stage === 'reported'))
    await world.idle(200)
    asker.requester.cancel(terms.job)
    await world.until(() => ending(asker) !== undefined)
    assert.equal(told(asker, 'ended').length, 1)
    await checkRest(world, [asker, newcomer, friend])
    assert.deepEqual([leaseEndings(newcomer), leaseEndings(friend)], [['paid PAID'], ['paid PAID']])
  }
})

test('a check goes on over a restart of its requester, after any of its writes', async (context) => {
  const dyingAt = async (write: number) => {
    const { world, asker, newcomer, friend } = await cast({
      newcomer: { exit: lie, workMs: 1_500 },
      friend: { workMs: 2_000 },
    })
    let isBack = false
    world.fate = ({ from }) => (!isBack && from === asker.name && asker.journal.length >= write ? 0 : 1)
    await world.until(() => asker.journal.length >= write || ending(asker) !== undefined)
    const wrote = asker.journal.length
    const again = asker.restart(1, { lends: false })
    meet(again, { newcomer, friend })
    isBack = true
    return { world, asker, again, wrote, newcomer, friend }
  }
  const { asker, wrote } = await dyingAt(Infinity)
  const began =
    1 + asker.journal.findIndex(({ state }) => ((state as { spares?: unknown[] } | null)?.spares ?? []).length > 0)
  assert.ok(began > 0)
  for (let write = began; write < wrote; write++) {
    await context.test(`write ${write}`, async () => {
      const { world, again, asker: before, newcomer, friend } = await dyingAt(write)
      await world.until(() => ending(again) !== undefined)
      assert.equal(ending(again)?.outcome, 'paid', world.story())
      const results = [...told(before, 'result'), ...told(again, 'result')]
      const checked = [...told(before, 'checked'), ...told(again, 'checked')]
      // Where both were compared, in whichever life, the lie was not shown to anybody.
      if (checked.some(({ found }) => found === 'different'))
        assert.ok(results.every(({ peer }) => peer === friend.name))
      await checkRest(world, [again, newcomer, friend])
    })
  }
})
