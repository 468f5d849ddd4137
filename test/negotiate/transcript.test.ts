/**
 * The negotiation as a play: test/vectors/negotiate-transcript.txt. Whoever changes a machine reads the difference, and writes
 * it anew with `node --test --test-update-snapshots` only when every changed line is meant.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'

import { Pair, type Plan } from './pair.ts'

const lose =
  (say: string, first: number) =>
  (word: string, count: number): readonly number[] =>
    word === say && count <= first ? [] : [10]

const scenes: readonly { title: string; plan: Plan; direct?: (pair: Pair) => void }[] = [
  { title: 'nothing is lost', plan: {} },
  {
    title: 'the COMMIT is lost once: the provider repeats its ACCEPT and gets the same COMMIT',
    plan: { fate: lose('COMMIT', 1) },
  },
  {
    title: 'the AWARD and the ACCEPT are lost once each',
    plan: { fate: (say, count) => (count === 1 && (say === 'AWARD' || say === 'ACCEPT') ? [] : [10]) },
  },
  { title: 'a no-show: the provider hears nothing of its award', plan: { fate: lose('AWARD', 99) } },
  { title: 'a no-show of the other kind: the COMMIT never comes', plan: { fate: lose('COMMIT', 99) } },
  {
    title: 'a late award: the hold has ended when it comes',
    plan: { awardAfterMs: 5_985, fate: (say) => (say === 'AWARD' ? [20] : [10]) },
  },
  {
    title: 'a late ACCEPT: the requester has given up and says so',
    plan: { fate: (say) => (say === 'ACCEPT' ? [4_500] : [10]) },
  },
  { title: 'every message comes twice', plan: { fate: () => [10, 15] } },
  {
    title: 'the requester is restarted while it waits',
    plan: { fate: lose('AWARD', 1) },
    direct: (pair) => pair.at(500, 'requester', { is: 'restarted' }),
  },
  {
    title: 'the provider is restarted while it waits for the COMMIT',
    plan: { fate: lose('ACCEPT', 1) },
    direct: (pair) => pair.at(500, 'provider', { is: 'restarted' }),
  },
  {
    title: 'the requester takes its award back',
    plan: { fate: (say) => (say === 'ACCEPT' ? [300] : [10]) },
    direct: (pair) => pair.at(100, 'requester', { is: 'cancel' }),
  },
]

test('the play of a negotiation is the one that was reviewed', (t) => {
  const acts = scenes.map(({ title, plan, direct }) => {
    const pair = new Pair(plan)
    direct?.(pair)
    pair.run()
    assert.deepEqual(pair.faults, [], title)
    return `# ${title}\n\n${pair.lines.join('\n')}\n`
  })
  t.assert.fileSnapshot(acts.join('\n'), join(import.meta.dirname, '..', 'vectors', 'negotiate-transcript.txt'), {
    serializers: [(value: unknown) => value as string],
  })
})

test('whatever is lost, late or doubled: no provider has a lease that its requester has not, and nobody is blamed', () => {
  const copies = fc.oneof(
    { weight: 3, arbitrary: fc.constant([10]) },
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.array(fc.nat(6_000), { maxLength: 3 }) },
  )
  const seen = new Set<string>()
  fc.assert(
    fc.property(
      fc.array(copies, { maxLength: 30 }),
      fc.array(fc.tuple(fc.nat(9_000), fc.boolean()), { maxLength: 2 }),
      fc.nat(7_000),
      (fates, restarts, awardAfterMs) => {
        let sent = 0
        const pair = new Pair({ awardAfterMs, fate: () => fates[sent++] ?? [10] })
        for (const [atMs, ours] of restarts) {
          if (ours) pair.at(atMs, 'requester', { is: 'restarted' })
          else pair.at(atMs, 'provider', { is: 'restarted' })
        }
        pair.run()
        const ends = [pair.requester?.at, pair.provider.at]
        seen.add(ends.join(' '))
        assert.deepEqual(pair.faults, [], pair.lines.join('\n'))
        assert.ok(ends[0] !== 'awarded' && ends[1] !== 'offered' && ends[1] !== 'accepted', pair.lines.join('\n'))
        if (pair.provider.at === 'leased') {
          assert.equal(pair.requester?.at, 'leased', pair.lines.join('\n'))
          assert.deepEqual(pair.requester?.at === 'leased' && pair.requester.lease, pair.provider.lease)
        }
      },
    ),
    { numRuns: 150 },
  )
  for (const ends of ['leased leased', 'closed closed']) assert.ok(seen.has(ends), `${ends} never came`)
})
