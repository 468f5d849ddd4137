import assert from 'node:assert/strict'
import { test } from 'node:test'

import { creditLeavesMax, type Shelf } from '../../protocols/transfer/index.ts'
import { RefusedError, refusal } from '../../protocols/wire/index.ts'
import { Stage, allLeaves, block, isFault, keeper, leaves, never, root, shardBytes, shardSource } from './other-peer.ts'

const untilMs = 5_000

/** A shelf that takes one shard and tells what happened to it. */
function taking(needed: readonly number[] = allLeaves, failing: { write?: number; finish?: boolean } = {}) {
  const story: string[] = []
  const shelf: Partial<Shelf> = {
    admit: async () => ({
      admit: 'all',
      keepUntilMs: untilMs,
      sink: {
        needed,
        write: async (leaf, bytes) => {
          assert.deepEqual(bytes, leaves[leaf])
          if (leaf === failing.write) throw new RefusedError(refusal('NO_SPACE', { freeBytes: 0 }))
          story.push(`write ${leaf}`)
        },
        finish: async () => {
          if (failing.finish === true) throw new RefusedError(refusal('STORAGE_FAILED'))
          story.push('finish')
        },
        abandon: async () => void story.push('abandon'),
      },
    }),
  }
  return { shelf, story }
}

test('a shard is acknowledged only after it was finished', async () => {
  using stage = new Stage()
  const { shelf, story } = taking([69, 70])
  const other = await stage.keeper(shelf)
  await other.say({ say: 'put', root, shardBytes, keepUntilMs: untilMs })
  assert.deepEqual(await other.hear(), { say: 'want', firstLeaf: 69, count: 2 })
  await other.say(block(69))
  await other.say(block(70))
  assert.deepEqual(await other.hear(), { say: 'stored', keepUntilMs: untilMs })
  assert.deepEqual(story, ['write 69', 'write 70', 'finish'])
})

test('a whole shard goes over, in order, each leaf once', async () => {
  using stage = new Stage()
  const { shelf, story } = taking()
  assert.equal(await stage.put(untilMs, shelf), untilMs)
  assert.deepEqual(story, [...allLeaves.map((leaf) => `write ${leaf}`), 'finish'])
})

test('an uploader sends only what is wanted: a broken upload resumes', async () => {
  using stage = new Stage()
  const sent: number[] = []
  const source = {
    ...shardSource,
    leaf: async (leaf: number) => {
      sent.push(leaf)
      return shardSource.leaf(leaf)
    },
  }
  const { shelf } = taking([5, 6, 70])
  await stage.put(untilMs, shelf, source)
  assert.deepEqual(sent, [5, 6, 70])
})

test('a shard that the keeper has is acknowledged at once', async () => {
  using stage = new Stage()
  const source = { ...shardSource, leaf: async () => assert.fail('nothing is to be sent') }
  assert.equal(await stage.put(untilMs, { admit: async () => ({ admit: 'have', keepUntilMs: 9_000 }) }, source), 9_000)
})

test('a keeper that says no is heard, with its facts', async () => {
  using stage = new Stage()
  const shelf: Partial<Shelf> = {
    admit: async () => ({ admit: 'no', refusal: refusal('TERM_TOO_LONG', { termMsMax: 3 }) }),
  }
  await assert.rejects(
    stage.put(untilMs, shelf),
    (error: unknown) => error instanceof RefusedError && error.code === 'TERM_TOO_LONG' && error.facts.termMsMax === 3,
  )
})

test('a keeper whose disk fills up in the middle is heard through the blocks that are on their way', async () => {
  using stage = new Stage()
  const { shelf, story } = taking(allLeaves, { write: 2 })
  await assert.rejects(
    stage.put(untilMs, shelf),
    (error: unknown) => error instanceof RefusedError && error.code === 'NO_SPACE',
  )
  assert.deepEqual(story, ['write 0', 'write 1', 'abandon'])
  assert.deepEqual(stage.board.faults, [], 'and nobody is to blame')
})

test('a keeper that cannot finish acknowledges nothing', async () => {
  using stage = new Stage()
  const { shelf, story } = taking([70], { finish: true })
  await assert.rejects(
    stage.put(untilMs, shelf),
    (error: unknown) => error instanceof RefusedError && error.code === 'STORAGE_FAILED',
  )
  assert.deepEqual(story, ['write 70', 'abandon'])
})

test('a keeper whose stored bytes have rotted says so in the middle of a GET', async () => {
  using stage = new Stage()
  const source = {
    ...shardSource,
    leaf: async (leaf: number) => {
      if (leaf === 1) throw new RefusedError(refusal('DAMAGED', { leaf }))
      return shardSource.leaf(leaf)
    },
  }
  const other = await stage.keeper({ open: async () => source })
  await other.say({ say: 'get', root })
  await other.hear()
  await other.say({ say: 'want', firstLeaf: 0, count: 3 })
  assert.deepEqual(await other.hear(), block(0))
  assert.deepEqual(await other.hear(), { say: 'refused', refusal: { code: 'DAMAGED', facts: { leaf: 1 } } })
})

test('an upload that breaks off, or lies, is abandoned and never acknowledged', async () => {
  for (const code of ['PROOF_INVALID', 'OUT_OF_TURN']) {
    using stage = new Stage()
    const { shelf, story } = taking()
    const other = await stage.keeper(shelf)
    await other.say({ say: 'put', root, shardBytes, keepUntilMs: untilMs })
    await other.hear()
    await other.say(block(0))
    if (code === 'PROOF_INVALID') await other.say(block(1, new Uint8Array(65_536).fill(3)))
    else await other.say({ say: 'refused', refusal: refusal('NO') })
    await assert.rejects(other.hear())
    assert.deepEqual(story, ['write 0', 'abandon'])
    assert.ok(isFault(code)(stage.board.faults[0]?.error))
  }
})

test('a keeper is held to the term that was asked for', async () => {
  using stage = new Stage()
  const service = await stage.client(async (other) => {
    await other.hear()
    await other.say({ say: 'stored', keepUntilMs: untilMs - 1 })
  })
  await assert.rejects(service.put(keeper, root, shardSource, untilMs, never), isFault('FIELD_INVALID'))
})

test('a keeper that asks for too much, or for what is not there, is at fault', async () => {
  for (const [firstLeaf, count, code] of [
    [0, creditLeavesMax + 1, 'CREDIT_EXCEEDED'],
    [71, 1, 'FIELD_INVALID'],
  ] as const) {
    using stage = new Stage()
    const service = await stage.client(async (other) => {
      await other.hear()
      await other.say({ say: 'want', firstLeaf, count })
    })
    await assert.rejects(service.put(keeper, root, shardSource, untilMs, never), isFault(code))
  }
})
