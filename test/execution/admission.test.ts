// The owner's own program, really run.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { admitByProgram } from '../../src/execution/admission.ts'
import { realClock } from '../../src/environment.ts'
import { ask } from '../spec/vectors/announcements.ts'
import { signer } from '../support/peers.ts'

const never = new AbortController().signal
const bid = { by: signer(1).peer, body: ask }
let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pleach-admission-'))
})
after(async () => rm(folder, { recursive: true, force: true }))

const program = async (name: string, body: string): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  return path
}

test('the program reads the bid, and its exit code is the answer', async () => {
  const yes = await program('yes', `cat > ${folder}/seen`)
  assert.equal(await admitByProgram(yes, bid, realClock, never), null)
  const seen = JSON.parse(await readFile(join(folder, 'seen'), 'utf8')) as Record<string, unknown>
  assert.equal(seen['requester'], bid.by)
  assert.deepEqual(seen['requirements'], ask.requirements)
  assert.equal(seen['ceilingMicro'], ask.ceilingMicro)
  const no = await program('no', 'exit 3')
  assert.deepEqual(await admitByProgram(no, bid, realClock, never), { code: 'NOT_ADMITTED', facts: { exit: 3 } })
})

test('one that reads nothing, hangs, or is not there', async () => {
  const early = await program('early', 'exec <&-; exit 0')
  assert.equal(await admitByProgram(early, bid, realClock, never), null)
  const hangs = await program('hangs', 'exec sleep 60')
  const answer = await admitByProgram(hangs, bid, realClock, never)
  assert.equal(answer?.code, 'NOT_ADMITTED')
  await assert.rejects(admitByProgram(join(folder, 'absent'), bid, realClock, never), /ENOENT/)
})
