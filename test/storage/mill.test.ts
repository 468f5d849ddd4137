// Work on segments, in this thread and in worker threads: both must do the same.
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import fc from 'fast-check'
import { concat, fromString, toString } from 'uint8arrays'

import {
  Commitment,
  InconsistentObjectError,
  MerkleBuilder,
  NotEnoughStripsError,
  decodeObjectManifest,
  describeObject,
  encodeObjectManifest,
  hashStrips,
  segmentBytesOf,
  segmentCount,
  segmentLength,
  type Code,
} from '../../protocols/erasure/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { realClock, silentLog, type Log } from '../../src/environment.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import type { Mill, SealedSegment, SegmentOrder } from '../../src/storage/mill.ts'
import { sealChunks } from '../../src/storage/seal.ts'
import { WorkerDiedError } from '../../src/storage/workers/pool.ts'
import { WorkerMill, type WorkerMillOptions } from '../../src/storage/workers/worker-mill.ts'
import { copied, sealedObject, sealedStrips } from '../support/segments.ts'
import { Warehouse } from '../support/shards.ts'

interface Vector {
  k: number
  m: number
  bytes: number
  key: string
  shardBytes: number
  manifest: string
  cid: string
}

// An independent program in Python made these; the file says how.
const vectors = JSON.parse(readFileSync(new URL('../vectors/sealed-objects.json', import.meta.url), 'utf8')) as {
  cases: Vector[]
}
const key = new Uint8Array(32).fill(9)
const never = new AbortController().signal
const small: Code = { k: 2, m: 1 }

/** A mill that does everything in worker threads, however small. */
const workers = (options: Partial<WorkerMillOptions> = {}, log: Log = silentLog, clock = realClock): WorkerMill =>
  new WorkerMill({ workersMax: 1, hereBytesMax: -1, ...options }, { clock, log })

function plainOf(bytes: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, index) => {
    const number = new Uint8Array(4)
    new DataView(number.buffer).setUint32(0, index)
    return fromString(hash('sha256', concat([fromString('pleach-object'), number]), 'hex'), 'hex')
  })
  return concat(blocks).subarray(0, bytes)
}

const orderOf = (code: Code, bytes: number, number: number, key_ = key): SegmentOrder => ({
  code,
  key: key_,
  number,
  isLast: number === segmentCount(code, bytes) - 1,
  plainBytes: segmentLength(code, bytes, number),
})

/** What a mill makes of each segment, with room for a full one or just enough. Copies: the room is given back. */
async function sealed(
  mill: Mill,
  code: Code,
  plain: Uint8Array,
  key_ = key,
  room = 'enough',
): Promise<SealedSegment[]> {
  const segments: SealedSegment[] = []
  for (let number = 0; number < segmentCount(code, plain.byteLength); number++) {
    const order = orderOf(code, plain.byteLength, number, key_)
    const lent = await mill.lend(code, room === 'enough' ? order.plainBytes : segmentBytesOf(code), never)
    const from = number * segmentBytesOf(code)
    lent.plain.set(plain.subarray(from, from + order.plainBytes))
    const { strips, hashes } = await mill.seal(lent, order, never)
    segments.push({ strips: strips.map((strip) => strip.slice()), hashes })
    lent.giveBack()
  }
  return segments
}

for (const [name, mill] of [
  ['in this thread', new LocalMill()],
  ['in a worker thread', workers()],
] as const) {
  for (const vector of vectors.cases) {
    const { k, m, bytes } = vector
    test(`an object of ${bytes} bytes, ${k}+${m}, is sealed as an independent program seals it, ${name}`, async () => {
      const segments = await sealed(mill, { k, m }, plainOf(bytes), fromString(vector.key, 'hex'))
      const roots = Array.from({ length: k + m }, (_, shard) => {
        const builder = new MerkleBuilder()
        for (const { hashes } of segments) builder.addAll(hashes[shard]!)
        return builder.root()
      })
      const { cid, bytes: manifest } = encodeObjectManifest(describeObject({ k, m }, bytes, roots))
      assert.equal(toString(manifest, 'hex'), vector.manifest)
      assert.equal(cid, vector.cid)
      assert.equal(decodeObjectManifest(manifest).shardBytes, vector.shardBytes)
    })
  }

  test(`any k strips of each segment give the plaintext, another k in each, ${name}`, async () => {
    const code = { k: 3, m: 2 }
    const plain = plainOf(segmentBytesOf(code) + 5000)
    const segments = sealedObject(code, key, plain)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uniqueArray(fc.nat(4), { minLength: 3, maxLength: 5 }), { minLength: 2, maxLength: 2 }),
        async (kept) => {
          const pieces: Uint8Array[] = []
          for (const [number, strips] of segments.entries()) {
            const set = copied(strips, kept[number]!)
            const { plain: opened, rebuilt } = await mill.open(set, orderOf(code, plain.byteLength, number), never)
            pieces.push(...opened)
            const lost = [0, 1, 2].filter((shard) => !kept[number]!.includes(shard))
            assert.deepEqual([...rebuilt.keys()], lost, 'only what is missing is decoded')
            for (const shard of lost) assert.deepEqual(rebuilt.get(shard), hashStrips([strips[shard]!])[0])
          }
          assert.equal(Buffer.compare(concat(pieces), plain), 0)
        },
      ),
      { numRuns: 8 },
    )
  })

  test(`any rows are made again from any k strips, and are what they were, ${name}`, async () => {
    const code: Code = { k: 4, m: 3 }
    for (const bytes of [1, 70_000, 300_000]) {
      const strips = sealedStrips(code, key, { number: 0, isLast: true }, plainOf(bytes))
      for (const [kept, rows] of [
        [
          [0, 1, 2, 3],
          [4, 5, 6],
        ],
        [
          [1, 3, 4, 6],
          [0, 2],
        ],
        // More than are needed.
        [[0, 1, 2, 4, 5, 6], [3]],
      ] as [number[], number[]][]) {
        const made = await mill.rebuild(copied(strips, kept), { code, rows }, never)
        assert.deepEqual(
          made.strips.map((strip) => toString(strip, 'hex')),
          rows.map((row) => toString(strips[row]!, 'hex')),
        )
        assert.deepEqual(made.hashes, hashStrips(rows.map((row) => strips[row]!)))
      }
    }
    const few = copied(sealedStrips(code, key, { number: 0, isLast: true }, plainOf(100)), [0, 5, 6])
    await assert.rejects(mill.rebuild(few, { code, rows: [1] }, never), NotEnoughStripsError)
  })

  test(`too few strips, bent strips, padding and strips of another place do not open, ${name}`, async () => {
    const strips = sealedStrips(small, key, { number: 0, isLast: true }, plainOf(100))
    const order = orderOf(small, 100, 0)
    await assert.rejects(mill.open([strips[0]!.slice(), undefined, undefined], order, never), NotEnoughStripsError)
    const bent = strips[2]!.slice()
    bent[3]! ^= 1
    await assert.rejects(mill.open([strips[0]!.slice(), undefined, bent], order, never), InconsistentObjectError)
    const exchanged = [strips[1]!.slice(), strips[0]!.slice(), undefined]
    await assert.rejects(mill.open(exchanged, order, never), InconsistentObjectError)
    // The cipher does not cover the padding.
    const padded = sealedStrips({ k: 4, m: 0 }, key, { number: 0, isLast: true }, plainOf(1))
    assert.equal(padded[3]!.at(-1), 0)
    padded[3]![padded[3]!.byteLength - 1] = 1
    await assert.rejects(mill.open(padded, orderOf({ k: 4, m: 0 }, 1, 0), never), InconsistentObjectError)
  })

  test(`work that is given up is not done, ${name}`, async () => {
    const given = AbortSignal.abort(new Error('enough'))
    const room = await mill.lend(small, 100, never)
    await assert.rejects(mill.lend(small, 100, given), /enough/)
    await assert.rejects(mill.seal(room, orderOf(small, 100, 0), given), /enough/)
    const strips = sealedStrips(small, key, { number: 0, isLast: true }, plainOf(100))
    await assert.rejects(mill.open(strips, orderOf(small, 100, 0), given), /enough/)
    room.giveBack()
  })

  test(`the end, ${name}`, async () => {
    if (mill instanceof WorkerMill) await mill[Symbol.asyncDispose]()
  })
}

test('a worker makes the same strips and hashes, whatever the code, the length and what was in the room before', async () => {
  await using mill = workers({ workersMax: 2 })
  const local = new LocalMill()
  for (const code of [{ k: 1, m: 0 }, { k: 1, m: 1 }, small, { k: 3, m: 5 }, { k: 40, m: 2 }]) {
    for (const bytes of [0, 1, 1_000, 70_001, segmentBytesOf(code), segmentBytesOf(code) + 1]) {
      if (code.k === 40 && bytes > 2 ** 20) continue
      const plain = plainOf(bytes)
      const expected = await sealed(local, code, plain)
      for (const room of ['enough', 'full']) {
        const made = await sealed(mill, code, plain, key, room)
        for (const [number, { strips, hashes }] of expected.entries()) {
          const what = `${code.k}+${code.m}, ${bytes} bytes, segment ${number}, room ${room}`
          assert.equal(Buffer.compare(concat([...made[number]!.strips]), concat([...strips])), 0, what)
          assert.deepEqual(made[number]!.hashes, hashes, what)
        }
      }
    }
  }
})

test('a rebuilt shard is held to the root of the manifest, segment upon segment', () => {
  const plain = plainOf(segmentBytesOf(small) + 70_000)
  const segments = sealedObject(small, key, plain)
  const hashes = segments.map((strips) => hashStrips(strips))
  const roots = [0, 1, 2].map((shard) => {
    const builder = new MerkleBuilder()
    for (const segment of hashes) builder.addAll(segment[shard]!)
    return builder.root()
  })
  /** Shard 0 comes in the first segment and is rebuilt in the second; shard 1 comes in both. */
  const read = (manifestRoots: Uint8Array[], rebuilt: Uint8Array) => {
    const commitment = new Commitment(describeObject(small, plain.byteLength, manifestRoots))
    const each = (bytes: Uint8Array) =>
      Array.from({ length: bytes.byteLength / 32 }, (_, leaf) => bytes.subarray(leaf * 32, (leaf + 1) * 32))
    commitment.came(0, each(hashes[0]![0]!))
    commitment.came(1, each(hashes[0]![1]!))
    commitment.rebuilt(0, rebuilt)
    commitment.came(1, each(hashes[1]![1]!))
    commitment.check()
  }
  const right = hashes[1]![0]!
  read(roots, right)
  const wrong = right.slice()
  wrong[0]! ^= 1
  assert.throws(() => read(roots, wrong), InconsistentObjectError)
  assert.throws(() => read([roots[1]!, roots[1]!, roots[2]!], right), InconsistentObjectError)
})

test('strips that are opened elsewhere are handed over, and parts of a larger memory are copied', async () => {
  await using mill = workers()
  const plain = plainOf(100_000)
  const strips = sealedStrips(small, key, { number: 0, isLast: true }, plain)
  const whole = strips[0]!.slice()
  const large = concat([strips[1]!, strips[1]!])
  const part = large.subarray(strips[1]!.byteLength)
  const { plain: pieces } = await mill.open([whole, part, undefined], orderOf(small, 100_000, 0), never)
  assert.equal(Buffer.compare(concat(pieces), plain), 0)
  assert.equal(whole.byteLength, 0, 'given away')
  assert.equal(Buffer.compare(part, strips[1]!), 0, 'its neighbours stay, and so does it')
})

test('what waits for a thread is dropped at once when it is given up, what is under way once it is done', async () => {
  await using mill = workers()
  const controller = new AbortController()
  const rooms = [await mill.lend(small, 2 ** 20, never), await mill.lend(small, 2 ** 20, never)]
  const order = orderOf(small, 2 ** 20, 0)
  const outcomes = rooms.map(async (room, index) =>
    mill.seal(room, order, controller.signal).then(
      () => assert.fail('it was done'),
      (error: unknown) => [index, (error as Error).message],
    ),
  )
  controller.abort(new Error('enough'))
  assert.deepEqual(await Promise.race(outcomes), [1, 'enough'])
  // Its room may be another's now, and nobody writes to it any more.
  rooms[1]!.plain.fill(77)
  assert.deepEqual(await Promise.all(outcomes), [
    [0, 'enough'],
    [1, 'enough'],
  ])
  // The thread is as good as before.
  assert.equal((await mill.seal(rooms[0]!, order, never)).strips.length, 3)
  assert.equal(mill.threads, 1)
  assert.ok(rooms[1]!.plain.every((byte) => byte === 77))
})

test('a thread that dies takes its task with it, loudly, and another does the next', async () => {
  const lines: string[] = []
  await using mill = workers({}, (level, message) => void lines.push(`${level}: ${message}`))
  const room = await mill.lend(small, 100, never)
  // No cipher has such a key. Checking keys is the business of others.
  const bad = mill.seal(room, { ...orderOf(small, 100, 0), key: new Uint8Array(5) }, never)
  const good = mill.seal(await mill.lend(small, 100, never), orderOf(small, 100, 0), never)
  await assert.rejects(bad, WorkerDiedError)
  assert.equal((await good).strips.length, 3)
  assert.deepEqual(lines, ['error: a worker thread died'])
})

test('threads are ended when there is nothing to do for a while, and start again', async () => {
  const clock = new VirtualClock(0)
  await using mill = workers({ workersMax: 2 }, silentLog, clock)
  assert.equal(mill.threads, 0)
  const seal = async () => {
    const room = await mill.lend(small, 1_000, never)
    await mill.seal(room, orderOf(small, 1_000, 0), never)
    room.giveBack()
  }
  await Promise.all([seal(), seal(), seal()])
  assert.equal(mill.threads, 2)
  assert.ok(clock.jump())
  assert.equal(mill.threads, 0)
  await seal()
  assert.equal(mill.threads, 1)
})

test('what sealing took is given back at once when all rooms are back, and not while one is lent or others have work', async () => {
  const clock = new VirtualClock(0)
  await using mill = workers({ workersMax: 2 }, silentLog, clock)
  const sealed = async () => {
    const room = await mill.lend(small, 1_000, never)
    const { strips } = await mill.seal(room, orderOf(small, 1_000, 0), never)
    return { room, strips: strips.map((strip) => strip.slice()) }
  }
  const [first, second] = [await sealed(), await sealed()]
  first.room.giveBack()
  assert.ok(clock.jump())
  // One room is lent still: the usual time.
  assert.deepEqual([mill.threads, clock.nowMs()], [0, 10_000])
  second.room.giveBack()
  assert.equal(clock.jump(), false)
  const third = await sealed()
  third.room.giveBack()
  assert.ok(clock.jump())
  assert.deepEqual([mill.threads, clock.nowMs()], [0, 10_250])
  // Whoever opens goes on for longer: segments come as they are fetched.
  const { room, strips } = await sealed()
  room.giveBack()
  await mill.open([strips[0]!, undefined, strips[2]!], orderOf(small, 1_000, 0), never)
  assert.ok(clock.jump())
  assert.deepEqual([mill.threads, clock.nowMs()], [0, 20_250])
})

test('a mill that was stopped does nothing more, and what it was doing is rejected', async () => {
  const mill = workers()
  const rooms = [await mill.lend(small, 1_000, never), await mill.lend(small, 1_000, never)]
  const under = Promise.allSettled(rooms.map(async (room) => mill.seal(room, orderOf(small, 1_000, 0), never)))
  await mill[Symbol.asyncDispose]()
  assert.deepEqual(
    (await under).map((outcome) => outcome.status === 'rejected' && (outcome.reason as Error).message),
    ['the worker threads were stopped', 'the worker threads were stopped'],
  )
  await assert.rejects(mill.seal(rooms[0]!, orderOf(small, 1_000, 0), never), /stopped/)
})

test('what is small is done here, and no thread is started for it', async () => {
  await using mill = new WorkerMill({ workersMax: 1 }, { clock: realClock, log: silentLog })
  const plain = plainOf(1_000)
  const [segment] = await sealed(mill, small, plain)
  const { plain: pieces } = await mill.open([...segment!.strips], orderOf(small, 1_000, 0), never)
  assert.equal(Buffer.compare(concat(pieces), plain), 0)
  assert.equal(mill.threads, 0)
})

test('room is lent within the limit, in the order in which it was asked for', async () => {
  const full = segmentBytesOf(small)
  await using mill = workers({ lentBytesMax: 7 * 2 ** 20 })
  const [first, second] = [await mill.lend(small, full, never), await mill.lend(small, full, never)]
  const order: string[] = []
  const lent = async (name: string, bytes: number) => {
    const room = await mill.lend(small, bytes, never)
    order.push(name)
    return room
  }
  const third = lent('third', full)
  const controller = new AbortController()
  const given = mill.lend(small, full, controller.signal)
  const fourth = lent('fourth', 10)
  controller.abort(new Error('enough'))
  await assert.rejects(given, /enough/)
  assert.deepEqual(order, [])
  assert.ok(mill.lentBytes <= 7 * 2 ** 20)
  first.giveBack()
  first.giveBack()
  const rooms = [second, await third, await fourth]
  assert.deepEqual(order, ['third', 'fourth'])
  for (const room of rooms) room.giveBack()
  assert.equal(mill.lentBytes, 0)
  // Wider than all there is: alone.
  const wide = await mill.lend({ k: 16, m: 16 }, segmentBytesOf({ k: 16, m: 16 }), never)
  assert.ok(mill.lentBytes > 7 * 2 ** 20)
  wide.giveBack()
})

test('a slow disk holds the reading back: two segments in memory, and no more is read', async () => {
  await using warehouse = await Warehouse.of(1)
  await using mill = workers({ workersMax: 2 })
  const { store, folder } = warehouse.keepers[0]!
  const full = segmentBytesOf(small)
  const gates: (() => void)[] = []
  const begin = store.begin.bind(store)
  store.begin = async () => {
    const writer = await begin()
    const write = writer.write.bind(writer)
    writer.write = async (...leaves) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      gates.push(resolve)
      await promise
      return write(...leaves)
    }
    return writer
  }
  let [read, lentMost] = [0, 0]
  const chunks = async function* () {
    for (; read < 6; read++) yield new Uint8Array(full)
  }
  const lend = mill.lend.bind(mill)
  mill.lend = async (...asked) => {
    const room = await lend(...asked)
    lentMost = Math.max(lentMost, mill.lentBytes)
    return room
  }
  const sealing = sealChunks({ store, mill }, chunks(), small, key, Date.now() + 600_000, never)
  for (let segment = 0; segment < 6; segment++) {
    while (gates.length < 3) await setImmediate()
    // The segment that is written, the one after it, and the chunk that tells whether that one is the last.
    assert.ok(read <= segment + 3, `${read} segments were read before ${segment} were written`)
    for (const open of gates.splice(0)) open()
  }
  const object = await sealing
  assert.equal(object.bytes, 6 * full)
  assert.ok(lentMost <= 6 * 2 ** 20 + 6, `${lentMost} bytes were lent at once`)
  assert.equal(mill.lentBytes, 0)
  assert.deepEqual(await readdir(join(folder, 'incoming')), [])
})
