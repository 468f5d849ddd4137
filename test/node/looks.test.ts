import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Looks, lookEveryMs, lookedForMax } from '../../src/node/looks.ts'

function stage(alive: string[], known: string[]) {
  const seen: [string, boolean][] = []
  const timers: { readonly delayMs: number; readonly run: () => void }[] = []
  let cancelled = 0
  const looks = new Looks({
    clock: {
      after: (delayMs, run) => {
        timers.push({ delayMs, run })
        return () => void cancelled++
      },
    },
    index: { isAlive: (peer) => alive.includes(peer), alive: () => alive.map((peer) => ({ peer })) },
    outcomes: { onLook: (peer, wasThere) => void seen.push([peer, wasThere]) },
    known: () => known,
  })
  return { looks, seen, timers, cancelled: () => cancelled }
}

test('who was there before and is not is missed', () => {
  const { looks, seen } = stage(['new', 'old'], ['gone', 'old'])
  looks.look()
  assert.deepEqual(
    seen.toSorted(([left], [right]) => (left < right ? -1 : 1)),
    [
      ['gone', false],
      ['new', true],
      ['old', true],
    ],
  )
})

test('when nobody is there it is we who are not', () => {
  const { looks, seen } = stage([], ['gone', 'old'])
  looks.look()
  assert.deepEqual(seen, [])
})

test('it looks again and again until it is stopped, at so many', () => {
  const { looks, seen, timers, cancelled } = stage(
    Array.from({ length: lookedForMax + 5 }, (_, number) => `peer-${number}`),
    [],
  )
  looks.begin()
  assert.equal(timers[0]?.delayMs, lookEveryMs)
  timers[0]?.run()
  assert.equal(seen.length, lookedForMax)
  assert.equal(timers.length, 2)
  looks.stop()
  assert.equal(cancelled(), 1)
})
