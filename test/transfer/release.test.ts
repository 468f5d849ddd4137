// A keeper is told that a shard is needed no more.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { RefusedError, refusal } from '../../protocols/wire/index.ts'
import { client, isFault, keeper, never, root, Stage } from './other-peer.ts'

test('it is the connection that says who releases, and the answer is the shelf’s', async () => {
  using stage = new Stage()
  const asked: unknown[] = []
  const other = await stage.keeper({
    release: async (which, from) => {
      asked.push([which, from])
      return 7_000
    },
  })
  await other.say({ say: 'release', root })
  assert.deepEqual(await other.hear(), { say: 'released', keepUntilMs: 7_000 })
  assert.equal(await other.hear(), undefined)
  assert.deepEqual(asked, [[root, client]])
})

test('what the shelf refuses is refused, and who keeps nothing has nothing to release', async () => {
  for (const [shelf, code] of [
    [{ release: async () => Promise.reject(new RefusedError(refusal('NOT_OWNER'))) }, 'NOT_OWNER'],
    [{}, 'NOT_FOUND'],
  ] as const) {
    using stage = new Stage()
    const other = await stage.keeper(shelf)
    await other.say({ say: 'release', root })
    const answer = await other.hear()
    assert.deepEqual(answer, { say: 'refused', refusal: { code, facts: {} } })
  }
})

test('the client hears until when it is kept for others, or why not; anything else is a fault', async () => {
  using stage = new Stage()
  const answers = [
    { say: 'released', keepUntilMs: 0 },
    { say: 'released', keepUntilMs: 9 },
    { say: 'refused', refusal: { code: 'NOT_FOUND', facts: {} } },
    { say: 'stored', keepUntilMs: 9 },
  ] as const
  let next = 0
  const service = await stage.client(async (other) => {
    assert.deepEqual(await other.hear(), { say: 'release', root })
    await other.say(answers[next++]!)
    await other.close()
  })
  const release = async () => service.release(keeper, root, never)
  assert.deepEqual([await release(), await release()], [0, 9])
  await assert.rejects(release(), (error: unknown) => error instanceof RefusedError && error.code === 'NOT_FOUND')
  await assert.rejects(release(), isFault('OUT_OF_TURN'))
})
