/** A worker thread: does one task after another. An error here is a bug of ours, and ends the thread. */
import assert from 'node:assert/strict'
import { parentPort } from 'node:worker_threads'

import { hashStrips, openInPlace, sealInRoom, stripsIn } from '../../../protocols/erasure/index.ts'
import { Coders } from '../local-mill.ts'
import { memoryOf, type Result, type Task } from './messages.ts'

const coders = new Coders()

function perform(task: Task): Result {
  const { order } = task
  const coder = coders.of(order.code)
  if (task.do === 'seal') {
    const room = new Uint8Array(task.room)
    sealInRoom(coder, order.key, order, room)
    return { did: 'seal', hashes: hashStrips(stripsIn(order.code, room, order.plainBytes)) }
  }
  return { did: 'open', opened: openInPlace(coder, order.key, order, task.set) ?? null }
}

assert.ok(parentPort !== null, 'this is for a worker thread')
const port = parentPort
port.on('message', (task: Task) => {
  const result = perform(task)
  port.postMessage(result, result.did === 'open' ? memoryOf(result.opened?.plain ?? []) : [])
})
