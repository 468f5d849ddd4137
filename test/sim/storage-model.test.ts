import assert from 'node:assert/strict'
import { createDecipheriv } from 'node:crypto'
import { test, type TestContext } from 'node:test'

import { decodeObjectManifest } from '../../protocols/erasure/index.ts'
import { checkStorage } from '../../sim/checkers/storage.ts'
import { shardPathOf } from '../../sim/model/shard-census.ts'
import { runStorageSeeds } from '../../sim/model/storage-campaign.ts'
import { StorageWorld } from '../../sim/model/storage-world.ts'
import { ModelStorage, type ReadableObject } from '../../sim/model/storage.ts'
import { StoredFile } from '../../sim/model/stored-file.ts'
import { StoredNames } from '../../sim/model/stored-names.ts'
import { StreamEnd } from '../../sim/model/stream-end.ts'
import { storageScenarios } from '../../sim/scenarios/storage.ts'
import { Intake } from '../../src/storage/intake.ts'
import { ShardFiles } from '../../src/storage/shard-files.ts'
import { Sources } from '../../src/storage/sources.ts'

/** Enough for some seconds each. */
const seeds = { 'storage-calm': 10, 'storage-power': 50, 'storage-broken': 30, storage: 150 }

for (const [name, count] of Object.entries(seeds)) {
  test(`no invariant is broken in ${count} lives of ${name}`, async () => {
    const { failures, counts } = await runStorageSeeds(1, count, storageScenarios[name])
    assert.deepEqual(failures, [])
    // It is no proof when nothing happens.
    assert.ok(counts.placed > 0.9 * counts.objects && counts.read > counts.placed, JSON.stringify(counts))
  })
}

test('nobody keeps more than it lends, where more is asked for', async () => {
  const { failures, counts } = await runStorageSeeds(1, 20, storageScenarios['storage-tight'])
  assert.deepEqual(failures, [])
  assert.ok(counts.placed > 0 && counts.placed < 0.8 * counts.objects, JSON.stringify(counts))
})

test('the same seed gives the same trace', async () => {
  const [first, second, other] = [await runStorageSeeds(7, 3), await runStorageSeeds(7, 3), await runStorageSeeds(8, 3)]
  assert.equal(first.traceHash, second.traceHash)
  assert.notEqual(first.traceHash, other.traceHash)
})

let current: StorageWorld

/** The first seed at which a checker sees a bug that was planted. */
async function seenAt(checker: string, scenario: string, max: number): Promise<number> {
  for (let seed = 1; seed <= max; seed++) {
    current = new StorageWorld(seed, storageScenarios[scenario]!)
    await current.run()
    if (checkStorage(current).some((violation) => violation.checker === checker)) return seed
  }
  return Infinity
}

const planted: readonly {
  readonly bug: string
  readonly checker: string
  readonly scenario: string
  plant(t: TestContext): void
}[] = [
  {
    bug: 'a sync of a file that does nothing',
    checker: 'stored-is-durable',
    scenario: 'storage-power',
    plant: (t) => t.mock.method(StoredFile.prototype, 'sync', () => {}),
  },
  {
    bug: 'a sync of a folder that does nothing',
    checker: 'stored-is-durable',
    scenario: 'storage-power',
    plant: (t) => t.mock.method(StoredNames.prototype, 'sync', () => {}),
  },
  {
    bug: 'a fetch that checks nothing',
    checker: 'data-is-exact',
    scenario: 'storage',
    plant: (t) => t.mock.method(ModelStorage.prototype, 'get', uncheckedGet),
  },
  {
    bug: 'a fetch that never asks for parity',
    checker: 'enough-shards-suffice',
    scenario: 'storage',
    plant(t) {
      const take = Sources.prototype.take
      t.mock.method(Sources.prototype, 'take', function (this: Sources, isActive: (shard: number) => boolean) {
        return take.call(this, (shard) => shard >= 2 || isActive(shard))
      })
    },
  },
  {
    bug: 'shards that broke off are never given up',
    checker: 'storage-is-bounded',
    scenario: 'storage-broken',
    plant: (t) => t.mock.method(Intake.prototype, 'sweep', async () => {}),
  },
  {
    bug: 'files of expired shards stay',
    checker: 'storage-is-bounded',
    scenario: 'storage',
    plant: (t) => t.mock.method(ShardFiles.prototype, 'remove', async () => {}),
  },
  {
    bug: 'a connection that is lost passes for one that was closed',
    checker: 'no-honest-blame',
    scenario: 'storage',
    plant(t) {
      const read = StreamEnd.prototype.read
      t.mock.method(StreamEnd.prototype, 'read', async function (this: StreamEnd, signal: AbortSignal) {
        return read.call(this, signal).catch((error: unknown) => {
          if (/lost|reset/.test(String(error))) return undefined
          throw error
        })
      })
    },
  },
]

/** Seeds within which a bug must show. */
const plantedMax = 40

for (const { bug, checker, scenario, plant } of planted) {
  test(`${checker} sees ${bug}`, async (t) => {
    plant(t)
    const seed = await seenAt(checker, scenario, plantedMax)
    assert.ok(seed <= plantedMax, 'it was not seen')
    t.diagnostic(`seen at seed ${seed}`)
  })
}

/** Takes the data shards as they are on the disks of their keepers, and opens them without looking at the tag. */
async function uncheckedGet(object: ReadableObject) {
  const { code, bytes } = decodeObjectManifest(object.manifest)
  const strips = object.roots.slice(0, code.k).map((root, shard) => {
    const found = object.sources[shard]!.peers.map((peer) => current.peerOf(peer)!.disk.content(shardPathOf(root)))
    return found.find((content) => content !== undefined) ?? new Uint8Array()
  })
  const decipher = createDecipheriv('aes-256-gcm', object.key, new Uint8Array(12))
  const plain = new Uint8Array(decipher.update(Buffer.concat(strips).subarray(0, bytes)))
  return { plain, report: { bytes, sources: [], decodedSegments: 0, failed: [] } }
}
