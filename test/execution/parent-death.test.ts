// A peer that is killed takes its programs with it, also those that do nothing but compute and notice nothing.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { Scratch } from '../fixtures/executions.ts'
import { program } from '../fixtures/programs.ts'
import { op } from '../../sim/programs/wasm-builder.ts'

const goneWithinMs = 3_000

/** State, parent and process group of every process (proc_pid_stat(5)). */
function processes(): { pid: number; state: string; parent: number; group: number }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
      const [state = '', parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return [{ pid: Number(name), state, parent: Number(parent), group: Number(group) }]
    } catch {
      return []
    }
  })
}

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

  const child = processes().find(({ parent }) => parent === peer.pid)
  assert.ok(child !== undefined, 'the child runs')
  assert.equal(child.group, child.pid, 'in a process group of its own')
  const group = (): number[] =>
    processes()
      .filter((it) => it.group === child.pid && it.state !== 'Z')
      .map(({ pid }) => pid)
  assert.equal(group().length, 2, 'with its watchdog')

  peer.kill('SIGKILL')
  await once(peer, 'exit')
  const deadlineMs = performance.now() + goneWithinMs
  while (group().length > 0 && performance.now() < deadlineMs) await sleep(20)
  assert.deepEqual(group(), [])
})
