// The storage model with objects that are looked after: its invariants hold, and each of them sees a bug that is planted.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'

import { checkStorage } from '../../sim/checkers/storage.ts'
import { runStorageSeeds } from '../../sim/model/storage-campaign.ts'
import { StorageWorld } from '../../sim/model/storage-world.ts'
import { storageScenarios } from '../../sim/scenarios/storage.ts'
import { ObjectCare } from '../../src/node/object-care.ts'
import { ObjectArchive } from '../../src/storage/archive.ts'
import { ShardStore } from '../../src/storage/shard-store.ts'

const scenario = storageScenarios['storage-care']!
const seeds = 5
/** Seeds within which a bug must show, from the one that is named. */
const plantedMax = 6

test(`no invariant is broken in ${seeds} lives of storage-care, and the same seeds give the same trace`, async () => {
  const first = await runStorageSeeds(1, seeds, scenario)
  assert.deepEqual(first.failures, [])
  // It is no proof when nothing happens.
  assert.ok(first.counts.placed > 0.9 * first.counts.objects && first.counts.read > first.counts.placed)
  const again = await runStorageSeeds(1, seeds, scenario)
  assert.equal(again.traceHash, first.traceHash)
})

test('a keeper that claims a long term for itself keeps nobody from renewing', async () => {
  // In this life one does, and audits pass until its term ends.
  assert.deepEqual((await runStorageSeeds(18, 1, scenario)).failures, [])
})

test('objects are audited, repaired by several, and renewed, and liars are found', async () => {
  const world = new StorageWorld(1, scenario)
  await world.run()
  const verdicts = new Set(world.watch.audits.map(({ verdict }) => verdict))
  assert.deepEqual([...verdicts].toSorted(), ['absent', 'failed', 'passed'])
  const afterFaults = world.watch.made.filter(({ atMs }) => atMs > scenario.putsWithinMs)
  assert.ok(afterFaults.length > 0, 'nothing was repaired')
  assert.ok(world.watch.cared.some(({ atEnd, object }) => atEnd === object.code.k + object.code.m))
})

const planted: readonly {
  readonly bug: string
  readonly checker: string
  readonly from: number
  plant(t: TestContext): void
}[] = [
  {
    bug: 'a keeper that forgets a shard once it was asked for',
    checker: 'audits-are-true',
    from: 1,
    plant(t) {
      const open = ShardStore.prototype.open
      const asked = new WeakMap<ShardStore, Set<number>>()
      t.mock.method(ShardStore.prototype, 'open', async function (this: ShardStore, root: Uint8Array) {
        const before = asked.get(this) ?? new Set()
        asked.set(this, before)
        if (before.has(root[0]!)) return undefined
        before.add(root[0]!)
        return open.call(this, root)
      })
    },
  },
  {
    bug: 'an owner that looks after nothing',
    checker: 'care-restores',
    from: 1,
    plant: (t) => t.mock.method(ObjectCare.prototype, 'tend', async () => {}),
  },
  {
    bug: 'a claim that everybody gets',
    checker: 'repairs-are-claimed',
    from: 38,
    plant: (t) => t.mock.method(ObjectArchive.prototype, 'claim', (_object: string, forMs: number) => forMs),
  },
  {
    bug: 'a dossier under another name',
    checker: 'names-stay',
    from: 1,
    plant(t) {
      const keep = ObjectArchive.prototype.keep
      t.mock.method(
        ObjectArchive.prototype,
        'keep',
        async function (this: ObjectArchive, ...[object, ...others]: Parameters<ObjectArchive['keep']>) {
          return keep.call(this, `${object}x`, ...others)
        },
      )
    },
  },
  {
    bug: 'a scrub that reads nothing',
    checker: 'rot-is-seen',
    from: 10,
    plant: (t) => t.mock.method(ShardStore.prototype, 'openAnew', async () => undefined),
  },
]

for (const { bug, checker, from, plant } of planted) {
  test(`${checker} sees ${bug}`, async (t) => {
    plant(t)
    for (let seed = from; seed < from + plantedMax; seed++) {
      const world = new StorageWorld(seed, scenario)
      await world.run()
      if (checkStorage(world).some((violation) => violation.checker === checker)) return t.diagnostic(`seed ${seed}`)
    }
    assert.fail('it was not seen')
  })
}
