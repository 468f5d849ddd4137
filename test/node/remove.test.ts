// What is removed is let go by those who can be told, and kept for whoever else asked for it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { Planes } from '../support/planes.ts'

const never = new AbortController().signal
const [owner, other] = [0, 1]

async function staged() {
  const planes = await Planes.of(5, 2)
  const content = randomBytes(100_000)
  const [own, others] = [planes.peers[owner]!.plane, planes.peers[other]!.plane]
  const put = await own.puts.put({ path: await planes.file('data', content), code: '2+1' }, never)
  const kept = (): number[] => planes.peers.slice(2).map(({ plane }) => plane.store.total().shards)
  return { planes, own, others, put, content, kept }
}

test('keepers that are away are not waited for long, and the others let go', async () => {
  const { planes, own, put, kept } = await staged()
  await using _planes = planes
  planes.board.dead.add(put.keepers[0]!.peer)
  const removed = await own.objects.remove(put.object, never)
  assert.deepEqual([removed.shardsPlaced, removed.shardsReleased], [3, 2])
  assert.deepEqual(
    kept().filter((shards) => shards > 0),
    [1],
  )
  assert.deepEqual(own.objects.list(), [])
})

test('an object that another looks after too is not taken from it', async () => {
  const { planes, own, others, put, content, kept } = await staged()
  await using _planes = planes
  await others.care.pin(put.read, never)
  const removed = await own.objects.remove(put.object, never)
  assert.deepEqual([removed.shardsPlaced, removed.shardsReleased], [3, 0])
  assert.deepEqual(kept(), [1, 1, 1])
  const path = join(planes.folder, 'got')
  await others.objects.get({ object: put.read, path }, never)
  assert.ok((await readFile(path)).equals(content))
  // Nor can it take it from its owner: there it is, for as long as it was promised.
  assert.equal((await others.objects.remove(put.object, never)).shardsReleased, 0)
  assert.deepEqual(kept(), [1, 1, 1])
})
