/** The owner's brakes: why nothing is worked for others, and what becomes of what runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  brakeWakeAtMs,
  heldMsMax,
  released,
  stepBrakes,
  type BrakeInput,
  type BrakeState,
} from '../../src/market/brakes.ts'
import { cooledBy, stepHeat } from '../../src/market/heat-policy.ts'

/** Steps from one to the next; the effects of the last, as words. */
function after(...inputs: readonly (readonly [atMs: number, input: BrakeInput])[]): {
  state: BrakeState
  says: string[]
} {
  let state = released
  let says: string[] = []
  for (const [atMs, input] of inputs) {
    const [next, effects] = stepBrakes(state, input, atMs)
    state = next
    says = effects.map((effect) => {
      if (effect.do === 'rest') return `rest ${effect.because}`
      return effect.do === 'hold' ? `hold ${effect.isHeld}` : 'evict'
    })
  }
  return { state, says }
}

const pause = (untilMs: number | null, now = false): BrakeInput => ({ is: 'pause', untilMs, now })
const owner = (isActive: boolean): BrakeInput => ({ is: 'owner', isActive })
const heat = (isHot: boolean): BrakeInput => ({ is: 'heat', isHot })
const resume: BrakeInput = { is: 'resume' }
const wake: BrakeInput = { is: 'wake' }

test('a pause holds what runs, and ends by itself', () => {
  const paused = after([0, pause(60_000)])
  assert.deepEqual(paused.says, ['rest PAUSED', 'hold true'])
  assert.equal(brakeWakeAtMs(paused.state), 60_000)
  assert.deepEqual(after([0, pause(60_000)], [59_999, wake]).says, [])
  const over = after([0, pause(60_000)], [60_000, wake])
  assert.deepEqual(over.says, ['rest null', 'hold false'])
  assert.deepEqual(over.state, released)
})

test('a pause without an end is ended by hand', () => {
  assert.deepEqual(after([0, pause(null)], [9e9, wake], [9e9, resume]).says, ['rest null', 'hold false'])
})

test('what is held for long is handed back, once, and the pause goes on', () => {
  const before = after([0, pause(null)], [heldMsMax - 1, wake])
  assert.deepEqual(before.says, [])
  assert.equal(brakeWakeAtMs(before.state), heldMsMax)
  const handed = after([0, pause(null)], [heldMsMax, wake])
  assert.deepEqual(handed.says, ['evict'])
  assert.deepEqual(handed.state.reasons, ['PAUSED'])
  assert.equal(brakeWakeAtMs(handed.state), undefined)
  assert.deepEqual(after([0, pause(null)], [heldMsMax, wake], [2 * heldMsMax, wake]).says, [])
})

test('with `now` it is handed back at once', () => {
  assert.deepEqual(after([0, pause(60_000, true)]).says, ['rest PAUSED', 'hold true', 'evict'])
  assert.deepEqual(after([0, pause(60_000)], [10, pause(60_000, true)]).says, ['rest PAUSED', 'hold true', 'evict'])
})

test('one reason goes and another is still there: what runs is held on, from the first moment', () => {
  const both = after([0, owner(true)], [1_000, pause(null)])
  assert.deepEqual(both.says, ['rest PAUSED', 'hold true'])
  const one = after([0, owner(true)], [1_000, pause(null)], [2_000, resume])
  assert.deepEqual(one.says, ['rest OWNER_ACTIVE', 'hold true'])
  assert.equal(brakeWakeAtMs(one.state), heldMsMax)
  const none = after([0, owner(true)], [1_000, heat(true)], [2_000, owner(false)], [3_000, heat(false)])
  assert.deepEqual(none.says, ['rest null', 'hold false'])
  assert.deepEqual(none.state, released)
})

test('too hot is too hot until it is well cooled down; nothing to read is never too hot', () => {
  assert.equal(stepHeat(false, 84.9, 85), false)
  assert.equal(stepHeat(false, 85, 85), true)
  assert.equal(stepHeat(true, 85 - cooledBy + 0.1, 85), true)
  assert.equal(stepHeat(true, 85 - cooledBy, 85), false)
  assert.equal(stepHeat(true, null, 85), false)
})

test('with little room, or in doubt, nothing new is taken, and what runs may end', () => {
  const room = (isLow: boolean): BrakeInput => ({ is: 'room', isLow })
  const doubt = (isOn: boolean): BrakeInput => ({ is: 'doubt', isOn })
  const low = after([0, room(true)])
  assert.deepEqual([low.says, low.state.heldSinceMs], [['rest DISK_LOW', 'hold false'], null])
  assert.equal(brakeWakeAtMs(low.state), undefined)
  assert.deepEqual(after([0, room(true)], [1, doubt(true)]).says, ['rest IN_DOUBT', 'hold false'])
  const paused = after([0, room(true)], [5, pause(null)])
  assert.deepEqual([paused.says, paused.state.heldSinceMs], [['rest PAUSED', 'hold true'], 5])
  assert.deepEqual(after([0, room(true)], [5, pause(null)], [6, resume]).says, ['rest DISK_LOW', 'hold false'])
  assert.deepEqual(after([0, room(true)], [1, room(false)]).state, released)
})
