// Every bit of whole exchanges, length prefixes too, on the way to either side: which of them is another, and what becomes of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'

import { concat, equals } from 'uint8arrays'

import { MerkleTree, hashLeaf, leafBytes, leafCount } from '../../protocols/erasure/index.ts'
import {
  createTransfer,
  decodeTransfer,
  emptyShelf,
  transferLimits,
  type ShardSource,
  type Shelf,
  type Transfer,
  type TransferService,
} from '../../protocols/transfer/index.ts'
import { Fault, RefusedError, type Streams } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { DeadlineError } from '../../src/environment.ts'
import { BentWire, pieceBytes } from '../support/bent-wire.ts'
import { Switchboard } from '../support/channel-pair.ts'
import { sealedObject } from '../support/segments.ts'
import { client, keeper, never } from './other-peer.ts'

const code = { k: 3, m: 2 }
const key = new Uint8Array(32).fill(3)
const untilMs = 5_000

interface Shard {
  readonly bytes: Uint8Array
  readonly tree: MerkleTree
}

/** The shards of an object that was sealed. */
function shardsOf(plainBytes: number): Shard[] {
  const plain = Uint8Array.from({ length: plainBytes }, (_, at) => Math.imul(at, 0x9e3779b1) >>> 24)
  return sealedObject(code, key, plain)[0]!.map((bytes) => ({
    bytes,
    tree: new MerkleTree(concat(leavesOf(bytes).map(hashLeaf))),
  }))
}

function leavesOf(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: leafCount(bytes.byteLength) }, (_, leaf) =>
    bytes.subarray(leaf * leafBytes, (leaf + 1) * leafBytes),
  )
}

function sourceOf({ bytes, tree }: Shard): ShardSource {
  const leaves = leavesOf(bytes)
  return {
    shardBytes: bytes.byteLength,
    leaf: async (leaf) => ({ bytes: leaves[leaf]!, proof: tree.proof(leaf) }),
    close: async () => {},
  }
}

/** A shelf that has one shard, and takes in what it is given, as it is given. */
class MemoryShelf implements Shelf {
  readonly #shard: Shard | undefined
  readonly taken: { readonly root: Uint8Array; readonly shardBytes: number; readonly leaves: Uint8Array[] }[] = []
  stored = 0

  constructor(shard?: Shard) {
    this.#shard = shard
  }

  readonly open: Shelf['open'] = async (root) =>
    this.#shard !== undefined && equals(root, this.#shard.tree.root) ? sourceOf(this.#shard) : undefined

  readonly release = emptyShelf.release

  readonly admit: Shelf['admit'] = async ({ root, shardBytes, keepUntilMs }) => {
    const leaves: Uint8Array[] = []
    this.taken.push({ root, shardBytes, leaves })
    return {
      admit: 'all',
      keepUntilMs,
      sink: {
        needed: Array.from({ length: Math.min(leafCount(shardBytes), 64) }, (_, leaf) => leaf),
        write: async (_leaf, bytes) => void leaves.push(bytes.slice()),
        finish: async () => void this.stored++,
        abandon: async () => {},
      },
    }
  }
}

interface Played {
  /** Undefined: it went well. */
  readonly error: unknown
  /** What the keeper's handler ended with. */
  readonly atKeeper: unknown
  /** Leaves that the client was handed. */
  readonly got: Map<number, Uint8Array>
  readonly shelf: MemoryShelf
  readonly wire: BentWire
}

type Side = 'client' | 'keeper'

/** One exchange over a real service at either side, with a bad bit in what one of them reads. Waits cost no time. */
async function play(reader: Side, wire: BentWire, shelf: MemoryShelf, run: Run): Promise<Played> {
  const clock = new VirtualClock(0)
  const board = new Switchboard()
  const streamsOf = (side: Side): Streams => {
    const streams = board.streamsOf(side === 'client' ? client : keeper)
    return side === reader ? wire.readsOf(streams) : streams
  }
  const serving = createTransfer({ streams: streamsOf('keeper'), timekeeper: clock, shelf })
  await serving.serve()
  const asking = createTransfer({ streams: streamsOf('client'), timekeeper: clock, shelf: emptyShelf })
  const got = new Map<number, Uint8Array>()
  let outcome: { readonly error: unknown } | undefined
  void run(asking, got).then(
    () => (outcome = { error: undefined }),
    (error: unknown) => (outcome = { error }),
  )
  for (let rounds = 0; outcome === undefined; rounds++) {
    assert.ok(rounds < 1_000, 'it never ends')
    // What is ready has run when the event loop comes round; then a deadline is due.
    await setImmediate()
    if (outcome === undefined && !clock.jump()) await setImmediate()
  }
  board.hangUp()
  await setImmediate()
  return { error: outcome.error, atKeeper: board.faults[0]?.error, got, shelf, wire }
}

type Run = (service: TransferService, got: Map<number, Uint8Array>) => Promise<unknown>

const getting =
  ({ bytes, tree }: Shard): Run =>
  async (service, got) =>
    service.get(
      keeper,
      tree.root,
      bytes.byteLength,
      [...leavesOf(bytes).keys()],
      async (leaf, content) => void got.set(leaf, content.slice()),
      never,
    )

const putting =
  (shard: Shard): Run =>
  async (service) =>
    service.put(keeper, shard.tree.root, sourceOf(shard), untilMs, never)

/** Nothing but leaves of the shard was handed on. */
function assertTrue({ got }: Played, { bytes }: Shard, what: string): void {
  const leaves = leavesOf(bytes)
  for (const [leaf, content] of got) assert.ok(equals(content, leaves[leaf]!), `${what}: leaf ${leaf}`)
}

/**
 * Nothing was taken after a frame with a bad bit: of a block that is not of the shard no more is held than that one. Where the length
 * is what is bad, it is one frame of what follows.
 */
function assertBounded({ wire }: Played, { part, endsAt, what }: Bit): void {
  if (part === 'length')
    assert.ok(wire.takenOfBad <= transferLimits.frameBytesMax + pieceBytes, `${what}: ${wire.taken}`)
  else assert.ok(wire.taken <= endsAt, `${what}: ${wire.taken} bytes were taken, and the frame ended at ${endsAt}`)
}

const isTyped = (error: unknown): boolean => error instanceof Fault || error instanceof RefusedError

type Part = 'length' | 'control' | 'block'

interface Bit {
  readonly bit: number
  readonly part: Part
  /** Where the frame that it is of ends in the stream. */
  readonly endsAt: number
  /** What is said without it, and with it; undefined: nothing that is lawful. */
  readonly said: readonly [Transfer | undefined, Transfer | undefined]
  readonly what: string
}

function saidIn(body: Uint8Array): Transfer | undefined {
  try {
    return decodeTransfer(body)
  } catch {
    return undefined
  }
}

/** Which bits are tried, and what they are of: all, but of what is inside of whole blocks one in each `strideBytes`. */
function* bitsOf({ frames }: BentWire): Generator<Bit> {
  for (const { at, prefixBytes, body } of frames) {
    const isBlock = body[0] === 1
    for (let byte = 0; byte < prefixBytes + body.byteLength; byte++) {
      const part = byte < prefixBytes ? 'length' : isBlock ? 'block' : 'control'
      const isInside = byte > insideBytes[0] && byte < insideBytes[1]
      if (isInside && byte % strideBytes !== 0) continue
      const bits = isInside ? [Math.floor(byte / strideBytes) % 8] : [0, 1, 2, 3, 4, 5, 6, 7]
      const endsAt = at + prefixBytes + body.byteLength
      for (const bit of bits) {
        const what = `bit ${bit} of byte ${byte} of a ${part} at ${at}`
        const bent = body.slice()
        if (part === 'control') bent[byte - prefixBytes]! ^= 1 << bit
        const said = [saidIn(body), part === 'control' ? saidIn(bent) : undefined] as const
        yield { bit: (at + byte) * 8 + bit, part, endsAt, said, what }
      }
    }
  }
}

// Shards of one short block, and one of two whole blocks and a short one; the plaintext does not fill the last strip.
const shortShards = shardsOf(3 * 90 - 16 - 1)
const longShard = shardsOf(3 * (2 * leafBytes + 77) - 16 - 1)[1]!
const strideBytes = 257
/** Before it are length, header and proof of a block, after it the end of its bytes. */
const insideBytes = [128, leafBytes] as const

for (const [name, shard] of [
  ...shortShards.map((shard, index) => [`shard ${index} of one block`, shard] as const),
  ['a shard of three blocks', longShard] as const,
]) {
  const { bytes } = shard
  const isAll = ({ got }: Played): boolean => got.size === leafCount(bytes.byteLength)

  test(`GET of ${name}: no bit of a block, its proof or its place can be another`, async () => {
    const calm = await play('client', new BentWire(), new MemoryShelf(shard), getting(shard))
    assert.ok(calm.error === undefined && isAll(calm))
    for (const tried of bitsOf(calm.wire)) {
      const { bit, part, what } = tried
      const played = await play('client', new BentWire(bit), new MemoryShelf(shard), getting(shard))
      assertTrue(played, shard, what)
      // A frame that is said to be longer than what comes is waited for, as long as for any; a word may have two spellings.
      const isMissed = part === 'length' && played.error instanceof DeadlineError
      const isSame = isDeepStrictEqual(tried.said[0], tried.said[1]) && played.error === undefined && isAll(played)
      if (!isSame) assertBounded(played, tried)
      assert.ok(isTyped(played.error) || isMissed || isSame, `${what}: ${String(played.error)}`)
    }
  })

  test(`GET of ${name}: whatever a keeper is asked, it gives nothing but leaves of its shard`, async () => {
    const calm = await play('keeper', new BentWire(), new MemoryShelf(shard), getting(shard))
    for (const { bit, what } of bitsOf(calm.wire)) {
      const played = await play('keeper', new BentWire(bit), new MemoryShelf(shard), getting(shard))
      assertTrue(played, shard, what)
      const isHeard = isTyped(played.atKeeper) || isTyped(played.error) || played.error instanceof DeadlineError
      assert.ok(isHeard || (played.error === undefined && isAll(played)), `${what}: ${String(played.error)}`)
    }
  })

  test(`PUT of ${name}: what is acknowledged is the shard, whichever bit was another`, async () => {
    const calm = await play('keeper', new BentWire(), new MemoryShelf(), putting(shard))
    assert.deepEqual([calm.error, calm.shelf.stored], [undefined, 1])
    for (const tried of bitsOf(calm.wire)) {
      const { bit, part, what } = tried
      const played = await play('keeper', new BentWire(bit), new MemoryShelf(), putting(shard))
      const [taken] = played.shelf.taken
      for (const [leaf, content] of (taken?.leaves ?? []).entries())
        assert.ok(equals(content, leavesOf(bytes)[leaf]!), `${what}: leaf ${leaf} was written`)
      // Of a shard that is said to be longer than it is, the first leaves may be proved all the same: they are of it.
      if (part !== 'control') assertBounded(played, tried)
      if (played.shelf.stored === 1) {
        // Until when it is kept may be said to be another time; to that the client holds the keeper.
        const [said, bent] = tried.said
        assert.deepEqual(bent, { ...said, keepUntilMs: bent?.say === 'put' ? bent.keepUntilMs : untilMs }, what)
        assert.ok(equals(taken!.root, shard.tree.root) && equals(concat(taken!.leaves), bytes), what)
        assert.ok(played.error === undefined || isTyped(played.error), `${what}: ${String(played.error)}`)
      } else {
        const isMissed = part === 'length' && played.error instanceof DeadlineError
        const isHeard = isTyped(played.atKeeper) || isTyped(played.error)
        assert.ok(isHeard || isMissed, `${what}: ${String(played.error)}`)
        assert.notEqual(played.error, undefined, what)
      }
    }
  })

  test(`PUT of ${name}: the client believes in nothing that was not stored`, async () => {
    const calm = await play('client', new BentWire(), new MemoryShelf(), putting(shard))
    for (const { bit, what } of bitsOf(calm.wire)) {
      const played = await play('client', new BentWire(bit), new MemoryShelf(), putting(shard))
      if (played.error === undefined) assert.equal(played.shelf.stored, 1, what)
      else {
        const isHeard = isTyped(played.error) || played.error instanceof DeadlineError || isTyped(played.atKeeper)
        assert.ok(isHeard, `${what}: ${(played.error as Error).message}`)
      }
    }
  })
}
