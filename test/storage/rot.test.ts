// Every bit of what is on a disk, of shards that are kept and of objects that are half fetched: which is another is seen, and not believed.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { concat, equals, toString } from 'uint8arrays'

import { hashLeaves, leafBytes, rootOf, type Code } from '../../protocols/erasure/index.ts'
import { createTransfer, eachLeaf } from '../../protocols/transfer/index.ts'
import { RefusedError } from '../../protocols/wire/index.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { fetchObject } from '../../src/storage/fetch.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { PartFile } from '../../src/storage/part-file.ts'
import { scrubBetween } from '../../src/storage/scrub.ts'
import { ShardFiles } from '../../src/storage/shard-files.ts'
import { ShardStore } from '../../src/storage/shard-store.ts'
import { Switchboard } from '../support/channel-pair.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { signer } from '../support/peers.ts'
import { describedShards, sealedObject } from '../support/segments.ts'
import { MemoryIndex } from '../support/shards.ts'

const never = new AbortController().signal
const [keeper, reader] = [signer(1).peer, signer(2).peer]
const soonMs = Date.now() + 600_000
/** Inside of a whole block one bit of so many bytes is tried. */
const strideBytes = 257

/** A keeper with one shard of a whole block and a short one. */
class Keeping {
  readonly disk = new MemoryDisk()
  readonly index = new MemoryIndex()
  readonly bytes = Uint8Array.from({ length: leafBytes + 77 }, (_, at) => Math.imul(at, 0x9e3779b1) >>> 24)
  readonly root = rootOf(hashLeaves(this.bytes))
  readonly path = `/keep/shards/${toString(this.root, 'hex').slice(0, 2)}/${toString(this.root, 'hex')}`

  static async begin(): Promise<Keeping> {
    const keeping = new Keeping()
    await keeping.disk.files.makeFolder('/keep')
    const { store, stop } = await keeping.life()
    const writer = await store.begin()
    await writer.write(0, keeping.bytes, concat(hashLeaves(keeping.bytes)))
    await store.adopt(writer, keeping.bytes.byteLength, soonMs)
    stop()
    return keeping
  }

  /** As after a start: nothing of the disk is remembered. */
  async life() {
    const store = new ShardStore(
      { quotaBytes: 2 ** 20, termMsMax: 3_600_000 },
      {
        files: new ShardFiles(this.disk.files, '/keep'),
        index: this.index,
        clock: realClock,
        random: realRandom,
        log: silentLog,
        self: keeper,
      },
    )
    await store.start()
    return { store, stop: () => store.stop() }
  }

  /** What a reader of the whole shard hears of a keeper that has not looked for itself, what a scrub makes of it, and what is heard then. */
  async judged(change: () => Promise<void> | void, isWarm: boolean) {
    const { store, stop } = await this.life()
    const scrub = async () =>
      scrubBetween({ store, index: this.index, clock: { ...realClock, sleep: async () => {} } }, '', undefined, never)
    if (isWarm) assert.deepEqual(await scrub(), { shards: 1, damaged: 0, mended: 0 })
    await change()
    const before = await this.heard()
    const { damaged, mended } = await scrub()
    stop()
    return { before, damaged, mended, error: await this.heard() }
  }

  /** Readers are told; a scrub sees it, and makes the hashes again when it is they. All is well then, or is made so. */
  async isSeen(path: string, what: string, isWarm: boolean, change: () => Promise<void> | void): Promise<void> {
    const whole = this.disk.content(path).slice()
    const areHashes = path.endsWith('.leaves')
    const { before, damaged, mended, error } = await this.judged(change, isWarm)
    const where = `${what} of ${path.slice(-12)}`
    assert.ok(isDamaged(before), `${where}: ${String(before)}`)
    assert.deepEqual([damaged, mended], areHashes ? [0, 1] : [1, 0], where)
    if (areHashes)
      assert.ok(error === undefined && equals(this.disk.content(path), whole), `${where}: ${String(error)}`)
    else assert.ok(isDamaged(error), `${where}: ${String(error)}`)
    await this.disk.replace(path, whole)
  }

  /** In another life. */
  async heard(): Promise<unknown> {
    const board = new Switchboard()
    const next = await this.life()
    const serving = createTransfer({
      streams: board.streamsOf(keeper),
      timekeeper: realClock,
      shelf: next.store,
    })
    await serving.serve()
    const asking = createTransfer({ streams: board.streamsOf(reader), timekeeper: realClock, shelf: next.store })
    let error: unknown
    const onLeaf = async (leaf: number, bytes: Uint8Array): Promise<void> =>
      assert.ok(equals(bytes, this.bytes.subarray(leaf * leafBytes, (leaf + 1) * leafBytes)))
    await asking
      .get(keeper, this.root, this.bytes.byteLength, [0, 1], onLeaf, never)
      .catch((reason: unknown) => (error = reason))
    next.stop()
    board.hangUp()
    return error
  }
}

const isDamaged = (error: unknown): boolean => error instanceof RefusedError && error.code === 'DAMAGED'

for (const [name, isWarm] of [
  ['since before the start', false],
  ['while it is served', true],
] as const) {
  test(`a bit of a shard on the disk, or of the hashes beside it, that is another ${name}: a scrub sees it, and readers are told`, async () => {
    const keeping = await Keeping.begin()
    for (const path of [keeping.path, `${keeping.path}.leaves`]) {
      const { byteLength } = keeping.disk.content(path)
      for (let bit = 0; bit < byteLength * 8; bit++) {
        const isInside = byteLength > leafBytes && bit < leafBytes * 8
        if (isInside && bit % (strideBytes * 8 + 1) !== 0) continue
        await keeping.isSeen(path, `bit ${bit}`, isWarm, () => keeping.disk.flip(path, bit))
      }
    }
    const sound = { before: undefined, damaged: 0, mended: 0, error: undefined }
    assert.deepEqual(await keeping.judged(() => {}, isWarm), sound)
  })

  test(`a shard or its hashes that are cut or longer ${name} are our damage, and no fault of ours to the reader`, async () => {
    const keeping = await Keeping.begin()
    for (const path of [keeping.path, `${keeping.path}.leaves`]) {
      const whole = keeping.disk.content(path).slice()
      const lengths = [0, 1, 32, leafBytes - 1, leafBytes, whole.byteLength - 1, whole.byteLength + 1]
      for (const length of [...lengths, whole.byteLength + 32, whole.byteLength + leafBytes]) {
        if (length === whole.byteLength) continue
        const other = new Uint8Array(length)
        other.set(whole.subarray(0, length))
        await keeping.isSeen(path, `${length} bytes`, isWarm, async () => keeping.disk.replace(path, other))
      }
    }
  })

  test(`hashes that are gone ${name} are made again, and of a shard that has rotted too they are not`, async () => {
    const keeping = await Keeping.begin()
    const hashes = `${keeping.path}.leaves`
    await keeping.isSeen(hashes, 'gone', isWarm, async () => keeping.disk.files.remove(hashes))
    const { before, damaged, mended, error } = await keeping.judged(async () => {
      await keeping.disk.files.remove(hashes)
      keeping.disk.flip(keeping.path, leafBytes * 8 + 3)
    }, isWarm)
    assert.ok(isDamaged(before) && isDamaged(error))
    assert.deepEqual([damaged, mended], [1, 0])
  })
}

const code: Code = { k: 3, m: 2 }
const key = new Uint8Array(32).fill(6)
const plain = Uint8Array.from({ length: 260 }, (_, at) => at * 7)
const strips = sealedObject(code, key, plain)[0]!
const { roots, manifest, cid } = describedShards(code, plain.byteLength, strips)
const mill = new LocalMill()
const partPath = `/home/out.${cid.slice(-8)}.part`

/** A disk on which the only segment of an object was written, and its reader killed before the end. */
async function halfFetched(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  await disk.files.makeFolder('/home')
  const part = await PartFile.open({ disk: disk.files, mill }, '/home/out', manifest, key, never)
  await part.write(0, [plain.slice()], concat(strips.slice(0, code.k).flatMap(hashLeaves)))
  await part.leave()
  return disk
}

/** Fetches, and tells from whom something was asked. */
async function fetched(disk: MemoryDisk): Promise<{ readonly asked: number; readonly plain: Uint8Array }> {
  let asked = 0
  const deps = {
    disk: disk.files,
    mill,
    onFault: () => {},
    transfer: {
      get: async (...[, root, , leaves, onLeaf, signal]: Parameters<ReturnType<typeof createTransfer>['get']>) => {
        asked++
        const strip = strips[roots.findIndex((other) => equals(other, root))]!
        for await (const leaf of eachLeaf(leaves, signal)) await onLeaf(leaf, strip, hashLeaves(strip)[0]!)
      },
    },
  }
  const sources = roots.map((_, shard) => ({ shard, peers: [`peer${shard}`] }))
  await fetchObject(deps, { manifest, key, sources, path: '/home/out' }, never)
  return { asked, plain: disk.content('/home/out') }
}

test('what a fetch finds of an earlier one is taken when it is right, and fetched again for any bit that is another', async () => {
  const sound = await fetched(await halfFetched())
  assert.deepEqual([sound.asked, sound.plain], [0, plain])
  for (const path of [partPath, `${partPath}.leaves`]) {
    const { byteLength } = (await halfFetched()).content(path)
    for (let bit = 0; bit < byteLength * 8; bit++) {
      const disk = await halfFetched()
      disk.flip(path, bit)
      const found = await fetched(disk)
      assert.ok(found.asked >= code.k, `bit ${bit} of ${path} was believed`)
      assert.ok(equals(found.plain, plain), `bit ${bit} of ${path}`)
      assert.deepEqual(disk.paths('/home'), ['/home/out'])
    }
  }
})

test('files of an earlier fetch that are cut or longer make no other file', async () => {
  for (const path of [partPath, `${partPath}.leaves`]) {
    const whole = (await halfFetched()).content(path).slice()
    for (const length of [0, 1, whole.byteLength - 1, whole.byteLength + 1, whole.byteLength + 5_000]) {
      const disk = await halfFetched()
      const other = new Uint8Array(length).fill(1)
      other.set(whole.subarray(0, length))
      await disk.replace(path, other)
      assert.ok(equals((await fetched(disk)).plain, plain), `${length} bytes of ${path}`)
    }
  }
})
