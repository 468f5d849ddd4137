// What was read is given on: taken in, served, bounded, taken up again after a restart, and never rotten.

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'

import { toString } from 'uint8arrays'

import { leafCount, type Code } from '../../protocols/erasure/index.ts'
import { RefusedError } from '../../protocols/wire/index.ts'
import { realClock, realFiles, realRandom, silentLog, type Log } from '../../src/environment.ts'
import { sourcesFrom } from '../../src/node/object-places.ts'
import { ShardCache } from '../../src/storage/cache.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { sealFile } from '../../src/storage/seal.ts'
import { ShardFiles } from '../../src/storage/shard-files.ts'
import { ShardStore } from '../../src/storage/shard-store.ts'
import { Planes } from '../support/planes.ts'
import { MemoryIndex } from '../support/shards.ts'

const never = new AbortController().signal
const code: Code = { k: 2, m: 2 }
const mill = new LocalMill()

class Place implements AsyncDisposable {
  readonly folder: string
  readonly advertised: string[] = []
  readonly logged: string[] = []
  cache: ShardCache
  diskLeftBytes = Infinity
  #objects = 0

  constructor(folder: string, quotaBytes: number) {
    this.folder = folder
    this.cache = this.#made(quotaBytes)
  }

  static async of(quotaBytes: number): Promise<Place> {
    const place = new Place(await mkdtemp(join(tmpdir(), 'pleach-cache-')), quotaBytes)
    await place.cache.start()
    return place
  }

  /** As after the end of the process. */
  async restart(quotaBytes: number): Promise<void> {
    await this.cache.stop()
    this.cache = this.#made(quotaBytes)
    await this.cache.start()
  }

  /** An object that was read to a file here. */
  async object(bytes: number) {
    const path = join(this.folder, `object${this.#objects++}`)
    await writeFile(path, realRandom.bytes(bytes))
    const files = new ShardFiles(realFiles, join(this.folder, 'origin'))
    const deps = { files, index: new MemoryIndex(), clock: realClock, random: realRandom, log: silentLog, self: 'me' }
    const store = new ShardStore({ quotaBytes: 0, termMsMax: 0 }, deps)
    await store.start()
    const sealed = await sealFile({ disk: realFiles, store, mill }, path, code, realRandom.bytes(32), Infinity, never)
    store.stop()
    return { ...sealed, path, records: [Uint8Array.of(1)] }
  }

  async take(object: Awaited<ReturnType<Place['object']>>): Promise<void> {
    await this.cache.take(object)
    await this.cache.settled()
  }

  shardPath(root: Uint8Array): string {
    const name = toString(root, 'hex')
    return join(this.folder, 'cache', 'shards', name.slice(0, 2), name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cache.stop()
    await rm(this.folder, { recursive: true, force: true })
  }

  #made(quotaBytes: number): ShardCache {
    const log: Log = (level, message) => void (level !== 'debug' && this.logged.push(message))
    const advertise = (object: string): void => void this.advertised.push(object)
    return new ShardCache(quotaBytes, {
      disk: realFiles,
      folder: this.folder,
      mill,
      clock: realClock,
      random: realRandom,
      log,
      advertise,
      diskLeftBytes: async () => this.diskLeftBytes,
    })
  }
}

const bytesOf = async (cache: ShardCache, root: Uint8Array): Promise<Uint8Array | undefined> => {
  const source = await cache.open(root)
  if (source === undefined) return undefined
  try {
    const leaves: Uint8Array[] = []
    for (let leaf = 0; leaf < leafCount(source.shardBytes); leaf++) leaves.push((await source.leaf(leaf)).bytes.slice())
    return Buffer.concat(leaves)
  } finally {
    await source.close()
  }
}

describe('an object that was read', () => {
  test('is taken in as its data shards, told of, and served', async () => {
    await using place = await Place.of(64 * 2 ** 20)
    const object = await place.object(5 * 2 ** 20)
    await place.cache.take(object)
    // Whoever read it may do with its file what he likes.
    await rm(object.path)
    await place.cache.settled()
    assert.deepEqual(place.cache.dossier(object.cid), {
      manifest: object.manifest,
      records: object.records,
      cached: [0, 1],
    })
    assert.deepEqual(place.advertised, [object.cid])
    assert.deepEqual(place.cache.total(), { bytes: 2 * object.shardBytes, shards: 2, quotaBytes: 64 * 2 ** 20 })
    for (const [shard, root] of object.roots.entries()) {
      const origin = join(place.folder, 'origin', 'shards', toString(root, 'hex').slice(0, 2), toString(root, 'hex'))
      const served = await bytesOf(place.cache, root)
      assert.equal(served !== undefined, shard < code.k)
      assert.ok(served === undefined || (await readFile(origin)).equals(served))
    }
    assert.deepEqual(await readdir(join(place.folder, 'cache', 'incoming')), [])
    await place.take(object)
    assert.equal(place.advertised.length, 1, 'what is here is not taken in again')
  })

  test('whose file has changed is not', async () => {
    await using place = await Place.of(64 * 2 ** 20)
    const object = await place.object(3 * 2 ** 20)
    await writeFile(object.path, realRandom.bytes(3 * 2 ** 20))
    await place.take(object)
    await rm(object.path)
    await place.take(object)
    assert.deepEqual([place.cache.total().shards, place.cache.objects()], [0, []])
    assert.deepEqual(place.logged, ['an object was not cached', 'an object was not cached'])
    assert.deepEqual(await readdir(join(place.folder, 'cache', 'incoming')), [])
  })

  test('is not taken in when the disk is nearly full', async () => {
    await using place = await Place.of(64 * 2 ** 20)
    const object = await place.object(3 * 2 ** 20)
    place.diskLeftBytes = 2 * object.shardBytes - 1
    await place.take(object)
    assert.deepEqual(place.cache.objects(), [])
    place.diskLeftBytes++
    await place.take(object)
    assert.deepEqual(place.cache.objects(), [object.cid])
  })

  test('is taken in in part when there is room for no more, and not at all when not even for that', async () => {
    await using place = await Place.of(4 * 2 ** 20)
    const wide = await place.object(5 * 2 ** 20)
    await place.take(wide)
    assert.deepEqual(place.cache.objects(), [], 'a shard of 2.5 MiB is more than half of the room')
    const object = await place.object(3.9 * 2 ** 20)
    await place.take(object)
    assert.equal(place.cache.dossier(object.cid)?.cached?.length, 1)
  })

  test('leaves when others need the room, the one that was asked for longest ago first, and the quota holds', async () => {
    await using place = await Place.of(7 * 2 ** 20)
    const objects = [await place.object(3 * 2 ** 20), await place.object(3 * 2 ** 20), await place.object(3 * 2 ** 20)]
    const [first, second, third] = objects as [(typeof objects)[0], (typeof objects)[0], (typeof objects)[0]]
    for (const object of [first, second]) await place.take(object)
    for (const root of first.roots.slice(0, 2)) assert.ok(await bytesOf(place.cache, root))
    await place.take(third)
    assert.ok(place.cache.total().bytes <= 7 * 2 ** 20)
    assert.deepEqual(place.cache.objects(), [first.cid, third.cid])
    assert.equal(place.cache.dossier(second.cid), undefined)
    assert.equal(await bytesOf(place.cache, second.roots[0]!), undefined)
    await place.cache.giveWay(1)
    assert.deepEqual([place.cache.total().shards, place.cache.dossier(first.cid)?.cached], [3, [1]])
    await place.cache.giveWay(Infinity)
    assert.deepEqual([place.cache.total().bytes, place.cache.objects()], [0, []])
    assert.deepEqual(await readdir(join(place.folder, 'cache', 'objects')), [])
  })

  test('is here again after a restart, without what was lost or broken off, and within a smaller quota', async () => {
    await using place = await Place.of(64 * 2 ** 20)
    const [first, second] = [await place.object(3 * 2 ** 20), await place.object(2 * 2 ** 20)]
    await place.take(first)
    await place.take(second)
    await rm(place.shardPath(first.roots[1]!))
    await writeFile(join(place.folder, 'cache', 'objects', 'bafyhalf'), Uint8Array.of(1, 2, 3))
    const stray = place.shardPath(new Uint8Array(32).fill(0xaa))
    // One root in 256 begins as it does, and the folder is there.
    await mkdir(dirname(stray), { recursive: true })
    await writeFile(stray, 'stray')
    await writeFile(join(place.folder, 'cache', 'incoming', 'half'), 'half')
    await place.restart(64 * 2 ** 20)
    assert.deepEqual(place.cache.dossier(first.cid)?.cached, [0])
    assert.deepEqual(place.cache.dossier(second.cid)?.cached, [0, 1])
    assert.deepEqual(
      (await readdir(join(place.folder, 'cache', 'objects'))).toSorted(),
      [first.cid, second.cid].toSorted(),
    )
    assert.ok(await bytesOf(place.cache, second.roots[1]!))
    await assert.rejects(readFile(stray))
    assert.deepEqual(await readdir(join(place.folder, 'cache', 'incoming')), [])
    await place.restart(2 * second.shardBytes)
    assert.ok(place.cache.total().bytes <= 2 * second.shardBytes)
    await place.restart(0)
    assert.ok(!(await readdir(place.folder)).includes('cache'))
  })

  test('is not sent when it has rotted', async () => {
    await using place = await Place.of(64 * 2 ** 20)
    const object = await place.object(3 * 2 ** 20)
    await place.take(object)
    const [whole, rotten] = object.roots as [Uint8Array, Uint8Array]
    const bytes = await readFile(place.shardPath(rotten))
    bytes[70_000]! ^= 1
    await writeFile(place.shardPath(rotten), bytes)
    const source = (await place.cache.open(rotten))!
    await source.leaf(0)
    await assert.rejects(source.leaf(1), (error) => error instanceof RefusedError && error.code === 'DAMAGED')
    await source.close()
    assert.equal(await place.cache.open(rotten), undefined)
    assert.deepEqual(place.cache.dossier(object.cid)?.cached, [0])
    assert.ok(await bytesOf(place.cache, whole))
  })
})

describe('among peers', () => {
  /** The first two lend nothing; three others keep. */
  const among = async (cacheBytes: number) => {
    const planes = await Planes.of(6, 3, cacheBytes)
    const [owner, first, second, ...keepers] = planes.peers as [
      (typeof planes.peers)[0],
      (typeof planes.peers)[0],
      (typeof planes.peers)[0],
      ...typeof planes.peers,
    ]
    const content = realRandom.bytes(3_000_000)
    const path = await planes.file('letters', content)
    const put = await owner.plane.puts.put({ path, code: '2+1' }, never)
    const readBy = async (peer: typeof owner) => {
      const to = join(peer.folder, 'got')
      const got = await peer.plane.objects.get({ object: put.read, path: to }, never)
      assert.ok((await readFile(to)).equals(content))
      await rm(to)
      await peer.plane.cache.settled()
      return got
    }
    return { planes, owner, first, second, keepers, put, readBy }
  }

  test('a second reader has it from the first when the keepers are gone', async () => {
    const { planes, owner, first, second, keepers, readBy } = await among(2 ** 24)
    await using _planes = planes
    await readBy(first)
    for (const { signer } of [owner, ...keepers]) planes.board.dead.add(signer.peer)
    const { sources, decodedSegments } = await readBy(second)
    assert.deepEqual(
      sources.map(({ peer }) => peer.peer),
      [first.signer.peer],
    )
    assert.equal(decodedSegments, 0)
    // And again, from its own, whoever else has it.
    planes.board.dead.clear()
    const again = await readBy(second)
    assert.equal(
      again.sources.find(({ peer }) => peer.peer === second.signer.peer)?.bytes,
      second.plane.cache.total().bytes,
    )
  })

  test('without room for what was read there is nobody', async () => {
    const { planes, owner, first, second, keepers, readBy } = await among(0)
    await using _planes = planes
    await readBy(first)
    for (const { signer } of [owner, ...keepers]) planes.board.dead.add(signer.peer)
    await assert.rejects(readBy(second))
  })

  test('who only has a shard comes after its keepers, and counts for nothing when the object is audited', async () => {
    const [keeper, reader] = ['keeper', 'reader']
    assert.deepEqual(
      sourcesFrom(
        [{ shard: 1, peer: keeper, keepUntilMs: 1 }],
        [
          { shard: 0, peer: reader },
          { shard: 1, peer: reader },
          { shard: 1, peer: keeper },
        ],
      ),
      [
        { shard: 1, peers: [keeper, reader] },
        { shard: 0, peers: [reader] },
      ],
    )
    const { planes, first, second, put, readBy } = await among(2 ** 24)
    await using _planes = planes
    await readBy(first)
    planes.board.dead.add(put.keepers[0]!.peer)
    const report = await second.plane.care.audit(put.verify, never)
    assert.deepEqual([report.healthy, report.n], [2, 3])
  })

  test('a shard that was let go meanwhile is had from a keeper, and nobody is blamed', async () => {
    const { planes, first, second, keepers, put, readBy } = await among(2 ** 24)
    await using _planes = planes
    await readBy(first)
    const dossier = first.plane.cache.dossier(put.object)!
    await first.plane.cache.giveWay(Infinity)
    first.plane.cache.dossier = () => dossier
    planes.board.dead.add(put.keepers[0]!.peer)
    const { sources } = await readBy(second)
    assert.ok(sources.every(({ peer }) => keepers.some(({ signer }) => signer.peer === peer.peer)))
    assert.deepEqual([second.faults, second.broken], [[], []])
  })
})
