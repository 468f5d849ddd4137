import assert from 'node:assert/strict'
import { test } from 'node:test'

import { refusal } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { silentLog } from '../../src/environment.ts'
import { memoryKeyValue } from '../../src/host/index.ts'
import { Tally } from '../../src/market/tally.ts'
import { keepTally } from '../../src/node/tally-keeping.ts'

const minuteMs = 60_000
const run = (clock: VirtualClock, untilMs: number): void => {
  while ((clock.nextMs ?? Infinity) <= untilMs) clock.jump()
}

test('a peer that is killed loses no more than a minute of what it counted, one that stops nothing', () => {
  const memory = memoryKeyValue()
  const clock = new VirtualClock(0)
  const tally = new Tally()
  const end = keepTally(tally, memory, clock, silentLog)
  tally.seen()
  run(clock, minuteMs)
  tally.seen()
  tally.lost(refusal('OUTBID', { cpuHourMicro: 5 }), 10, 1)
  const killed = new Tally()
  keepTally(killed, memory, new VirtualClock(0), silentLog)
  assert.deepEqual([killed.counts().bidsSeen, killed.counts().lost], [1, {}])
  end()
  const stopped = new Tally()
  keepTally(stopped, memory, new VirtualClock(0), silentLog)
  assert.deepEqual([stopped.counts().bidsSeen, stopped.hint(2)], [2, { cpuHourMicro: 5, wouldHaveWon: 1 }])
  run(clock, 10 * minuteMs)
  assert.equal(clock.nextMs, undefined, 'no timer is left')
})

test('what was kept and makes no sense is said and forgotten; a store that fails costs nothing but what it would have kept', () => {
  const memory = memoryKeyValue()
  for (const text of [
    '{',
    '{"bidsSeen":-1}',
    'null',
    '{"bidsSeen":1,"answered":1,"won":1,"notAnswered":{},"lost":{}}',
  ]) {
    memory.put('/tally', new TextEncoder().encode(text))
    const said: string[] = []
    const tally = new Tally()
    keepTally(tally, memory, new VirtualClock(0), (level, message) => said.push(`${level} ${message}`))()
    assert.equal(tally.counts().bidsSeen, 0)
    assert.deepEqual(said, ['warn what was counted of bids before cannot be read'], text)
  }
  const full = {
    ...memoryKeyValue(),
    put: () => {
      throw new Error('the disk is full')
    },
  }
  const said: string[] = []
  keepTally(new Tally(), full, new VirtualClock(0), (level, message) => said.push(`${level} ${message}`))()
  assert.deepEqual(said, ['warn what was counted of bids is not kept'])
})
