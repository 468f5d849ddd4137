// What others may make us store: counts, bytes, authors; old records; and names that are none.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { Record } from '@libp2p/kad-dht'
import { Key } from 'interface-datastore'
import { toString } from 'uint8arrays'

import { Fault } from '../../protocols/wire/index.ts'
import { realClock } from '../../src/environment.ts'
import {
  identityFromSeed,
  limitsFor,
  memoryKeyValue,
  memorySequenceFloors,
  RecordRefusedError,
  type HostLimits,
} from '../../src/host/index.ts'
import { QuotaDatastore } from '../../src/host/quota-datastore.ts'
import { Quota } from '../../src/host/quota.ts'
import { createRecordJudge, pathOf } from '../../src/host/record-judge.ts'
import { bytes, numbered, seedOf } from './network.ts'

const self = identityFromSeed(seedOf(1)).peer
const entry = (key: string, author: string, rank: number, size = 1, storedMs = 0) => ({
  key,
  author,
  rank,
  bytes: size,
  storedMs,
})
const limits = { entriesMax: 3, bytesMax: 10, entriesPerAuthorMax: 2, ageMsMax: 1000 }

describe('a quota', () => {
  const filled = (): Quota => {
    const quota = new Quota(limits, 'me')
    for (const [key, author, rank] of [
      ['a', 'one', 1],
      ['b', 'one', 5],
      ['c', 'two', 3],
    ] as const)
      quota.add(entry(key, author, rank))
    return quota
  }

  test('has room for what is in place of another', () => {
    assert.deepEqual(filled().judge(entry('a', 'one', 1), 0), { admit: true, evict: [] })
    assert.deepEqual(filled().judge(entry('c', 'one', 1), 0), { admit: false, because: 'author' })
  })

  test('evicts what ranks highest for what ranks lower, and takes nothing that ranks higher', () => {
    assert.deepEqual(filled().judge(entry('d', 'three', 4), 0), { admit: true, evict: ['b'] })
    assert.deepEqual(filled().judge(entry('d', 'three', 6), 0), { admit: false, because: 'full' })
  })

  test('bounds each author, whatever the rank', () => {
    assert.deepEqual(filled().judge(entry('d', 'one', 0), 0), { admit: false, because: 'author' })
  })

  test('bounds bytes', () => {
    assert.deepEqual(filled().judge(entry('a', 'one', 1, 9), 0), { admit: true, evict: ['b'] })
    assert.deepEqual(filled().judge(entry('a', 'one', 4, 10), 0), { admit: false, because: 'full' })
  })

  test('evicts what is too old first', () => {
    assert.deepEqual(filled().judge(entry('d', 'one', 9, 1, 1001), 1001), { admit: true, evict: ['a', 'b', 'c'] })
  })

  test('neither limits nor evicts our own', () => {
    const quota = filled()
    for (const key of ['x', 'y', 'z']) {
      assert.deepEqual(quota.judge(entry(key, 'me', 99), 0), { admit: true, evict: [] })
      quota.add(entry(key, 'me', 99))
    }
    const judged = quota.judge(entry('d', 'three', 0), 0)
    assert.ok(judged.admit && !judged.evict.some((key) => ['x', 'y', 'z'].includes(key)))
  })

  test('forgets what is removed', () => {
    const quota = filled()
    quota.remove('a')
    quota.remove('a')
    assert.deepEqual(quota.judge(entry('d', 'one', 9), 0), { admit: true, evict: [] })
    assert.equal(quota.entries, 2)
  })
})

const world = (changed: Partial<HostLimits> = {}) => {
  const store = memoryKeyValue()
  const floors = memorySequenceFloors()
  const judge = createRecordJudge([numbered], 4096, realClock)
  const open = (): QuotaDatastore =>
    new QuotaDatastore({ store, self, judge, floors, limits: limitsFor('loopback', changed), clock: realClock })
  return { store, open, datastore: open() }
}
const keyOf = (author: string, namespace = 'numbered'): Key =>
  new Key(`/dht/record/${toString(pathOf(namespace, bytes(author)), 'base32')}`, false)
const recordOf = (author: string, value: string, namespace = 'numbered'): Uint8Array =>
  new Record(pathOf(namespace, bytes(author)), bytes(value), new Date(realClock.nowMs())).serialize()
const refused = (code: RecordRefusedError['code']) => (error: unknown) =>
  error instanceof RecordRefusedError && error.code === code

describe('the datastore of the host', () => {
  test('gives back what was put, and no header', () => {
    const { datastore } = world()
    const record = recordOf('ann', '1:x')
    datastore.put(keyOf('ann'), record)
    assert.deepEqual(datastore.get(keyOf('ann')), record)
    assert.deepEqual(
      [...datastore._all({ prefix: '/dht/record' })].map(({ value }) => value),
      [record],
    )
    assert.deepEqual(datastore.storedValue(pathOf('numbered', bytes('ann'))), bytes('1:x'))
    assert.throws(() => datastore.get(keyOf('bob')), { name: 'NotFoundError' })
  })

  test('does not let an old record replace a newer one, nor two be of one number; over a restart too', () => {
    const { datastore, open } = world()
    datastore.put(keyOf('ann'), recordOf('ann', '5:new'))
    for (const place of [datastore, open()]) {
      assert.throws(() => place.put(keyOf('ann'), recordOf('ann', '4:old')), refused('STALE'))
      assert.throws(() => place.put(keyOf('ann'), recordOf('ann', '5:other')), refused('STALE'))
      place.put(keyOf('ann'), recordOf('ann', '5:new'))
      assert.deepEqual(place.storedValue(pathOf('numbered', bytes('ann'))), bytes('5:new'))
    }
    datastore.put(keyOf('ann'), recordOf('ann', '6:newer'))
  })

  test('remembers the floor of a record that it no longer has', () => {
    const { datastore } = world()
    datastore.put(keyOf('ann'), recordOf('ann', '5:new'))
    datastore.delete(keyOf('ann'))
    assert.throws(() => datastore.put(keyOf('ann'), recordOf('ann', '4:old')), refused('STALE'))
  })

  test('keeps the nearest records when full, and counts them again after a restart', () => {
    const { datastore, open, store } = world({ recordsMax: 8 })
    const put = (place: QuotaDatastore, from: number): number => {
      let taken = 0
      for (let number = from; number < from + 100; number++) {
        try {
          place.put(keyOf(`p${number}`), recordOf(`p${number}`, '1:x'))
          taken += 1
        } catch (error) {
          assert.ok(refused('STORE_FULL')(error))
        }
      }
      return taken
    }
    const taken = put(datastore, 0)
    assert.ok(taken >= 8 && taken < 60, `${taken} of 100 were taken`)
    put(open(), 100)
    assert.equal([...store.list('/dht/record/')].length, 8)
  })

  test('keeps as many adverts of a peer as it may have, and of all', () => {
    const { datastore, store, open } = world({ advertsPerPeerMax: 3, advertsMax: 5 })
    const advert = (name: number, peer: string): Key =>
      new Key(`/dht/provider/${toString(bytes(`name${name}`), 'base32')}/${peer}`)
    for (let name = 0; name < 3; name++) datastore.put(advert(name, 'ann'), bytes('t'))
    assert.throws(() => datastore.put(advert(4, 'ann'), bytes('t')), refused('AUTHOR_FULL'))
    datastore.put(advert(1, 'ann'), bytes('u'))
    for (const peer of ['bob', 'cat', 'dan', 'eve']) {
      try {
        datastore.put(advert(9, peer), bytes('t'))
      } catch (error) {
        assert.ok(refused('STORE_FULL')(error))
      }
    }
    assert.equal([...store.list('/dht/provider/')].length, 5)
    datastore.put(advert(7, self), bytes('t'))
    assert.equal([...store.list('/dht/provider/')].length, 6)
    open()
    assert.equal([...store.list('/dht/provider/')].length, 5, 'our own adverts of an earlier run are not repeated')
  })

  test('keeps as many peers as it may, and forgets the one not heard of for longest', () => {
    const { datastore, store } = world({ peersKnownMax: 3 })
    for (const name of ['a', 'b', 'c', 'd']) {
      datastore.put(new Key(`/peers/${name}`), bytes(name))
      // A later millisecond, for what ranks by time.
      const startMs = Date.now()
      while (Date.now() === startMs);
    }
    assert.deepEqual(
      [...store.list('/peers/')].map(([key]) => key),
      ['/peers/b', '/peers/c', '/peers/d'],
    )
  })

  test('drops what it cannot read when it starts', () => {
    const { store, open } = world()
    store.put('/dht/record/aaaa', Uint8Array.of(200, 1))
    open()
    assert.equal(store.get('/dht/record/aaaa'), undefined)
  })
})

describe('the judge of records', () => {
  const judge = createRecordJudge(
    [numbered, { ...numbered, namespace: 'wide', valueBytesMax: 1_000_000 }],
    100,
    realClock,
  )
  const isFault = (error: unknown): boolean => error instanceof Fault

  test('asks the rules, and caps before it asks', () => {
    assert.equal(judge.judge(pathOf('numbered', bytes('ann')), bytes('7:x')).sequence, 7)
    assert.throws(() => judge.judge(pathOf('numbered', bytes('ann')), bytes('x')), /no sequence/)
    assert.throws(() => judge.judge(pathOf('numbered', bytes('ann')), new Uint8Array(65)), isFault)
    assert.throws(() => judge.judge(pathOf('wide', bytes('ann')), new Uint8Array(101)), isFault)
    assert.throws(() => judge.judge(pathOf('numbered', new Uint8Array(129)), bytes('7:x')), isFault)
  })

  test('refuses every name that an object has without being given it, and the namespace of libp2p', () => {
    // As kad-dht looks them up.
    for (const name of [...Object.getOwnPropertyNames(Object.prototype), 'pk']) {
      const validators: typeof judge.validators = { pk: () => {}, ...judge.validators }
      const selectors: typeof judge.selectors = { pk: () => 0, ...judge.selectors }
      assert.throws(() => validators[name]?.(pathOf(name, bytes('x')), bytes('1:x')) ?? assert.fail(name), isFault)
      assert.throws(() => selectors[name]?.(pathOf(name, bytes('x')), [bytes('1:x')]) ?? assert.fail(name), isFault)
      assert.throws(() => judge.judge(pathOf(name, bytes('x')), bytes('1:x')), isFault)
    }
  })

  test('refuses names that a namespace cannot have', () => {
    for (const namespace of ['', 'A', 'a/b', '__proto__', 'a b']) {
      assert.throws(() => createRecordJudge([{ ...numbered, namespace }], 100, realClock), RangeError)
    }
    assert.throws(() => createRecordJudge([numbered, numbered], 100, realClock), RangeError)
  })
})
