// What several exchanges send in one turn of the event loop; the turns are played.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import type { Pace } from '../../protocols/transfer/index.ts'
import { inTurns, sentInTurnBytesMax } from '../../src/storage/sending-turns.ts'

const never = new AbortController().signal
const block = 64 * 1024
const free: Pace = { up: async () => {}, down: async () => {} }

class PlayedTurns {
  #runs: (() => void)[] = []

  next(run: () => void): void {
    this.#runs.push(run)
  }

  /** Ends this turn, and lets everything happen that can happen in the next one. */
  async pass(): Promise<void> {
    for (const run of this.#runs.splice(0)) run()
    await setImmediate()
  }
}

/** Sends blocks one after the other, and notes each as it goes. */
async function send(pace: Pace, name: string, blocks: number, sent: string[]): Promise<void> {
  for (let count = 0; count < blocks; count++) {
    await pace.up(block, never)
    sent.push(name)
  }
}

test('in a turn no more goes than its share, of all exchanges together, and nobody is passed over', async () => {
  const turns = new PlayedTurns()
  const pace = inTurns(free, turns)
  const sent: string[] = []
  const all = Promise.all(['a', 'b', 'c'].map(async (name) => send(pace, name, 4, sent)))
  const inTurn: number[] = []
  for (let before = 0; sent.length < 12; before = sent.length) {
    await setImmediate()
    inTurn.push(sent.length - before)
    if (sent.length < 12) await turns.pass()
    assert.ok(inTurn.length < 20, 'it goes on')
  }
  await all
  const most = sentInTurnBytesMax / block
  assert.ok(
    inTurn.every((count) => count <= most),
    `${inTurn.join(', ')} blocks`,
  )
  assert.equal(inTurn[0], most)
  for (const name of ['a', 'b', 'c']) assert.ok(sent.indexOf(name) < 6, `${name} had its turn: ${sent.join('')}`)
})

test('whoever comes when the turn is over has all of the next', async () => {
  const turns = new PlayedTurns()
  const pace = inTurns(free, turns)
  for (let turn = 0; turn < 3; turn++) {
    const sent: string[] = []
    await send(pace, 'a', sentInTurnBytesMax / block, sent)
    assert.equal(sent.length, sentInTurnBytesMax / block)
    await turns.pass()
  }
})

test('a frame over the share goes alone, and what is beneath is asked too, both ways', async () => {
  const turns = new PlayedTurns()
  const asked: string[] = []
  const pace = inTurns(
    {
      up: async (bytes) => void asked.push(`up ${bytes}`),
      down: async (bytes) => void asked.push(`down ${bytes}`),
    },
    turns,
  )
  await pace.up(10 * sentInTurnBytesMax, never)
  const second = pace.up(1, never)
  await pace.down(5, never)
  assert.deepEqual(asked, [`up ${10 * sentInTurnBytesMax}`, 'down 5'])
  await turns.pass()
  await second
  assert.deepEqual(asked.at(-1), 'up 1')
})
