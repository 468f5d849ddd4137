// Which of several keepers of one shard goes on.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { sparePlaces } from '../../src/storage/spares.ts'

const at = (shard: number, peer: string) => ({ shard, peer, keepUntilMs: 9 })
/** Since when each keeper has passed; a keeper that is not named has not. */
const spares = (names: readonly string[], steady: Readonly<Record<string, number>>) =>
  sparePlaces(
    names.map((name) => at(Number(name[0]), name.slice(1))),
    ({ peer }) => ({ passed: steady[peer] !== undefined, steadyMs: steady[peer] ?? 0 }),
  ).map(({ shard, peer }) => `${shard}${peer}`)

test('who has passed every audit for longer goes on', () => {
  assert.deepEqual(spares(['0a', '0b', '1c'], { a: 5, b: 2, c: 9 }), ['0a'])
  assert.deepEqual(spares(['0a', '0b', '0c'], { a: 5, b: 2, c: 1 }), ['0a', '0b'])
})

test('but one loss is to cost one shard: who has another shard of the object comes after who has none', () => {
  assert.deepEqual(spares(['0a', '0b', '1a'], { a: 1, b: 5 }), ['0a'])
  assert.deepEqual(spares(['0a', '0b', '1a', '1b'], { a: 1, b: 5 }), ['0b', '1a'])
})

test('who does not pass is spare beside who does, and where nobody does all stay', () => {
  assert.deepEqual(spares(['0a', '0b', '1c', '1d'], { a: 5 }), ['0b'])
})
