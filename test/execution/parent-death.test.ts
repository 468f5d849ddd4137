// A run that is not kept ends with its peer, also one that does nothing but compute and notices nothing.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { treeOf } from '../../src/execution/process-usage.ts'
import { isRunning, processNamed } from '../../src/execution/supervisor.ts'
import { Scratch } from '../fixtures/executions.ts'
import { program } from '../fixtures/programs.ts'
import { op } from '../../sim/programs/wasm-builder.ts'

const goneWithinMs = 3_000

test('a peer that is killed leaves no program behind', async () => {
  using scratch = new Scratch()
  const saysAndSpins = program(
    (call) => [
      [...op.i32(16), ...op.i32(1_024), ...op.store(), ...op.i32(20), ...op.i32(7), ...op.store()],
      [...op.i32(1), ...op.i32(16), ...op.i32(1), ...op.i32(0), ...call('fd_write'), ...op.drop],
      op.loop(op.branch(0)),
    ],
    { text: 'running' },
  )
  const modulePath = scratch.file('program.wasm', saysAndSpins)
  const peerProgram = join(import.meta.dirname, '..', 'fixtures', 'doomed-peer.ts')
  const peer = spawn(process.execPath, [peerProgram, modulePath, scratch.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  assert.match(String(await once(peer.stdout, 'data')), /running/)

  const tree = treeOf(peer.pid!)
    .slice(1)
    .map((pid) => processNamed(pid) ?? assert.fail('it is gone'))
  assert.ok(tree.length >= 4, 'a supervisor, its guard, the sleep of that, and the child')

  peer.kill('SIGKILL')
  await once(peer, 'exit')
  const deadlineMs = performance.now() + goneWithinMs
  while (tree.some(isRunning) && performance.now() < deadlineMs) await sleep(20)
  assert.deepEqual(tree.filter(isRunning), [])
})
