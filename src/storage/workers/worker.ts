/**
 * A worker thread: does one task after another. An error here is a bug of ours, and ends the thread. It imports files rather than
 * folders, since it starts when somebody waits for it.
 */
import assert from 'node:assert/strict'
import { parentPort } from 'node:worker_threads'

import { sealInRoom } from '../../../protocols/erasure/segment-room.ts'
import { openInPlace } from '../../../protocols/erasure/segment-work.ts'
import { Coders } from '../coders.ts'
import { memoryOf, type Result, type Task } from './messages.ts'

const coders = new Coders()

function perform(task: Task): Result {
  const { code, key } = task.order
  if (task.do === 'seal') return { did: 'seal', hashes: sealInRoom(code, key, task.order, task.room) }
  return { did: 'open', opened: openInPlace(coders.of(code), key, task.order, task.set) ?? null }
}

assert.ok(parentPort !== null, 'this is for a worker thread')
const port = parentPort
port.on('message', (task: Task) => {
  const result = perform(task)
  port.postMessage(result, result.did === 'open' ? memoryOf(result.opened?.plain ?? []) : [])
})
