/**
 * A worker thread: does one task after another. An error here is a bug of ours, and ends the thread. It imports files rather than
 * folders, since it starts when somebody waits for it.
 */
import assert from 'node:assert/strict'
import { parentPort } from 'node:worker_threads'

import { letGo } from '../../../protocols/erasure/segment.ts'
import { sealInRoom } from '../../../protocols/erasure/segment-room.ts'
import { hashStrips, openInPlace } from '../../../protocols/erasure/segment-work.ts'
import { realClock } from '../../environment.ts'
import { Coders } from '../coders.ts'
import { loomHere } from './loom.ts'
import { memoryOf, type Result, type Task } from './messages.ts'

const loom = loomHere(realClock)
const coders = new Coders(loom)

function perform(task: Task): Result {
  switch (task.do) {
    case 'seal': {
      const { code, key } = task.order
      return { did: 'seal', hashes: sealInRoom(code, key, task.order, task.room, loom) }
    }
    case 'open': {
      const { code, key, lostInto } = task.order
      return { did: 'open', opened: openInPlace(coders.of(code), key, task.order, task.set, lostInto) ?? null }
    }
    case 'rebuild': {
      const { code, rows } = task.order
      const strips = coders.of(code).reconstruct(task.set, rows)
      for (const used of task.set) if (used !== undefined) letGo(used)
      return { did: 'rebuild', strips, hashes: hashStrips(strips) }
    }
    default:
      return task satisfies never
  }
}

/** What is handed over with a result, rather than copied. */
function memoryGiven(result: Result): ArrayBuffer[] {
  if (result.did === 'seal') return []
  return memoryOf(result.did === 'open' ? (result.opened?.plain ?? []) : result.strips)
}

assert.ok(parentPort !== null, 'this is for a worker thread')
const port = parentPort
port.on('message', (task: Task) => {
  const result = perform(task)
  port.postMessage(result, memoryGiven(result))
})
