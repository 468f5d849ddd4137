import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { leafBytes } from '../../protocols/erasure/index.ts'
import {
  creditLeavesMax,
  decodeTransfer,
  encodeTransfer,
  exchangesPerPeerMax,
  exchangesServedMax,
  transferLimits,
  type Transfer,
} from '../../protocols/transfer/index.ts'
import { Fault, RefusedError } from '../../protocols/wire/index.ts'
import {
  Stage,
  allLeaves,
  block,
  isFault,
  keeper,
  leaves,
  never,
  root,
  shardBytes,
  shardSource,
  tree,
  type Other,
} from './other-peer.ts'
import { signer } from '../support/peers.ts'

/** A keeper that behaves: answers every WANT until the client closes. */
async function answerWants(other: Other, wants: [number, number][] = []): Promise<void> {
  await other.hear()
  await other.say({ say: 'have', shardBytes })
  for (;;) {
    const want = await other.hear()
    if (want?.say !== 'want') return
    wants.push([want.firstLeaf, want.count])
    for (let index = 0; index < want.count; index++) await other.say(block(want.firstLeaf + index))
  }
}

test('a shard comes leaf by leaf, in order, and never more than the credit is under way', async () => {
  using stage = new Stage()
  let [asked, sent, underWay] = [0, 0, 0]
  const got = await stage.get(async (other) => {
    assert.deepEqual(await other.hear(), { say: 'get', root })
    await other.say({ say: 'have', shardBytes })
    for (; sent < 71;) {
      const want = await other.hear()
      if (want?.say !== 'want') throw new Error(`heard ${want?.say}`)
      assert.equal(want.firstLeaf, asked)
      asked += want.count
      underWay = Math.max(underWay, asked - sent)
      for (let index = 0; index < want.count; index++) await other.say(block(sent++))
    }
  })
  assert.deepEqual(got, allLeaves)
  assert.ok(underWay <= creditLeavesMax)
})

test('only the missing leaves are asked for: a broken transfer resumes', async () => {
  using stage = new Stage()
  const wants: [number, number][] = []
  const got = await stage.get(async (other) => answerWants(other, wants), [3, 4, 5, 60, 70])
  assert.deepEqual(got, [3, 4, 5, 60, 70])
  assert.deepEqual(wants, [
    [3, 3],
    [60, 1],
    [70, 1],
  ])
})

const wrongBlock = block(0, new Uint8Array(leafBytes).fill(9))
const lies: [string, string, (other: Other) => Promise<void>][] = [
  ['a block of other bytes', 'PROOF_INVALID', async (other) => other.say(wrongBlock)],
  ['a block that is too short', 'PROOF_INVALID', async (other) => other.say(block(0, new Uint8Array(10)))],
  ['a proof of another leaf', 'PROOF_INVALID', async (other) => other.say({ ...block(0), proof: tree.proof(1) })],
  ['a block without a proof', 'PROOF_INVALID', async (other) => other.say({ ...block(0), proof: [] })],
  ['a block out of turn', 'OUT_OF_TURN', async (other) => other.say(block(1))],
  [
    'a block twice',
    'OUT_OF_TURN',
    async (other) => [block(0), block(0)].reduce(async (p, b) => p.then(async () => other.say(b)), Promise.resolve()),
  ],
  ['a frame of no kind', 'FRAME_MALFORMED', async (other) => other.raw(Uint8Array.of(7, 1, 2))],
  ['an empty frame', 'FRAME_MALFORMED', async (other) => other.raw(new Uint8Array())],
  ['a cut block', 'FRAME_MALFORMED', async (other) => other.raw(encodeTransfer(block(0)).subarray(0, 5))],
  ['a block cut in its proof', 'FRAME_MALFORMED', async (other) => other.raw(encodeTransfer(block(0)).subarray(0, 50))],
  [
    'a proof that is too long',
    'FRAME_MALFORMED',
    async (other) => other.say({ ...block(0), proof: Array.from({ length: 33 }, () => root) }),
  ],
  ['a block that is too long', 'FRAME_MALFORMED', async (other) => other.say(block(0, new Uint8Array(leafBytes + 1)))],
  [
    'a control message that does not parse',
    'FRAME_MALFORMED',
    async (other) => other.raw(Uint8Array.of(0, 0xff, 0xff)),
  ],
  ['a control message that says nothing', 'FIELD_INVALID', async (other) => other.raw(Uint8Array.of(0))],
  ['a message that is not its turn', 'OUT_OF_TURN', async (other) => other.say({ say: 'get', root })],
  ['an early end', 'OUT_OF_TURN', async (other) => other.close()],
]
for (const [name, code, lie] of lies) {
  test(`${name} is the sender's fault, and nothing of it is handed on`, async () => {
    using stage = new Stage()
    const got: number[] = []
    const service = await stage.client(async (other) => {
      await other.hear()
      await other.say({ say: 'have', shardBytes })
      await other.hear()
      await lie(other)
      await other.hear()
    })
    await assert.rejects(
      service.get(
        keeper,
        root,
        shardBytes,
        allLeaves,
        async (leaf, bytes) => {
          assert.deepEqual(bytes, leaves[leaf])
          got.push(leaf)
        },
        never,
      ),
      isFault(code),
    )
    assert.ok(got.length <= 1)
  })
}

test('a refusal reaches the caller with its code, and the stream is closed in peace', async () => {
  using stage = new Stage()
  const ended = Promise.withResolvers<Transfer | undefined>()
  await assert.rejects(
    stage.get(async (other) => {
      await other.hear()
      await other.say({ say: 'refused', refusal: { code: 'NOT_FOUND', facts: { asked: 1 } } })
      ended.resolve(await other.hear())
    }),
    (error: unknown) => error instanceof RefusedError && error.code === 'NOT_FOUND' && error.facts.asked === 1,
  )
  assert.equal(await ended.promise, undefined)
})

test('a shard of another size than the manifest says is a fault', async () => {
  using stage = new Stage()
  await assert.rejects(
    stage.get(async (other) => {
      await other.hear()
      await other.say({ say: 'have', shardBytes: shardBytes + 1 })
    }),
    isFault('FIELD_INVALID'),
  )
})

test('a keeper sends what it was asked for, and refuses what it does not have', async () => {
  using stage = new Stage()
  const other = await stage.keeper({ open: async (wanted) => (wanted[0] === root[0] ? shardSource : undefined) })
  await other.say({ say: 'get', root })
  assert.deepEqual(await other.hear(), { say: 'have', shardBytes })
  await other.say({ say: 'want', firstLeaf: 70, count: 1 })
  assert.deepEqual(await other.hear(), block(70))
  await other.say({ say: 'want', firstLeaf: 2, count: 2 })
  assert.deepEqual(
    [await other.hear(), await other.hear()],
    [block(2), { ...block(3), proof: [] }],
    'what a proof has in common with the one before is not sent again',
  )
  await other.close()
  assert.equal(await other.hear(), undefined)
  const another = await stage.open()
  await another.say({ say: 'get', root: new Uint8Array(32) })
  const refused = await another.hear()
  assert.equal(refused?.say === 'refused' && refused.refusal.code, 'NOT_FOUND')
})

const greed: [string, string, Transfer][] = [
  ['more than the credit', 'CREDIT_EXCEEDED', { say: 'want', firstLeaf: 0, count: creditLeavesMax + 1 }],
  ['leaves that do not exist', 'FIELD_INVALID', { say: 'want', firstLeaf: 71, count: 1 }],
  ['leaves beyond the number of all', 'FIELD_INVALID', { say: 'want', firstLeaf: 2 ** 32 - 1, count: 2 ** 32 - 1 }],
  ['no leaf at all', 'FIELD_INVALID', { say: 'want', firstLeaf: 0, count: 0 }],
]
for (const [name, code, want] of greed) {
  test(`a client that asks for ${name} ends its stream`, async () => {
    using stage = new Stage()
    let closed = false
    const source = { ...shardSource, close: async () => void (closed = true) }
    const other = await stage.keeper({ open: async () => source })
    await other.say({ say: 'get', root })
    await other.hear()
    await other.say(want)
    await assert.rejects(other.hear())
    const [first] = stage.board.faults
    assert.ok(isFault(code)(first?.error), String(first?.error))
    assert.ok(closed, 'the shard is closed')
  })
}

test('a client begins with GET or PUT', async () => {
  using stage = new Stage()
  const other = await stage.keeper({})
  await other.say({ say: 'want', firstLeaf: 0, count: 1 })
  await assert.rejects(other.hear())
  assert.ok(isFault('OUT_OF_TURN')(stage.board.faults[0]?.error))
})

test('a keeper serves a bounded number of exchanges, of one peer and of all', async () => {
  using stage = new Stage()
  await stage.keeper({ open: async () => shardSource })
  const asked = async (seed: number): Promise<{ other: Other; said: string | undefined }> => {
    const other = await stage.open(signer(seed).peer)
    await other.say({ say: 'get', root })
    const answer = await other.hear()
    return { other, said: answer?.say === 'refused' ? answer.refusal.code : answer?.say }
  }
  const served: Other[] = []
  for (let seed = 10; served.length < exchangesServedMax; seed++) {
    for (let count = 0; count < exchangesPerPeerMax; count++) {
      const { other, said } = await asked(seed)
      assert.equal(said, 'have')
      served.push(other)
    }
    assert.equal((await asked(seed)).said, 'BUSY', 'one more of this peer')
  }
  assert.equal((await asked(99)).said, 'BUSY', 'one more of another')
  await served[0]!.close()
  assert.equal(await served[0]!.hear(), undefined)
  assert.equal((await asked(99)).said, 'have')
})

test('random frames are a fault of the sender, never an exception of another kind', () => {
  const frames = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.from([0, ...bytes])),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.from([1, ...bytes])),
  )
  fc.assert(
    fc.property(frames, (bytes) => {
      try {
        decodeTransfer(bytes)
      } catch (error) {
        assert.ok(error instanceof Fault, String(error))
      }
    }),
    { numRuns: 500 },
  )
})

test('messages read back as they were written, and the longest block fits a frame', () => {
  const longest: Transfer = {
    say: 'block',
    leaf: 2 ** 32 - 1,
    bytes: new Uint8Array(leafBytes),
    proof: Array.from({ length: 32 }, () => new Uint8Array(32)),
  }
  const messages: Transfer[] = [
    longest,
    { say: 'get', root },
    { say: 'have', shardBytes: 1 },
    { say: 'put', root, shardBytes: 2 ** 34, keepUntilMs: Number.MAX_SAFE_INTEGER },
    { say: 'want', firstLeaf: 2 ** 32 - 1, count: 1 },
    { say: 'stored', keepUntilMs: 0 },
    { say: 'refused', refusal: { code: 'NO_SPACE', facts: { freeBytes: 3 } } },
  ]
  for (const message of messages) assert.deepEqual(decodeTransfer(encodeTransfer(message)), message)
  assert.ok(encodeTransfer(longest).byteLength <= transferLimits.frameBytesMax)
  for (const bad of [
    { say: 'have', shardBytes: 0 },
    { say: 'have', shardBytes: 2 ** 34 + 1 },
    { say: 'get', root: root.subarray(1) },
  ] as Transfer[])
    assert.throws(() => decodeTransfer(encodeTransfer(bad)), isFault('FIELD_INVALID'))
})
