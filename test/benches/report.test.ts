import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

import { runBench, type Part } from '../../bench/bench.ts'
import { alternate, median, pair, roundsMin } from '../../bench/paired.ts'
import { missingRow, pairedRow, table, valueRow } from '../../bench/report.ts'

const root = join(import.meta.dirname, '..', '..')
const bench = (...args: string[]) =>
  spawnSync(process.execPath, [join(root, 'bench/main.ts'), ...args], { cwd: root, encoding: 'utf8' })

test('a ratio is the median of the rounds, not the ratio of the medians', () => {
  const paired = pair([10, 20, 90, 40, 50], [10, 10, 100, 20, 100])
  assert.equal(paired.ratio, 1)
  assert.equal(median(paired.values), 40)
  assert.equal(median([4, 1, 3, 2]), 2.5)
})

test('runs alternate, in the opposite order every other round, after one that does not count', async () => {
  const order: string[] = []
  const measure = (name: string) => () => order.push(name)
  const figures = await alternate(5, { a: measure('a'), b: measure('b') })
  assert.equal(order.join(''), 'ab' + 'ab' + 'ba' + 'ab' + 'ba' + 'ab')
  assert.deepEqual(figures, { a: [3, 6, 7, 10, 11], b: [4, 5, 8, 9, 12] })
  await assert.rejects(alternate(roundsMin - 1, {}), RangeError)
})

test('a bar is of the ratio, or of the value when nothing was measured beside it', () => {
  const paired = pair([6, 6, 6, 6, 6], [10, 10, 10, 10, 10])
  assert.deepEqual(pairedRow('encode', 'GB/s', 'ISA-L', paired, { least: 0.45 }), {
    name: 'encode',
    value: 6,
    unit: 'GB/s',
    baseline: 'ISA-L',
    ratio: 0.6,
    target: '>= 0.45',
    holds: true,
  })
  assert.equal(pairedRow('encode', 'GB/s', 'ISA-L', paired, { least: 0.75 }).holds, false)
  assert.equal(pairedRow('get', 's', 'no fault', paired, { most: 1.25 }).holds, true)
  assert.equal(pairedRow('get', 's', 'no fault', paired).holds, null)
  const memory = valueRow('memory', 'MiB', [90, 97, 100], { most: 96 }, 'of 4 GiB')
  assert.deepEqual([memory.value, memory.ratio, memory.holds, memory.note], [97, null, false, 'of 4 GiB'])
})

test('what could not be measured has no value, and says why', () => {
  const row = missingRow('encode', 'GB/s', 'ISA-L', 'libisal-dev is not installed', { least: 0.45 })
  assert.deepEqual(
    [row.value, row.ratio, row.target, row.holds, row.note],
    [null, null, '>= 0.45', null, 'libisal-dev is not installed'],
  )
  assert.match(table([row]), /^- +encode +GB\/s +ISA-L +>= 0\.45 +libisal-dev is not installed$/m)
})

test('a part that fails is a row, and the next is still measured', async () => {
  const parts: Part[] = [
    {
      name: 'broken',
      about: '',
      measure: async () => {
        throw new Error('no such file')
      },
    },
    { name: 'whole', about: '', measure: async () => [valueRow('size', 'B', [1])] },
  ]
  const said: string[] = []
  let disposed = 0
  const {
    v,
    bench: name,
    rows,
  } = await runBench({ name: 'two', about: '', parts }, parts, async () => ({
    rounds: 5,
    folder: '',
    say: (line) => void said.push(line),
    signal: new AbortController().signal,
    [Symbol.asyncDispose]: async () => void disposed++,
  }))
  assert.deepEqual([v, name, disposed], [1, 'two', 2])
  assert.deepEqual(
    rows.map((row) => [row.name, row.value, row.note]),
    [
      ['broken', null, 'failed: Error: no such file'],
      ['size', 1, undefined],
    ],
  )
  assert.match(said[0]!, /no such file\n +at /)
})

test('the command lists what there is, and refuses what there is not', () => {
  const listed = bench('list')
  assert.equal(listed.status, 0, listed.stderr)
  assert.match(listed.stdout, /^data /m)
  for (const [args, complaint] of [
    [[], /^error: usage/],
    [['nonsense'], /nonsense is no bench; there are data/],
    [['data', 'nonsense'], /nonsense is no part/],
    [['data', '--rounds', '4'], /at least 5, not 4/],
    [['data', '--what'], /--what/],
  ] as const) {
    const { status, stderr } = bench(...args)
    assert.equal(status, 2, args.join(' '))
    assert.match(stderr, complaint)
  }
})
