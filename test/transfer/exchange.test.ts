import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import fc from 'fast-check'
import { concat } from 'uint8arrays'

import { MerkleTree, hashLeaf, leafLength } from '../../protocols/erasure/index.ts'
import {
  creditLeavesMax,
  createTransfer,
  decodeTransfer,
  encodeTransfer,
  transferProtocol,
  type Shelf,
  type Transfer,
} from '../../protocols/transfer/index.ts'
import { Fault, RefusedError, type Channel } from '../../protocols/wire/index.ts'
import { realClock } from '../../src/environment.ts'
import { Switchboard } from '../support/channel-pair.ts'
import { signer } from '../support/peers.ts'

const [client, keeper] = [signer(1).peer, signer(2).peer]
const never = new AbortController().signal
const shardBytes = 70 * 65_536 + 100
const leaves = Array.from({ length: 71 }, (_, leaf) => new Uint8Array(leafLength(shardBytes, leaf)).fill(leaf))
const tree = new MerkleTree(concat(leaves.map(hashLeaf)))
const { root } = tree
const all = leaves.map((_, leaf) => leaf)
const block = (leaf: number, bytes = leaves[leaf]!): Transfer => ({
  say: 'block',
  leaf,
  bytes,
  proof: tree.proof(leaf),
})
const emptyShelf: Shelf = {
  open: async () => undefined,
  admit: async () => ({ admit: 'no', refusal: { code: 'NOT_KEEPING', facts: {} } }),
}

const boards: Switchboard[] = []
const opened = (): Switchboard => {
  const board = new Switchboard()
  boards.push(board)
  return board
}
after(() => {
  for (const board of boards) board.hangUp()
})

/** The test is the other peer: it speaks raw frames. */
class Other {
  readonly #channel: Channel
  constructor(channel: Channel) {
    this.#channel = channel
  }
  async say(message: Transfer): Promise<void> {
    await this.#channel.write(encodeTransfer(message), never)
  }
  async raw(bytes: Uint8Array): Promise<void> {
    await this.#channel.write(bytes, never)
  }
  async hear(): Promise<Transfer | undefined> {
    const frame = await this.#channel.read(never)
    return frame === undefined ? undefined : decodeTransfer(frame)
  }
}

/** A client under test against a keeper that the test plays. */
async function getFrom(play: (other: Other) => Promise<void>, wanted = all) {
  const board = opened()
  await board
    .streamsOf(keeper)
    .handle(transferProtocol, { frameBytesMax: 0, streamsPerPeerMax: 0 }, async (channel) => play(new Other(channel)))
  const service = createTransfer({ streams: board.streamsOf(client), timekeeper: realClock, shelf: emptyShelf })
  const got: number[] = []
  await service.get(
    keeper,
    root,
    shardBytes,
    wanted,
    async (leaf, bytes) => {
      assert.deepEqual(bytes, leaves[leaf])
      got.push(leaf)
    },
    never,
  )
  return got
}

/** A keeper under test against a client that the test plays. */
async function serve(shelf: Partial<Shelf>) {
  const board = opened()
  const service = createTransfer({
    streams: board.streamsOf(keeper),
    timekeeper: realClock,
    shelf: { ...emptyShelf, ...shelf },
  })
  await service.serve()
  const channel = await board
    .streamsOf(client)
    .open(keeper, transferProtocol, { frameBytesMax: 0, streamsPerPeerMax: 0 }, never)
  return { other: new Other(channel), board }
}

const isFault = (code: string) => (error: unknown) => error instanceof Fault && error.code === code
const shardSource = {
  shardBytes,
  leaf: async (leaf: number) => ({ bytes: leaves[leaf]!, proof: tree.proof(leaf) }),
  close: async () => {},
}

test('a shard comes leaf by leaf, never more than the credit under way', async () => {
  let underWay = 0
  const got = await getFrom(async (other) => {
    assert.deepEqual(await other.hear(), { say: 'get', root })
    await other.say({ say: 'have', shardBytes })
    for (let sent = 0; sent < 71;) {
      const want = await other.hear()
      if (want?.say !== 'want') throw new Error(`heard ${want?.say}`)
      underWay = Math.max(underWay, want.count)
      assert.equal(want.firstLeaf, sent)
      for (let index = 0; index < want.count; index++) await other.say(block(sent++))
    }
  })
  assert.deepEqual(got, all)
  assert.ok(underWay <= creditLeavesMax)
})

test('only the missing leaves are asked for: a broken transfer resumes', async () => {
  const wants: [number, number][] = []
  const got = await getFrom(
    async (other) => {
      await other.hear()
      await other.say({ say: 'have', shardBytes })
      for (;;) {
        const want = await other.hear()
        if (want?.say !== 'want') return
        wants.push([want.firstLeaf, want.count])
        for (let index = 0; index < want.count; index++) await other.say(block(want.firstLeaf + index))
      }
    },
    [3, 4, 5, 60, 70],
  )
  assert.deepEqual(got, [3, 4, 5, 60, 70])
  assert.deepEqual(wants, [
    [3, 3],
    [60, 1],
    [70, 1],
  ])
})

const lies: [string, string, (other: Other) => Promise<void>][] = [
  ['a block of other bytes', 'PROOF_INVALID', async (other) => other.say(block(0, new Uint8Array(65_536).fill(9)))],
  ['a block that is too short', 'PROOF_INVALID', async (other) => other.say(block(0, new Uint8Array(10)))],
  [
    'a proof of another leaf',
    'PROOF_INVALID',
    async (other) => other.say({ ...block(0), proof: tree.proof(1) } as Transfer),
  ],
  ['a block out of turn', 'OUT_OF_TURN', async (other) => other.say(block(1))],
  ['a frame of no kind', 'FRAME_MALFORMED', async (other) => other.raw(Uint8Array.of(7, 1, 2))],
  ['an empty frame', 'FRAME_MALFORMED', async (other) => other.raw(new Uint8Array())],
  ['a cut block', 'FRAME_MALFORMED', async (other) => other.raw(encodeTransfer(block(0)).subarray(0, 5))],
  [
    'a control message that does not parse',
    'FRAME_MALFORMED',
    async (other) => other.raw(Uint8Array.of(0, 0xff, 0xff)),
  ],
  ['a message that is not its turn', 'OUT_OF_TURN', async (other) => other.say({ say: 'get', root })],
]
for (const [name, code, lie] of lies) {
  test(`${name} is the sender's fault`, async () => {
    await assert.rejects(
      getFrom(async (other) => {
        await other.hear()
        await other.say({ say: 'have', shardBytes })
        await other.hear()
        await lie(other)
        await other.hear()
      }),
      isFault(code),
    )
  })
}

test('a block more than was asked for is a fault', async () => {
  await assert.rejects(
    getFrom(
      async (other) => {
        await other.hear()
        await other.say({ say: 'have', shardBytes })
        await other.say(block(0))
        await other.say(block(1))
      },
      [0, 70],
    ),
    isFault('OUT_OF_TURN'),
  )
})

test('a refusal reaches the caller with its code', async () => {
  await assert.rejects(
    getFrom(async (other) => {
      await other.hear()
      await other.say({ say: 'refused', refusal: { code: 'NOT_FOUND', facts: { asked: 1 } } })
    }),
    (error: unknown) => error instanceof RefusedError && error.code === 'NOT_FOUND' && error.facts.asked === 1,
  )
})

test('a shard of another size than the manifest says is a fault', async () => {
  await assert.rejects(
    getFrom(async (other) => {
      await other.hear()
      await other.say({ say: 'have', shardBytes: shardBytes + 1 })
    }),
    isFault('FIELD_INVALID'),
  )
})

test('a keeper sends what it was asked for, and refuses what it does not have', async () => {
  const { other } = await serve({ open: async (wanted) => (wanted[0] === root[0] ? shardSource : undefined) })
  await other.say({ say: 'get', root })
  assert.deepEqual(await other.hear(), { say: 'have', shardBytes })
  await other.say({ say: 'want', firstLeaf: 70, count: 1 })
  assert.deepEqual(await other.hear(), block(70))
  const { other: another } = await serve({})
  await another.say({ say: 'get', root })
  const answer = await another.hear()
  assert.equal(answer?.say === 'refused' && answer.refusal.code, 'NOT_FOUND')
})

const greed: [string, string, Transfer][] = [
  ['more than the credit', 'CREDIT_EXCEEDED', { say: 'want', firstLeaf: 0, count: creditLeavesMax + 1 }],
  ['leaves that do not exist', 'FIELD_INVALID', { say: 'want', firstLeaf: 71, count: 1 }],
  ['no leaf at all', 'FIELD_INVALID', { say: 'want', firstLeaf: 0, count: 0 }],
]
for (const [name, code, want] of greed) {
  test(`a client that asks for ${name} ends its stream`, async () => {
    const { other, board } = await serve({ open: async () => shardSource })
    await other.say({ say: 'get', root })
    await other.hear()
    await other.say(want)
    await assert.rejects(other.hear())
    assert.ok(isFault(code)(board.faults[0]?.error), String(board.faults[0]?.error))
  })
}

test('a shard is acknowledged only after it was finished', async () => {
  const story: string[] = []
  const sink = {
    needed: [69, 70],
    write: async (leaf: number) => void story.push(`write ${leaf}`),
    finish: async () => void story.push('finish'),
    abandon: async () => void story.push('abandon'),
  }
  const { other } = await serve({ admit: async () => ({ admit: 'all', sink, keepUntilMs: 5 }) })
  await other.say({ say: 'put', root, shardBytes, keepUntilMs: 5 })
  assert.deepEqual(await other.hear(), { say: 'want', firstLeaf: 69, count: 2 })
  await other.say(block(69))
  await other.say(block(70))
  assert.deepEqual(await other.hear(), { say: 'stored', keepUntilMs: 5 })
  assert.deepEqual(story, ['write 69', 'write 70', 'finish'])
})

test('a shard that breaks off is abandoned and never acknowledged', async () => {
  const story: string[] = []
  const sink = {
    needed: [0, 1],
    write: async () => {},
    finish: async () => void story.push('finish'),
    abandon: async () => void story.push('abandon'),
  }
  const { other } = await serve({ admit: async () => ({ admit: 'all', sink, keepUntilMs: 5 }) })
  await other.say({ say: 'put', root, shardBytes, keepUntilMs: 5 })
  await other.hear()
  await other.say(block(0, new Uint8Array(65_536).fill(3)))
  await assert.rejects(other.hear())
  assert.deepEqual(story, ['abandon'])
})

test('random frames are a fault of the sender, never an exception of another kind', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        decodeTransfer(bytes)
      } catch (error) {
        assert.ok(error instanceof Fault, String(error))
      }
    }),
  )
})
