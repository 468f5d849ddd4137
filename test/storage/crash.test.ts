// What is left after a loss of power, on the virtual disk of the model; and what a failing disk leaves behind.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { concat, toString } from 'uint8arrays'

import { MerkleTree, hashLeaves } from '../../protocols/erasure/index.ts'
import type { ShardSink } from '../../protocols/transfer/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { ModelDisk } from '../../sim/model/files.ts'
import { LifeClock } from '../../sim/model/life.ts'
import { settled } from '../../sim/model/settled.ts'
import { SeededRandom } from '../../sim/random.ts'
import { silentLog, type Files } from '../../src/environment.ts'
import { ShardFiles } from '../../src/storage/shard-files.ts'
import { ShardStore } from '../../src/storage/shard-store.ts'
import { signer } from '../support/peers.ts'
import { MemoryIndex } from '../support/shards.ts'

const [self, uploader] = [signer(0).peer, signer(1).peer]
const folder = '/data'

interface TestShard {
  readonly bytes: Uint8Array
  readonly hash: Uint8Array
  readonly root: Uint8Array
  readonly name: string
}

function shardOf(text: number): TestShard {
  const bytes = new Uint8Array(new Uint32Array([text, 7, 7]).buffer)
  const [hash] = hashLeaves(bytes)
  const { root } = new MerkleTree(concat([hash!]))
  return { bytes, hash: hash!, root, name: toString(root, 'hex') }
}

/** Two shards whose files are in one folder. */
function neighbours(): [TestShard, TestShard] {
  const seen = new Map<string, TestShard>()
  for (let text = 0; ; text++) {
    const shard = shardOf(text)
    const other = seen.get(shard.name.slice(0, 2))
    if (other !== undefined) return [other, shard]
    seen.set(shard.name.slice(0, 2), shard)
  }
}

/** One peer's disk, and a store on it for each life. */
class Bench {
  readonly clock = new VirtualClock(1_000_000)
  readonly index = new MemoryIndex()
  readonly disk: ModelDisk
  life = new LifeClock(this.clock, 0)

  constructor(seed: number) {
    this.disk = new ModelDisk(new SeededRandom(seed), { syncMs: [1, 1], slowProbability: 0, slowMs: [0, 0] })
  }

  async boot(bend: (files: Files) => Files = (files) => files): Promise<ShardStore> {
    this.life.isOver = true
    this.life = new LifeClock(this.clock, 0)
    const files = this.disk.files(this.life)
    const store = new ShardStore(
      { quotaBytes: 1_000, termMsMax: 1_000_000 },
      {
        files: new ShardFiles(bend(files), folder),
        index: this.index,
        clock: this.life,
        random: new SeededRandom(1),
        log: silentLog,
        self,
      },
    )
    await this.until(files.makeFolder(folder).then(async () => files.syncFolder('/')))
    await this.until(store.start())
    return store
  }

  async sink(store: ShardStore, shard: TestShard): Promise<ShardSink | string> {
    const { root, bytes } = shard
    const admission = await store.admit({ root, shardBytes: bytes.byteLength, keepUntilMs: 1_500_000, from: uploader })
    if (admission.admit === 'all') return admission.sink
    return admission.admit === 'no' ? admission.refusal.code : 'HAVE'
  }

  async begin(store: ShardStore, shard: TestShard): Promise<ShardSink> {
    const sink = await this.until(this.sink(store, shard))
    assert.ok(typeof sink === 'object', JSON.stringify(sink))
    await this.until(sink.write(0, shard.bytes, shard.hash))
    return sink
  }

  /** Lets time pass until it has settled. */
  async until<Result>(promise: Promise<Result>): Promise<Result> {
    let isSettled = false
    void promise.catch(() => {}).finally(() => (isSettled = true))
    for (await settled(); !isSettled; await settled()) assert.ok(this.clock.jump(), 'it never settles')
    return promise
  }

  losePower(): void {
    this.life.isOver = true
    this.disk.losePower()
  }

  has(shard: TestShard): boolean {
    return this.disk.content(`${folder}/shards/${shard.name.slice(0, 2)}/${shard.name}`)?.byteLength === 12
  }
}

const seeds = Array.from({ length: 20 }, (_, seed) => seed)

test('a shard in a folder that another put has just made outlives a loss of power', async () => {
  for (const seed of seeds) {
    const bench = new Bench(seed)
    const [first, second] = neighbours()
    let isHeld = true
    const held = Promise.withResolvers<void>()
    const store = await bench.boot((files) => ({
      ...filesOf(files),
      // The first put is slow to make its folder durable.
      async syncFolder(path) {
        if (path.endsWith('/shards') && isHeld) {
          isHeld = false
          await held.promise
        }
        await files.syncFolder(path)
      },
    }))
    const [slow, quick] = [await bench.begin(store, first), await bench.begin(store, second)]
    const finishing = slow.finish()
    let isStored = false
    const other = quick.finish().then(() => (isStored = true))
    for (let jumps = 0; jumps < 20; jumps++) {
      await settled()
      bench.clock.jump()
    }
    if (!isStored) held.resolve()
    else {
      bench.losePower()
      assert.ok(bench.has(second), `seed ${seed}: it was said to be stored`)
      continue
    }
    await bench.until(Promise.all([finishing, other]))
    bench.losePower()
    assert.ok(bench.has(first) && bench.has(second), `seed ${seed}`)
  }
})

test('a shard in a folder that was made before a crash outlives a loss of power', async () => {
  for (const seed of seeds) {
    const bench = new Bench(seed)
    const [, shard] = neighbours()
    await bench.boot()
    // A process that died between making the folder and making it durable.
    await bench.until(bench.disk.files(bench.life).makeFolder(`${folder}/shards/${shard.name.slice(0, 2)}`))
    const store = await bench.boot()
    await bench.until((await bench.begin(store, shard)).finish())
    bench.losePower()
    assert.ok(bench.has(shard), `seed ${seed}`)
  }
})

test('a put that fails at its end does not take the room of the same shard, put again meanwhile', async () => {
  const bench = new Bench(1)
  const shard = shardOf(1)
  let fails = 1
  const store = await bench.boot((files) => ({
    ...filesOf(files),
    async create(path, how) {
      if (path.endsWith('.leaves') && fails-- > 0) throw new Error('the disk failed')
      return files.create(path, how)
    },
  }))
  const first = await bench.begin(store, shard)
  const finishing = first.finish().catch(async () => first.abandon())
  const again = await bench.until(bench.sink(store, shard))
  await bench.until(finishing)
  if (typeof again === 'string') return assert.equal(again, 'BUSY')
  assert.equal(await bench.until(bench.sink(store, shard)), 'BUSY', 'it is being put')
  await bench.until(again.write(0, shard.bytes, shard.hash))
  await bench.until(again.finish())
  assert.ok(bench.has(shard))
})

/** The methods of a class do not spread. */
function filesOf(files: Files): Files {
  return {
    open: async (path) => files.open(path),
    create: async (path, how) => files.create(path, how),
    rename: async (from, to) => files.rename(from, to),
    remove: async (path) => files.remove(path),
    makeFolder: async (path) => files.makeFolder(path),
    list: async (path) => files.list(path),
    syncFolder: async (path) => files.syncFolder(path),
    space: async (path) => files.space(path),
  }
}
