import assert from 'node:assert/strict'
import { test } from 'node:test'

import { progressLine } from '../../src/cli/progress.ts'

const view = { v: 1, phase: 'placing', doneBytes: 34_200_000, totalBytes: 48_200_000, phaseMs: 5_600 } as const

test('a line of progress has a share, a rate, and how long it still takes', () => {
  assert.equal(
    progressLine('backup.tar', view),
    'placing backup.tar  48.2 MB [==============      ] 70 %  6.1 MB/s  00:02',
  )
})

test('what nobody knows is not invented', () => {
  assert.equal(progressLine('x', { ...view, phase: 'sealing', totalBytes: 0 }), 'sealing x')
  assert.equal(progressLine('x', { ...view, doneBytes: 0, phaseMs: 0 }), `placing x  48.2 MB [${' '.repeat(20)}] 0 %`)
  assert.match(progressLine('x', { ...view, doneBytes: 50_000_000 }), /100 %/)
})
