/**
 * Settling as a play: test/vectors/settle-transcript.txt. Whoever changes a machine reads the difference, and writes it anew with
 * `node --test --test-update-snapshots` only when every changed line is meant.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { Pair, type Plan } from './pair.ts'

const lose =
  (say: string, first: number) =>
  (word: string, count: number): readonly number[] =>
    word === say && count <= first ? [] : [10]

const both = (pair: Pair): Pair => pair.work('one', 'low', 700).work('two', 'high', 300).work('two', 'high', 200)

const scenes: readonly { title: string; plan?: Plan; direct: (pair: Pair) => void }[] = [
  { title: 'nothing is lost', direct: (pair) => both(pair).propose('low') },
  { title: 'there is nothing to settle', direct: (pair) => pair.propose('low') },
  {
    title: 'two periods: what was settled is not counted again',
    direct: (pair) =>
      both(pair)
        .propose('low')
        .at(1_000, () => pair.work('one', 'low', 50).work('three', 'high', 20).propose('high'))
        .at(2_000, () => pair.propose('low')),
  },
  {
    title: 'the PROPOSE and the AGREE are lost once each',
    plan: { fate: (say, count) => (count === 1 && say !== 'DIFFER' ? [] : [10]) },
    direct: (pair) => both(pair).propose('high'),
  },
  {
    title: 'both propose at once: the proposal of the lower name counts',
    direct: (pair) => both(pair).propose('high').propose('low'),
  },
  {
    title: 'a countersignature was lost: the proposer holds less, and is shown the proof',
    direct: (pair) => both(pair).work('one', 'low', 90, false).propose('low'),
  },
  {
    title: 'a countersignature was lost: the proposer holds more, and proves it',
    direct: (pair) => both(pair).work('one', 'low', 90, false).work('four', 'low', 5, false).propose('high'),
  },
  {
    title:
      'each holds another receipt: the lease is disputed and the rest is settled; the dispute alone is no reason for another',
    direct: (pair) =>
      both(pair)
        .fork('five', 'low', [10, 11])
        .propose('low')
        .at(1_000, () => pair.propose('low').propose('high'))
        .at(2_000, () => pair.work('two', 'high', 1).propose('high')),
  },
  {
    title: 'nobody answers: the number is kept, and its owner tries again',
    plan: { fate: lose('PROPOSE', 15) },
    direct: (pair) =>
      both(pair)
        .propose('low')
        .at(60_000, () => pair.propose('low')),
  },
  {
    title: 'the AGREE is lost, and the other side goes on to the next number',
    plan: { fate: (say, count) => (say === 'AGREE' && count <= 1 ? [] : [10]) },
    direct: (pair) =>
      both(pair)
        .propose('low')
        .at(500, () => pair.work('six', 'high', 40).propose('high')),
  },
  {
    title: 'an old proposal comes late',
    plan: { fate: (say, count) => (say === 'PROPOSE' && count === 1 ? [10, 900] : [10]) },
    direct: (pair) => both(pair).work('one', 'low', 90, false).propose('low'),
  },
  {
    title: 'every message comes twice',
    plan: { fate: () => [10, 15] },
    direct: (pair) => both(pair).work('one', 'low', 90, false).propose('low'),
  },
  {
    title: 'the proposer is restarted while it waits',
    plan: { fate: lose('PROPOSE', 1) },
    direct: (pair) =>
      both(pair)
        .propose('low')
        .at(500, () => pair.restart('low')),
  },
  {
    title: 'the other side is restarted after it has differed',
    plan: { fate: lose('DIFFER', 1) },
    direct: (pair) =>
      both(pair)
        .work('one', 'low', 90, false)
        .propose('low')
        .at(500, () => pair.restart('high')),
  },
]

test('the play of a settlement is the one that was reviewed', (t) => {
  const acts = scenes.map(({ title, plan, direct }) => {
    const pair = new Pair(plan)
    direct(pair)
    pair.run()
    assert.deepEqual(pair.faults, [], title)
    assert.deepEqual(pair.low.state.head, pair.high.state.head, title)
    return `# ${title}\n\n${pair.lines.join('\n')}\n`
  })
  t.assert.fileSnapshot(acts.join('\n'), join(import.meta.dirname, '..', 'vectors', 'settle-transcript.txt'), {
    serializers: [(value: unknown) => value as string],
  })
})
