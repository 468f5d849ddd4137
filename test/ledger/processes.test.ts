// What only a second process can show: that what was acknowledged outlives kill -9, and that there is one writer.

import assert from 'node:assert/strict'
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { test } from 'node:test'

import { holderOf } from '../../src/ledger/database.ts'
import { LedgerError } from '../../src/ledger/store.ts'
import { Scratch } from '../fixtures/ledgers.ts'

const writer = join(import.meta.dirname, '..', 'fixtures', 'ledger-writer.ts')

async function start(...args: string[]): Promise<ChildProcessByStdio<null, Readable, null>> {
  const child = spawn(process.execPath, [writer, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.setEncoding('utf8')
  assert.match(String((await once(child.stdout, 'data'))[0]), /^open\n/)
  return child
}

test('what was acknowledged is there after kill -9, and the ledger goes on', async () => {
  using scratch = new Scratch()
  let acknowledged = 0
  for (const afterLines of [1, 700, 1_500]) {
    const child = await start(scratch.path)
    let text = ''
    let lines = 0
    child.stdout.on('data', (chunk: string) => {
      text += chunk
      lines += chunk.split('\n').length - 1
      if (lines >= afterLines) child.kill('SIGKILL')
    })
    await once(child, 'close')
    const numbers = text.split('\n').slice(0, -1).map(Number)
    assert.ok(numbers.length >= afterLines)
    acknowledged += numbers.length
    const store = scratch.open()
    const kept = new Set(
      store.read((db) =>
        db
          .prepare('SELECT created_ms FROM jobs')
          .all()
          .map((row) => row['created_ms']),
      ),
    )
    assert.deepEqual(
      numbers.filter((number) => !kept.has(number)),
      [],
      'acknowledged and lost',
    )
    assert.ok(kept.size >= acknowledged)
    store.close()
  }
})

test('a second process is refused, and told which has it; after kill -9 of that it is let in', async () => {
  using scratch = new Scratch()
  const holder = await start(scratch.path, 'hold')
  try {
    assert.throws(
      () => scratch.open(),
      (error) =>
        error instanceof LedgerError &&
        error.code === 'LEDGER_IN_USE' &&
        error.pid === holder.pid &&
        error.message.includes(`process ${holder.pid}`),
    )
  } finally {
    holder.kill('SIGKILL')
  }
  await once(holder, 'exit')
  writeFileSync(`${scratch.path}.pid`, String(holder.pid))
  assert.equal(holderOf(scratch.path), undefined, 'who is dead holds nothing')
  scratch.open().close()
})
