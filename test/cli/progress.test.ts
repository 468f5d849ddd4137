import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ControlError } from '../../src/control/api.ts'
import { goingOn, progressLine, progressName } from '../../src/cli/progress.ts'

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

test('however long the path is, the line fits a terminal of 80 columns', () => {
  const name = progressName('/home/somebody/archive/2026/everything-of-the-last-year.tar')
  assert.equal(name, 'everything-of…')
  const line = progressLine(name, { ...view, phase: 'comparing', totalBytes: 148_200_000, doneBytes: 1, phaseMs: 1 })
  assert.ok(line.length < 80, line)
  assert.equal(progressName('-'), 'stdin')
})

test('that the peer is gone is said with what to do about it', async () => {
  const gone = new ControlError({ code: 'PEER_GONE', what: 'gone', why: 'reset', cure: 'pleach status', exit: 5 })
  const wrong = new ControlError({ code: 'NO_KEEPERS', what: 'none', why: '', cure: 'pleach offers', exit: 4 })
  const cureOf = async (error: Error) =>
    goingOn(async () => {
      throw error
    }).then(
      () => assert.fail('it threw'),
      (thrown: unknown) => (thrown as ControlError).cure,
    )
  assert.match(await cureOf(gone), /^pleach up .* it goes on/)
  assert.equal(await cureOf(wrong), 'pleach offers')
})
