import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'

import { lockProfile } from '../../src/control/lock.ts'

const world = mkdtempSync(join(realpathSync(tmpdir()), 'pleach-lock-'))
after(() => rmSync(world, { recursive: true, force: true }))

const module = pathToFileURL(join(import.meta.dirname, '..', '..', 'src', 'control', 'lock.ts')).href
const self = { pid: process.pid, startedMs: 5, socket: '/x.sock' }

/** Another process that tries for the lock, says what came of it, and stays. */
const other = async (folder: string): Promise<{ child: ChildProcess; word: string }> => {
  const script = `
    const { lockProfile } = await import('${module}')
    globalThis.attempt = lockProfile('${folder}', { pid: process.pid, startedMs: 7, socket: '/y.sock' })
    console.log(attempt.held ? 'held' : 'not held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [data] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, word: data.toString().trim() }
}
const kill = async (child: ChildProcess): Promise<void> => {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

describe('one peer per profile', () => {
  test('the second is told who was first; after a release it may', () => {
    const folder = join(world, 'a')
    const first = lockProfile(folder, self)
    assert.ok(first.held)
    assert.deepEqual(lockProfile(folder, { ...self, pid: 1 }), { held: false, by: self })
    first.lock.release()
    assert.ok(!existsSync(join(folder, 'peer.json')))
    const second = lockProfile(folder, self)
    assert.ok(second.held)
    second.lock.release()
  })

  test('another process holds it while it lives, and a kill -9 frees it, pid file or not', async () => {
    const folder = join(world, 'b')
    const { child, word } = await other(folder)
    assert.equal(word, 'held')
    const refused = lockProfile(folder, self)
    assert.deepEqual(refused, { held: false, by: { pid: child.pid, startedMs: 7, socket: '/y.sock' } })
    await kill(child)
    assert.ok(existsSync(join(folder, 'peer.json')), 'the killed one could not clean up')
    const mine = lockProfile(folder, self)
    assert.ok(mine.held)
    mine.lock.release()
  })

  test('of several that start at once, one has it', async () => {
    const folder = join(world, 'c')
    const tries = await Promise.all([other(folder), other(folder), other(folder)])
    assert.deepEqual(tries.map(({ word }) => word).toSorted(), ['held', 'not held', 'not held'])
    await Promise.all(tries.map(async ({ child }) => kill(child)))
  })

  test('a pid file of a process that has our pid now is no lock', () => {
    const folder = join(world, 'd')
    mkdirSync(folder, { mode: 0o700 })
    writeFileSync(join(folder, 'peer.json'), JSON.stringify({ v: 1, ...self }))
    const attempt = lockProfile(folder, self)
    assert.ok(attempt.held)
    attempt.lock.release()
  })

  test('a folder that cannot hold a lock is told', () => {
    const folder = join(world, 'e')
    mkdirSync(join(folder, 'lock'), { recursive: true })
    assert.throws(() => lockProfile(folder, self), { code: 'LOCK_FAILED', exit: 6 })
  })
})
