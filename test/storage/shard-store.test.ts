import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, mkdir, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { crc32 } from 'node:zlib'

import { concat, toString } from 'uint8arrays'

import { MerkleTree, hashLeaf, hashLeaves, leafBytes, rootOf } from '../../protocols/erasure/index.ts'
import type { Admission, ShardSink } from '../../protocols/transfer/index.ts'
import { RefusedError } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { realFiles, realRandom, type LogLevel } from '../../src/environment.ts'
import { brokenKeptMs, brokenMax } from '../../src/storage/intake.ts'
import { DamagedShardError, ShardFiles } from '../../src/storage/shard-files.ts'
import { DiskRoom } from '../../src/storage/disk-room.ts'
import { ShardStore } from '../../src/storage/shard-store.ts'
import { signer } from '../support/peers.ts'
import { MemoryIndex } from '../support/shards.ts'

const [self, uploader] = [signer(0).peer, signer(1).peer]
const startMs = 1_700_000_000_000
const termMsMax = 3_600_000
const untilMs = startMs + 600_000

interface TestShard {
  readonly bytes: Uint8Array
  readonly hashes: readonly Uint8Array[]
  readonly root: Uint8Array
  readonly name: string
}

function shardOf(byteCount: number): TestShard {
  const bytes = new Uint8Array(randomBytes(byteCount))
  const hashes = hashLeaves(bytes)
  const { root } = new MerkleTree(concat(hashes))
  return { bytes, hashes, root, name: toString(root, 'hex') }
}

class Bench implements AsyncDisposable {
  readonly folder: string
  readonly clock = new VirtualClock(startMs)
  readonly index = new MemoryIndex()
  readonly logged: { level: LogLevel; message: string }[] = []
  readonly files: ShardFiles
  readonly #sinks: ShardSink[] = []
  #nowMs = startMs
  store: ShardStore

  /** Of the disk: nothing is short unless a test says so. */
  space = { freeBytes: Infinity, totalBytes: 2 ** 40 }
  giveWay: (bytes: number) => void = () => {}

  private constructor(folder: string, quotaBytes: number) {
    this.folder = folder
    this.files = new ShardFiles(realFiles, folder)
    this.store = this.#storeOf(quotaBytes)
  }

  static async open(quotaBytes = 10 * leafBytes): Promise<Bench> {
    const bench = new Bench(await mkdtemp(join(tmpdir(), 'pleach-store-')), quotaBytes)
    await bench.store.start()
    return bench
  }

  /** As after kill -9 and a start: files and entries are what they are. */
  async restart(quotaBytes = 10 * leafBytes): Promise<void> {
    this.store = this.#storeOf(quotaBytes)
    await this.store.start()
  }

  async admit(shard: TestShard, keepUntilMs = untilMs, from = uploader): Promise<Admission> {
    return this.store.admit({ root: shard.root, shardBytes: shard.bytes.byteLength, keepUntilMs, from })
  }

  async sink(shard: TestShard, keepUntilMs = untilMs): Promise<ShardSink> {
    const admission = await this.admit(shard, keepUntilMs)
    if (admission.admit !== 'all') throw new Error(`it was not taken: ${JSON.stringify(admission)}`)
    this.#sinks.push(admission.sink)
    return admission.sink
  }

  async put(shard: TestShard, keepUntilMs = untilMs): Promise<void> {
    const sink = await this.sink(shard, keepUntilMs)
    await feed(sink, shard, sink.needed)
    await sink.finish()
  }

  async refusal(shard: TestShard, keepUntilMs = untilMs): Promise<string | undefined> {
    const admission = await this.admit(shard, keepUntilMs)
    return admission.admit === 'no' ? admission.refusal.code : undefined
  }

  async read(shard: TestShard): Promise<Uint8Array | undefined> {
    const source = await this.store.open(shard.root)
    if (source === undefined) return undefined
    try {
      const parts: Uint8Array[] = []
      for (const leaf of shard.hashes.keys()) parts.push((await source.leaf(leaf)).bytes.slice())
      return concat(parts)
    } finally {
      await source.close()
    }
  }

  /** Lets time pass, but nothing that waits for it run. */
  pass(ms: number): void {
    this.#nowMs += ms
    this.clock.nowMs = () => this.#nowMs
  }

  path(shard: TestShard): string {
    return join(this.folder, 'shards', shard.name.slice(0, 2), shard.name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sink of this.#sinks) await sink.abandon()
    this.store.stop()
    await rm(this.folder, { recursive: true, force: true })
  }

  #storeOf(quotaBytes: number): ShardStore {
    return new ShardStore(
      { quotaBytes, termMsMax },
      {
        files: this.files,
        index: this.index,
        clock: this.clock,
        random: realRandom,
        log: (level, message) => void this.logged.push({ level, message }),
        self,
        disk: new DiskRoom({
          disk: { space: async () => this.space },
          folder: this.folder,
          log: (level, message) => void this.logged.push({ level, message }),
          giveWay: async (bytes) => this.giveWay(bytes),
        }),
      },
    )
  }
}

async function feed(sink: ShardSink, { bytes, hashes }: TestShard, leaves: readonly number[]): Promise<void> {
  for (const leaf of leaves)
    await sink.write(leaf, bytes.subarray(leaf * leafBytes, (leaf + 1) * leafBytes), hashes[leaf]!)
}

async function bend(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const byte = new Uint8Array(1)
    await file.read(byte, 0, 1, at)
    await file.write(Uint8Array.of(byte[0]! ^ 1), 0, 1, at)
  } finally {
    await file.close()
  }
}

const isRefused = (code: string) => (error: unknown) => error instanceof RefusedError && error.code === code

test('a shard that was put is there, whole, under its name, for nobody else to read', async () => {
  await using bench = await Bench.open()
  const shard = shardOf(2 * leafBytes + 5)
  assert.equal(await bench.read(shard), undefined)
  await bench.put(shard)
  assert.deepEqual(await bench.read(shard), shard.bytes)
  assert.deepEqual(new Uint8Array(await readFile(bench.path(shard))), shard.bytes)
  assert.equal((await stat(bench.path(shard))).mode & 0o777, 0o600)
  assert.deepEqual(bench.index.get(shard.name), {
    root: shard.name,
    bytes: shard.bytes.byteLength,
    keepUntilMs: untilMs,
    owner: uploader,
    othersUntilMs: 0,
    createdMs: startMs,
  })
  assert.deepEqual(await readdir(join(bench.folder, 'incoming')), [])
})

test('a shard that is here is not taken again, and its term only grows', async () => {
  await using bench = await Bench.open()
  const shard = shardOf(100)
  await bench.put(shard)
  assert.deepEqual(await bench.admit(shard, untilMs - 1), { admit: 'have', keepUntilMs: untilMs })
  assert.deepEqual(await bench.admit(shard, untilMs + 1), { admit: 'have', keepUntilMs: untilMs + 1 })
  assert.equal(bench.index.get(shard.name)?.keepUntilMs, untilMs + 1)
})

test('what the disk has no room for is refused though the quota has, and what nobody was promised goes first', async () => {
  await using bench = await Bench.open(100 * leafBytes)
  const reserve = 2 ** 30
  const shard = shardOf(2 * leafBytes)
  const refusedWith = async () => bench.admit(shard)
  bench.space.freeBytes = reserve + 2 * leafBytes - 1
  assert.deepEqual(await refusedWith(), {
    admit: 'no',
    refusal: { code: 'NO_SPACE', facts: { shardBytes: 2 * leafBytes, diskFreeBytes: 2 * leafBytes - 1 } },
  })
  await refusedWith()
  assert.equal(bench.logged.filter(({ message }) => message.startsWith('the disk is nearly full')).length, 1)
  const asked: number[] = []
  bench.giveWay = (bytes) => {
    asked.push(bytes)
    bench.space.freeBytes += bytes
  }
  await bench.put(shard)
  assert.deepEqual(asked, [1])
  // What is promised to one is not promised to another.
  bench.giveWay = () => {}
  bench.space.freeBytes = reserve + 3 * leafBytes
  await bench.sink(shardOf(2 * leafBytes))
  assert.equal(await bench.refusal(shardOf(2 * leafBytes)), 'NO_SPACE')
  // Of a small disk less is left alone.
  bench.space = { freeBytes: 5 * leafBytes, totalBytes: 20 * leafBytes }
  assert.equal(await bench.refusal(shardOf(3 * leafBytes)), 'NO_SPACE')
  await bench.put(shardOf(2 * leafBytes))
})

test('what is refused, and why', async () => {
  await using bench = await Bench.open(2 * leafBytes)
  const shard = shardOf(leafBytes)
  assert.equal(await bench.refusal(shard, startMs), 'TERM_OVER')
  assert.equal(await bench.refusal(shard, startMs + termMsMax + 1), 'TERM_TOO_LONG')
  assert.equal(await bench.refusal(shardOf(2 * leafBytes + 1)), 'NO_SPACE')
  const sink = await bench.sink(shard)
  assert.equal(await bench.refusal(shard), 'BUSY', 'it is just being put')
  assert.equal(await bench.refusal(shardOf(leafBytes + 1)), 'NO_SPACE', 'room is promised to the other')
  await feed(sink, shard, sink.needed)
  await sink.finish()
  assert.equal(await bench.refusal(shardOf(leafBytes + 1)), 'NO_SPACE', 'room is taken by the other')
  await bench.put(shardOf(leafBytes))
  assert.equal(bench.store.total().bytes, 2 * leafBytes)
  await bench.restart(0)
  assert.equal(await bench.refusal(shardOf(1)), 'NOT_KEEPING')
})

test('two that come at once are not promised the same room', async () => {
  await using bench = await Bench.open(leafBytes)
  const outcomes = await Promise.allSettled([bench.sink(shardOf(leafBytes)), bench.sink(shardOf(leafBytes))])
  assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
})

test('what the owner keeps for himself takes nothing from what is kept for others', async () => {
  await using bench = await Bench.open(leafBytes)
  const writer = await bench.store.begin()
  await writer.write(0, new Uint8Array(5 * leafBytes), concat(hashLeaves(new Uint8Array(5 * leafBytes))))
  await bench.store.adopt(writer, 5 * leafBytes, untilMs)
  await bench.put(shardOf(leafBytes))
})

test('an upload that broke off goes on where it stopped', async () => {
  await using bench = await Bench.open()
  const shard = shardOf(5 * leafBytes)
  const first = await bench.sink(shard)
  await feed(first, shard, [0, 1, 2])
  await first.abandon()
  assert.equal(await bench.read(shard), undefined)
  const second = await bench.sink(shard)
  assert.deepEqual(second.needed, [3, 4])
  await feed(second, shard, second.needed)
  await second.finish()
  assert.deepEqual(await bench.read(shard), shard.bytes)
})

test('what broke off gives way when its room is needed, and is given up after a while', async () => {
  await using bench = await Bench.open(4 * leafBytes)
  const shard = shardOf(3 * leafBytes)
  const sink = await bench.sink(shard)
  await feed(sink, shard, [0])
  await sink.abandon()
  assert.equal(await bench.refusal(shardOf(5 * leafBytes)), 'NO_SPACE')
  assert.equal((await readdir(join(bench.folder, 'incoming'))).length, 1, 'nothing is given up for what would not fit')
  await bench.put(shardOf(2 * leafBytes))
  assert.deepEqual(await readdir(join(bench.folder, 'incoming')), [])
  const another = shardOf(2 * leafBytes)
  const late = untilMs + brokenKeptMs
  const broken = await bench.sink(another, late)
  await feed(broken, another, [0])
  await broken.abandon()
  assert.equal((await readdir(join(bench.folder, 'incoming'))).length, 1)
  bench.pass(brokenKeptMs - 1)
  await bench.store.sweep()
  assert.equal((await readdir(join(bench.folder, 'incoming'))).length, 1)
  bench.pass(1)
  await bench.store.sweep()
  assert.deepEqual(await readdir(join(bench.folder, 'incoming')), [])
  assert.equal((await bench.sink(another, late)).needed.length, 2)
})

test('what its owner releases is gone at once, with its room; nobody else can release it', async () => {
  await using bench = await Bench.open(3 * leafBytes)
  const shard = shardOf(3 * leafBytes)
  await bench.put(shard)
  const stranger = signer(2).peer
  const refused = (code: string) => (error: unknown) => error instanceof RefusedError && error.code === code
  await assert.rejects(bench.store.release(shard.root, stranger), refused('NOT_OWNER'))
  assert.equal(await bench.refusal(shardOf(leafBytes)), 'NO_SPACE')
  assert.equal(await bench.store.release(shard.root, uploader), 0)
  await assert.rejects(stat(bench.path(shard)), /ENOENT/)
  await assert.rejects(stat(`${bench.path(shard)}.leaves`), /ENOENT/)
  assert.equal(bench.index.entries.size, 0)
  await assert.rejects(bench.store.release(shard.root, uploader), refused('NOT_FOUND'))
  await bench.put(shardOf(3 * leafBytes))
})

test('what others were promised is kept for them, and no longer', async () => {
  await using bench = await Bench.open()
  const shard = shardOf(2 * leafBytes)
  await bench.put(shard, untilMs)
  const other = await bench.admit(shard, untilMs - 300_000, signer(2).peer)
  // Not the owner's term, which may be shortened.
  assert.deepEqual(other, { admit: 'have', keepUntilMs: untilMs - 300_000 })
  assert.equal(await bench.store.release(shard.root, uploader), untilMs - 300_000)
  assert.deepEqual(await bench.read(shard), shard.bytes)
  assert.equal(await bench.store.release(shard.root, uploader), untilMs - 300_000, 'it may be said twice')
  bench.pass(300_000)
  await bench.store.sweep()
  assert.equal(await bench.read(shard), undefined)
})

test('our own shards are kept no longer than they are needed, or were promised to others', async () => {
  await using bench = await Bench.open()
  const [alone, shared] = [shardOf(leafBytes), shardOf(leafBytes)]
  const roots = []
  for (const { bytes, hashes } of [alone, shared]) {
    const writer = await bench.store.begin()
    await writer.write(0, bytes, hashes[0]!)
    await writer.sync()
    roots.push(await bench.store.adopt(writer, leafBytes, untilMs))
  }
  await bench.admit(shared, untilMs - 100_000)
  const foreign = shardOf(leafBytes)
  await bench.put(foreign)
  await bench.store.shorten([...roots, foreign.root], startMs + 1_000)
  const terms = [alone, shared, foreign].map(({ name }) => bench.index.get(name)!.keepUntilMs - startMs)
  assert.deepEqual(terms, [1_000, 500_000, 600_000])
  await bench.store.shorten(roots, untilMs)
  assert.equal(bench.index.get(alone.name)!.keepUntilMs, startMs + 1_000, 'it makes no term longer')
})

test('nothing is kept of an upload of which nothing came', async () => {
  await using bench = await Bench.open()
  const sink = await bench.sink(shardOf(leafBytes))
  await sink.abandon()
  assert.deepEqual(await readdir(join(bench.folder, 'incoming')), [])
})

test('a shard may have more leaves than its writer has room for at first', async () => {
  await using bench = await Bench.open()
  const writer = await bench.files.begin('long')
  const hashes = Array.from({ length: 1_000 }, (_, leaf) => hashLeaf(Uint8Array.of(leaf, leaf >> 8)))
  for (const [leaf, hash] of hashes.entries()) await writer.write(leaf, new Uint8Array(1), hash)
  assert.deepEqual(writer.root, rootOf(hashes))
  await assert.rejects(writer.write(1_001, new Uint8Array(1), hashes[0]!), RangeError)
  await writer.discard()
})

test('of those that broke off only so many wait', async () => {
  await using bench = await Bench.open(1000 * leafBytes)
  for (let count = 0; count < brokenMax + 3; count++) {
    const shard = shardOf(2 * leafBytes)
    const sink = await bench.sink(shard)
    await feed(sink, shard, [0])
    await sink.abandon()
  }
  assert.equal((await readdir(join(bench.folder, 'incoming'))).length, brokenMax)
})

test('killed between the rename and the entry: nothing was acknowledged, and the store is sound', async () => {
  await using bench = await Bench.open()
  const shard = shardOf(3 * leafBytes)
  const sink = await bench.sink(shard)
  await feed(sink, shard, sink.needed)
  // The peer dies while the entry is written: the promise never settles, the file has its name.
  const writing = Promise.withResolvers<void>()
  bench.index.put = async () => {
    writing.resolve()
    return Promise.withResolvers<void>().promise
  }
  void sink.finish()
  await writing.promise
  assert.notEqual(await bench.files.size(shard.name), undefined)
  bench.index.put = MemoryIndex.prototype.put
  await bench.restart()
  await assert.rejects(stat(bench.path(shard)), /ENOENT/)
  await assert.rejects(stat(`${bench.path(shard)}.leaves`), /ENOENT/)
  assert.equal(await bench.read(shard), undefined)
  await bench.put(shard)
  assert.deepEqual(await bench.read(shard), shard.bytes)
})

test('an entry that cannot be written is not acknowledged, and its room is free again', async () => {
  await using bench = await Bench.open(3 * leafBytes)
  const shard = shardOf(3 * leafBytes)
  const sink = await bench.sink(shard)
  await feed(sink, shard, sink.needed)
  bench.index.put = async () => {
    throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
  }
  await assert.rejects(sink.finish(), isRefused('NO_SPACE'))
  await sink.abandon()
  bench.index.put = MemoryIndex.prototype.put
  await bench.put(shard)
  assert.deepEqual(await bench.read(shard), shard.bytes)
})

test('a file that is not ours is left alone, what a crash left is not', async () => {
  await using bench = await Bench.open()
  const kept = shardOf(100)
  await bench.put(kept)
  const stranger = join(bench.folder, 'shards', kept.name.slice(0, 2), 'README')
  await writeFile(stranger, 'mine')
  await mkdir(join(bench.folder, 'shards', 'lost+found'))
  const orphan = shardOf(50)
  await mkdir(join(bench.folder, 'shards', orphan.name.slice(0, 2)), { recursive: true })
  await writeFile(`${bench.path(orphan)}.leaves`, 'hashes without a shard')
  await writeFile(join(bench.folder, 'incoming', 'half'), 'written')
  await bench.restart()
  assert.equal(await readFile(stranger, 'utf8'), 'mine')
  await stat(join(bench.folder, 'shards', 'lost+found'))
  assert.deepEqual(await bench.read(kept), kept.bytes)
  await assert.rejects(stat(`${bench.path(orphan)}.leaves`), /ENOENT/)
  assert.deepEqual(await readdir(join(bench.folder, 'incoming')), [])
})

test('leaves are what was stored in whatever order they are read, and one stays while the next is asked for', async () => {
  await using bench = await Bench.open(20 * leafBytes)
  const shard = shardOf(14 * leafBytes + 100)
  await bench.put(shard)
  const source = (await bench.store.open(shard.root))!
  const bytesOf = (leaf: number): Uint8Array => shard.bytes.subarray(leaf * leafBytes, (leaf + 1) * leafBytes)
  // In a row, with a jump back, to the short last one, and on from the middle of what was read ahead.
  const order = [0, 1, 2, 3, 4, 5, 2, 3, 14, 13, 14, 6, 7, 8, 9, 10, 11, 12, 13, 14]
  let reading = source.leaf(order[0]!)
  for (const [index, leaf] of order.entries()) {
    const { bytes } = await reading
    const next = order[index + 1]
    if (next !== undefined) {
      reading = source.leaf(next)
      await reading
    }
    assert.equal(Buffer.compare(bytes, bytesOf(leaf)), 0, `leaf ${leaf}`)
  }
  await source.close()
})

test('a leaf that has rotted is reported and not given out; the others are; and the shard can be put again', async () => {
  await using bench = await Bench.open()
  const shard = shardOf(3 * leafBytes)
  await bench.put(shard)
  await bend(bench.path(shard), leafBytes + 7)
  const source = (await bench.store.open(shard.root))!
  await assert.rejects(
    source.leaf(1),
    (error: unknown) => isRefused('DAMAGED')(error) && (error as RefusedError).facts.leaf === 1,
  )
  assert.deepEqual((await source.leaf(2)).bytes, shard.bytes.subarray(2 * leafBytes))
  await source.close()
  assert.deepEqual(
    bench.logged.filter(({ level }) => level === 'error').map(({ message }) => message),
    ['a shard is damaged'],
  )
  await bench.put(shard)
  assert.deepEqual(await bench.read(shard), shard.bytes)
  assert.equal((await bench.admit(shard)).admit, 'have')
})

test('hashes that have rotted, a file that is cut, a file that is gone: nothing is proved from them', async () => {
  const damages: ((path: string) => Promise<void>)[] = [
    async (path) => bend(`${path}.leaves`, 40),
    async (path) => rm(`${path}.leaves`),
    async (path) => writeFile(`${path}.leaves`, ''),
    async (path) => writeFile(path, new Uint8Array(leafBytes)),
    async (path) => rm(path),
  ]
  for (const damage of damages) {
    await using bench = await Bench.open()
    const shard = shardOf(3 * leafBytes)
    await bench.put(shard)
    await bench.restart()
    await damage(bench.path(shard))
    await assert.rejects(bench.store.open(shard.root), isRefused('DAMAGED'))
    await bench.put(shard)
    assert.deepEqual(await bench.read(shard), shard.bytes)
  }
})

test('checksums spare the hash, and nothing else: what they do not know is hashed', async () => {
  const damages: ((path: string) => Promise<void>)[] = [
    async (path) => bend(`${path}.sums`, 5),
    async (path) => rm(`${path}.sums`),
    async (path) => writeFile(`${path}.sums`, new Uint8Array(5)),
    async (path) => writeFile(`${path}.sums`, new Uint8Array(1_000)),
  ]
  for (const damage of damages) {
    await using bench = await Bench.open()
    const shard = shardOf(3 * leafBytes + 7)
    await bench.put(shard)
    await bench.restart()
    await damage(bench.path(shard))
    assert.deepEqual(await bench.read(shard), shard.bytes)
    await bend(bench.path(shard), leafBytes + 3)
    await assert.rejects(bench.read(shard), isRefused('DAMAGED'))
  }
})

test('whoever looks whether all is well does not go by checksums', async () => {
  await using bench = await Bench.open()
  const shard = shardOf(2 * leafBytes)
  await bench.put(shard)
  await bench.restart()
  await bend(bench.path(shard), leafBytes + 3)
  const bent = (await readFile(bench.path(shard))).subarray(leafBytes)
  const sums = await readFile(`${bench.path(shard)}.sums`)
  sums.writeUInt32LE(crc32(bent), 4)
  await writeFile(`${bench.path(shard)}.sums`, sums)
  const source = await bench.store.open(shard.root)
  assert.deepEqual((await source!.leaf(1)).bytes, new Uint8Array(bent))
  await source!.close()
  const anew = await bench.store.openAnew(shard.root)
  await assert.rejects(anew!.leaf(1), isRefused('DAMAGED'))
  await anew!.close()
})

test('trees are kept in memory for a while, the ones used last, within a limit', async () => {
  await using bench = await Bench.open()
  const shards = [shardOf(3 * leafBytes), shardOf(3 * leafBytes), shardOf(3 * leafBytes)]
  for (const shard of shards) await bench.put(shard)
  const files = new ShardFiles(realFiles, bench.folder, 2 * 3 * 68)
  for (const shard of [shards[0]!, shards[1]!, shards[0]!, shards[2]!]) await (await files.open(shard.name))!.close()
  for (const shard of shards) await rm(`${bench.path(shard)}.leaves`)
  await (await files.open(shards[0]!.name))!.close()
  await (await files.open(shards[2]!.name))!.close()
  await assert.rejects(files.open(shards[1]!.name), DamagedShardError)
})

test('an expired shard is swept; one that is prolonged while the sweep is under way is not', async () => {
  await using bench = await Bench.open()
  const [first, second] = [shardOf(10), shardOf(20)]
  await bench.put(first, startMs + 1_000)
  await bench.put(second, startMs + 1_000)
  bench.pass(1_000)
  const deleting = Promise.withResolvers<void>()
  bench.index.delete = async (root) => {
    await deleting.promise
    await MemoryIndex.prototype.delete.call(bench.index, root)
  }
  const sweep = bench.store.sweep()
  assert.deepEqual(await bench.admit(second), { admit: 'have', keepUntilMs: untilMs })
  deleting.resolve()
  await sweep
  assert.equal(await bench.read(first), undefined)
  await assert.rejects(stat(bench.path(first)), /ENOENT/)
  assert.deepEqual(await bench.read(second), second.bytes)
})

test('a shard that is put while its old entry is being swept is there afterwards', async () => {
  await using bench = await Bench.open()
  const shard = shardOf(10)
  await bench.put(shard, startMs + 1_000)
  bench.pass(1_000)
  const deleting = Promise.withResolvers<void>()
  bench.index.delete = async (root) => {
    await MemoryIndex.prototype.delete.call(bench.index, root)
    await deleting.promise
  }
  const sweep = bench.store.sweep()
  await setImmediate()
  const put = bench.put(shard)
  await setTimeout(20)
  deleting.resolve()
  await Promise.all([sweep, put])
  assert.deepEqual(await bench.read(shard), shard.bytes)
})

test('one owner gets no more than its share, with what is on its way; others, and we ourselves, do', async () => {
  await using bench = await Bench.open(10 * leafBytes)
  const deps = { files: bench.files, index: bench.index, clock: bench.clock, random: realRandom, log: () => {}, self }
  const store = new ShardStore({ quotaBytes: 10 * leafBytes, ownerBytesMax: 3 * leafBytes, termMsMax }, deps)
  const admit = async (leaves: number, from = uploader) => {
    const { root, bytes } = shardOf(leaves * leafBytes)
    const admission = await store.admit({ root, shardBytes: bytes.byteLength, keepUntilMs: untilMs, from })
    return admission.admit === 'no' ? admission.refusal : admission.admit
  }
  assert.equal(await admit(2), 'all')
  assert.deepEqual(await admit(2), {
    code: 'OWNER_FULL',
    facts: { shardBytes: 2 * leafBytes, ownerBytes: 2 * leafBytes, ownerBytesMax: 3 * leafBytes },
  })
  assert.equal(await admit(1), 'all')
  assert.equal(await admit(3, signer(2).peer), 'all')
  assert.equal(await admit(9, self), 'all')
  bench.index.entries.set('00', {
    root: '00',
    bytes: leafBytes,
    owner: signer(3).peer,
    othersUntilMs: 0,
    createdMs: 0,
    keepUntilMs: untilMs,
  })
  assert.equal(((await admit(3, signer(3).peer)) as { code: string }).code, 'NO_SPACE')
})
