// The last seconds of several processes, as one of all.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ProcessSample } from '../../sim/live/measures/findings.ts'
import { mergeSamples } from '../../sim/live/measures/merge-samples.ts'

const sample: ProcessSample = {
  atMs: 5_000,
  forMs: 1_000,
  cpuUserMs: 400,
  cpuSystemMs: 100,
  rssBytes: 100,
  heapBytes: 50,
  gcMs: 10,
  loopDelayP50Ms: 1,
  loopDelayP99Ms: 4,
  loopDelayMaxMs: 9,
  lateP99Ms: null,
  lateMaxMs: null,
  counts: { peersUp: 10, jobsPaid: 2, coverage: 1 },
}

test('what is counted is added up, what is late is as late as the latest, and a share weighs as much as it has peers', () => {
  // It came round to its second when two were over, in which it was busy half the time.
  const late = { atMs: 6_000, forMs: 2_000, cpuUserMs: 1_000, loopDelayP99Ms: 900, lateP99Ms: 3 }
  const merged = mergeSamples([sample, { ...sample, ...late, counts: { peersUp: 30, jobsPaid: 1, coverage: 0.5 } }])!
  assert.equal((merged.cpuUserMs / merged.forMs).toFixed(2), '0.90')
  assert.deepEqual(
    [merged.atMs, merged.rssBytes, merged.loopDelayP50Ms, merged.loopDelayP99Ms, merged.lateP99Ms, merged.lateMaxMs],
    [6_000, 200, 1, 900, 3, null],
  )
  assert.deepEqual(merged.counts, { peersUp: 40, jobsPaid: 3, coverage: 0.625 })
})

test('what only some count is theirs, and of none there is nothing', () => {
  const merged = mergeSamples([sample, { ...sample, counts: { peersUp: 5 } }])!
  assert.deepEqual(merged.counts, { peersUp: 15, jobsPaid: 2, coverage: 1 })
  assert.equal(mergeSamples([]), null)
})
