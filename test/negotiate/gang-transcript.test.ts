/**
 * Gangs as a play: test/vectors/gang-transcript.txt. Whoever changes a machine reads the difference, and writes it anew with
 * `node --test --test-update-snapshots` only when every changed line is meant.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'

import { commitWithinMs, gangAcceptWithinMs, leaseIdOf, offerHoldMsMax } from '../../protocols/negotiate/index.ts'
import { Band, type BandPlan, type Side } from './band.ts'
import { startMs } from './parties.ts'

const places = 3
const lose =
  (say: string, place: number, first: number): NonNullable<BandPlan['fate']> =>
  (word, at, count) =>
    word === say && at === place && count <= first ? [] : [10]

const scenes: readonly { title: string; plan: BandPlan; direct?: (band: Band) => void }[] = [
  { title: 'three accept: all are committed', plan: { places } },
  {
    title: 'one of three refuses: the others are free at once',
    plan: { places },
    direct: (band) => band.at(5, 1, { is: 'withdraw', because: { code: 'STOPPED', facts: {} } }),
  },
  {
    title: 'one of three is silent: the others are free when the time is over',
    plan: { places, fate: lose('ACCEPT', 2, 99) },
  },
  {
    title: 'the COMMIT to one is lost: it repeats its ACCEPT and gets the same COMMIT',
    plan: { places, fate: lose('COMMIT', 1, 1) },
  },
  {
    title: 'the COMMIT to one never comes: its place is lost as a lease is, and the others stand',
    plan: { places, fate: lose('COMMIT', 1, 99) },
  },
  {
    title: 'the requester dies between the decision and the COMMITs, and keeps to its decision',
    plan: { places, dies: (side, written) => (side === 'requester' && written.includes('commit') ? 1_500 : undefined) },
  },
  {
    title: 'the requester dies before the decision, and is back in time',
    plan: { places, fate: lose('AWARD', 0, 1) },
    direct: (band) => band.at(500, 'requester', { is: 'restarted' }),
  },
  {
    title: 'the requester dies before the decision, and is back too late',
    plan: {
      places,
      fate: (say, place) => (say === 'ACCEPT' && place === 0 ? [40] : [10]),
      dies: (side, written) => (side === 'requester' && written === 'accept' ? 3_200 : undefined),
    },
  },
  {
    title: 'cancelling and the last ACCEPT cross',
    plan: { places, fate: (say, place) => (say === 'ACCEPT' && place === 2 ? [50] : [10]) },
    direct: (band) => band.at(40, 'requester', { is: 'cancel' }),
  },
]

test('the play of a gang is the one that was reviewed', (t) => {
  const acts = scenes.map(({ title, plan, direct }) => {
    const band = new Band(plan)
    direct?.(band)
    band.run()
    assert.deepEqual(band.faults, [], title)
    return `# ${title}\n\n${band.lines.join('\n')}\n`
  })
  t.assert.fileSnapshot(acts.join('\n'), join(import.meta.dirname, '..', 'vectors', 'gang-transcript.txt'), {
    serializers: [(value: unknown) => value as string],
  })
})

/** What must hold once nothing waits any more. */
function checkEnd(band: Band): void {
  const story = band.lines.join('\n')
  assert.deepEqual(band.faults, [], story)
  assert.notEqual(band.gang.at, 'awarding', story)
  for (const [place, { state }] of band.providers.entries()) {
    assert.ok(state.at === 'leased' || state.at === 'closed', `place ${place} is ${state.at}\n${story}`)
    const ours = band.gang.slots[place]!
    assert.equal(ours.at, band.gang.at === 'committed' ? 'leased' : 'closed', story)
    if (state.at !== 'leased') continue
    assert.ok(ours.at === 'leased', `place ${place} has a lease of a gang that was closed\n${story}`)
    assert.deepEqual(ours.lease, state.lease, story)
    assert.equal(ours.lease.id, leaseIdOf(ours.lease.award.envelope))
  }
}

test('whatever is lost, late, doubled or dies: all places or none, and nobody is blamed or left holding', () => {
  const copies = fc.oneof(
    { weight: 4, arbitrary: fc.constant([10]) },
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.array(fc.nat(4_000), { maxLength: 3 }) },
  )
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(copies, { maxLength: 40 }),
      fc.array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 4, maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(6_000), fc.integer({ min: -1, max: 3 }), fc.constantFrom('restarted', 'other')), {
        maxLength: 3,
      }),
      fc.array(fc.tuple(fc.nat(12), fc.nat(6_000)), { maxLength: 2 }),
      (count, fates, skewMs, events, deaths) => {
        let sent = 0
        let writes = 0
        const downMs = new Map(deaths)
        const band = new Band({
          places: count,
          skewMs,
          fate: () => fates[sent++] ?? [10],
          // The first write is the gang's own opening: it is in the hands of who opened it.
          dies: () => (writes++ === 0 ? undefined : downMs.get(writes)),
        })
        for (const [atMs, who, what] of events) {
          const side: Side = who < 0 || who >= count ? 'requester' : who
          if (what === 'restarted') band.at(atMs, side as number, { is: 'restarted' })
          else if (side === 'requester') band.at(atMs, side, { is: 'cancel' })
          else band.at(atMs, side, { is: 'withdraw', because: { code: 'STOPPED', facts: {} } })
        }
        band.run()
        checkEnd(band)
        const leased = band.providers.filter(({ state }) => state.at === 'leased').length
        const end = `${band.gang.at} ${leased === count ? 'all' : leased === 0 ? 'none' : 'some'}`
        seen.set(end, (seen.get(end) ?? 0) + 1)
        if (deaths.length > 0) return
        // Without anybody down, nobody holds anything for nothing beyond the deadlines of its own offer and word.
        for (const { state, freeAtMs } of band.providers)
          if (state.at === 'closed') assert.ok(freeAtMs! - startMs <= offerHoldMsMax, band.lines.join('\n'))
      },
    ),
    { numRuns: 400 },
  )
  for (const end of ['committed all', 'closed none'])
    assert.ok(seen.has(end), `${end} never came: ${[...seen.keys()].join(', ')}`)
  assert.ok(!seen.has('closed all') && !seen.has('closed some'))
})

test('a gang that is closed frees everybody as soon as the REFUSE is there', () => {
  const band = new Band({ places: 4, fate: lose('AWARD', 3, 99) })
  band.run()
  assert.equal(band.gang.at, 'closed')
  for (const { freeAtMs } of band.providers.slice(0, 3)) assert.equal(freeAtMs! - startMs, gangAcceptWithinMs + 10)
})

test('a COMMIT that never comes costs its own place and no other', () => {
  const band = new Band({ places, fate: lose('COMMIT', 1, 99) }).run()
  checkEnd(band)
  assert.deepEqual(
    band.providers.map(({ state }) => (state.at === 'closed' ? state.because.code : state.at)),
    ['leased', 'NO_COMMIT', 'leased'],
  )
})

test('the first to accept waits for the last, and its COMMIT may be lost once: it is in time all the same', () => {
  for (const delayMs of [10, 200, 500, 900]) {
    for (const skewMs of [-1_000, 0, 1_000]) {
      for (const lost of [0, 1, 2]) {
        // The last ACCEPT comes in the last moment; the COMMIT to one of the others is lost.
        const fate: NonNullable<BandPlan['fate']> = (say, place, count) => {
          if (say === 'ACCEPT' && place === 2) return count === 1 ? [gangAcceptWithinMs - 1 - delayMs] : [delayMs]
          return say === 'COMMIT' && place === lost && count === 1 ? [] : [delayMs]
        }
        const band = new Band({ places, fate, skewMs: [skewMs, -skewMs, 0] })
        band.run()
        checkEnd(band)
        assert.equal(band.gang.at, 'committed')
        for (const { state } of band.providers)
          assert.equal(state.at, 'leased', `delay ${delayMs}, skew ${skewMs}, lost ${lost}\n${band.lines.join('\n')}`)
      }
    }
  }
  assert.ok(gangAcceptWithinMs < commitWithinMs)
})
