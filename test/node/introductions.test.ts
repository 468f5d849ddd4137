// Who is asked for references, when, and what becomes of a bad one. The clock is the test's.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Reference } from '../../protocols/references/index.ts'
import { Fault } from '../../protocols/wire/index.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { Introductions } from '../../src/node/introductions.ts'
import { ShownReferences } from '../../src/reputation/shown-references.ts'

const never = new AbortController().signal
const one: Reference = { by: 'k', lease: 'ab', unit: 'credit', amountMicro: 5, issuedMs: 0 }

function stage(answer: (peer: string) => Promise<readonly Reference[]>) {
  const asked: string[] = []
  const faults: string[] = []
  const references = new ShownReferences('credit')
  const at = { nowMs: 0 }
  const introductions = new Introductions({
    clock: { nowMs: () => at.nowMs, deadline: (delayMs, parent) => realClock.deadline(delayMs, parent) },
    log: silentLog,
    references,
    reputation: {
      assess: (peer) => ({
        standing: 0.5,
        coolDown: undefined,
        provenUntilMs: undefined,
        terms: [],
        ways: [],
        startMs: undefined,
        jobs: 0,
        familiarity: peer === 'friend' ? 'known' : 'stranger',
      }),
    },
    ask: async (peer) => {
      asked.push(peer)
      return answer(peer)
    },
    onFault: (peer, { code }) => void faults.push(`${peer} ${code}`),
  })
  return { introductions, references, asked, faults, at }
}

test('a stranger that offers is asked once in a while, who is known is not', async () => {
  const { introductions, references, asked, at } = stage(async () => [one])
  for (const peer of ['new', 'friend', 'new']) introductions.onOffer(peer, never)
  await Promise.resolve()
  assert.deepEqual(asked, ['new'])
  await new Promise(setImmediate)
  assert.deepEqual([...references.of('new')], [['k', 5]])
  at.nowMs += 6 * 60_000
  introductions.onOffer('new', never)
  assert.deepEqual(asked, ['new', 'new'])
})

test('what does not hold is a fault, and what was shown before is forgotten', async () => {
  let isBad = false
  const { introductions, references, faults } = stage(async () => {
    if (isBad) throw new Fault('SIGNATURE_INVALID', 'a signature does not fit')
    return [one]
  })
  await introductions.ask('new', never)
  isBad = true
  await introductions.ask('new', never)
  assert.deepEqual(faults, ['new SIGNATURE_INVALID'])
  assert.equal(references.of('new').size, 0)
})

test('who does not answer costs nothing but the question, and there are no more than so many at once', async () => {
  const { introductions, references, asked, faults } = stage(async () => Promise.reject(new Error('nobody there')))
  for (let peer = 0; peer < 40; peer++) introductions.onOffer(`peer-${peer}`, never)
  assert.equal(asked.length, 16)
  await new Promise(setImmediate)
  assert.deepEqual([faults, references.of('peer-1').size], [[], 0])
})
