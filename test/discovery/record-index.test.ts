// What is known of others: bounded, alive or not by the clock, and over restarts.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'

import { noWishes } from '../../protocols/bid/index.ts'
import { plainCompute, plainPrice, type Capability } from '../../protocols/capability/index.ts'
import type { Want } from '../../protocols/discover/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { aliveForMs, floorKeyOf, RecordIndex, recordsMax, type RecordShelf } from '../../src/discovery/record-index.ts'
import { silentLog } from '../../src/environment.ts'
import { KnownRecords } from '../../src/ledger/known-records.ts'
import { SequenceFloors } from '../../src/ledger/sequence-floors.ts'
import { Store } from '../../src/ledger/store.ts'
import { network, signer } from '../support/peers.ts'
import { Floor, people, startMs } from './boards.ts'
import { keeperRecord, sealedKeeperRecord } from '../support/keeper-record.ts'

const [one, two, three] = [people[1]!, people[2]!, people[3]!]
const keep: Want = { kind: 'keep', keepBytes: 10 }
const small = { value: 5, evidence: 'claimed' } as const

const record = (over: Partial<Capability> = {}) => keeperRecord(startMs, over)
const sealed = (by: (typeof people)[number], over: Partial<Capability> = {}) => sealedKeeperRecord(by, startMs, over)

function opened({ shelf, floor = new Floor() }: { shelf?: RecordShelf; floor?: Floor } = {}) {
  const clock = new VirtualClock(startMs)
  const connected = new Set<string>()
  const index = new RecordIndex({
    notary: { signer: signer(0), network },
    clock,
    floor,
    connected: () => connected,
    ...(shelf === undefined ? {} : { shelf }),
  })
  const later = (delayMs: number) => {
    clock.after(delayMs, () => {})
    while (clock.jump());
  }
  const picked = (want: Want = keep) => {
    const { alive, doubtful } = index.pick(want)
    return { alive: alive.map(({ peer }) => peer), doubtful: doubtful.map(({ peer }) => peer) }
  }
  return { index, clock, connected, later, picked }
}

test('it answers with those that lack nothing', () => {
  const { index, picked } = opened()
  index.take(one.peer, sealed(one))
  index.take(two.peer, sealed(two, { storage: { keepBytes: small, termMsMax: 1 } }))
  const compute = {
    ...plainCompute,
    arch: 'x86_64',
    cpuMilli: { value: 2_000, evidence: 'claimed' },
    memoryBytes: { value: 2 ** 30, evidence: 'claimed' },
    diskBytes: { value: 0, evidence: 'claimed' },
    wallMsMax: 1_000,
  } as const
  const works = {
    compute,
    storage: null,
    runtimes: [{ name: 'wasi-preview1', version: '1', isolation: 'process' }],
    price: { ...plainPrice, unit: 'credit', cpuHourMicro: 5 },
  }
  index.take(three.peer, sealed(three, works))
  assert.deepEqual(picked(), { alive: [one.peer], doubtful: [] })
  const requirements = {
    ...noWishes,
    runtime: 'wasi-preview1',
    cpuMilli: 2_000,
    memoryBytes: 1,
    diskBytes: 0,
    wallMsMax: 1,
  }
  const work = (cpuHourMicroMax: number): Want => ({
    kind: 'work',
    ask: { requirements, unit: 'credit', cpuHourMicroMax },
  })
  assert.deepEqual(picked(work(5)).alive, [three.peer])
  assert.deepEqual(picked(work(4)).alive, [], 'it is too dear')
  assert.equal(picked({ kind: 'anybody' }).alive.length, 3)
})

test('who takes its record back leaves at once', () => {
  const { index, picked, connected } = opened()
  index.take(one.peer, sealed(one))
  connected.add(one.peer)
  index.take(one.peer, sealed(one, { sequence: 6, withdrawn: true }))
  assert.deepEqual(picked(), { alive: [], doubtful: [] })
  assert.equal(index.take(one.peer, sealed(one)), false)
  assert.deepEqual(picked(), { alive: [], doubtful: [] })
})

test('who gives no sign of life leaves the answers after two minutes, and is back with the next', () => {
  const { index, picked, later, clock } = opened()
  index.take(one.peer, sealed(one))
  later(aliveForMs)
  assert.deepEqual(picked(), { alive: [one.peer], doubtful: [] })
  later(1)
  assert.deepEqual(picked(), { alive: [], doubtful: [one.peer] })
  index.take(one.peer, sealed(one, { sequence: 6, issuedMs: clock.nowMs() }))
  assert.deepEqual(picked(), { alive: [one.peer], doubtful: [] })
})

test('a record is a sign of the time at which it was made, whenever it comes', () => {
  const { index, picked, later } = opened()
  later(aliveForMs + 1)
  index.take(one.peer, sealed(one))
  assert.deepEqual(picked(), { alive: [], doubtful: [one.peer] })
})

test('who is connected lives', () => {
  const { index, picked, later, connected } = opened()
  index.take(one.peer, sealed(one))
  connected.add(one.peer)
  later(3 * aliveForMs)
  assert.deepEqual(picked(), { alive: [one.peer], doubtful: [] })
  connected.delete(one.peer)
  assert.deepEqual(picked(), { alive: [], doubtful: [one.peer] })
})

test('who was asked lives, and who did not answer is no candidate for a minute', () => {
  const { index, picked, later } = opened()
  index.take(one.peer, sealed(one))
  index.take(two.peer, sealed(two))
  later(aliveForMs + 1)
  index.prove(one.peer)
  index.miss(two.peer)
  assert.deepEqual(picked(), { alive: [one.peer], doubtful: [] })
  later(60_000)
  assert.deepEqual(picked(), { alive: [one.peer], doubtful: [two.peer] })
  index.miss(one.peer)
  assert.deepEqual(
    picked(),
    { alive: [], doubtful: [two.peer] },
    'a sign that is older than the silence counts for nothing',
  )
})

test('it keeps so many records, and lets go of the one that expires first', () => {
  const { index } = opened()
  const first = sealed(one, { expiresMs: startMs + 1_000 })
  index.take(one.peer, first)
  for (let seed = 100; seed < 100 + recordsMax; seed++) {
    index.admit({ by: `peer ${seed}`, body: record(), envelope: Uint8Array.of(seed & 0xff, seed >> 8) })
  }
  assert.equal(index.heard().length, recordsMax)
  assert.equal(index.get(one.peer), undefined)
})

test('our own record is no record of another', () => {
  const { index } = opened()
  assert.equal(index.take(signer(0).peer, sealed(signer(0))), false)
  assert.deepEqual(index.heard(), [])
})

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'pleach-index-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** One life of a peer over the ledger at this path. */
function life(path: string, clock: VirtualClock) {
  const store = Store.open(path, { after: () => () => {} }, silentLog)
  const floors = new SequenceFloors(store)
  const shelf = new KnownRecords(store, floors, { after: () => () => {} }, silentLog)
  const floor = {
    raise: (key: string, sequence: number, hash: Uint8Array) => floors.acceptsForNow(key, sequence, hash),
  }
  const index = new RecordIndex({ notary: { signer: signer(0), network }, clock, floor, shelf })
  const end = async () => {
    const closing = shelf.close()
    store.close()
    await closing
  }
  return { index, floors, end, names: () => new Set(index.heard().map(({ peer }) => peer)) }
}

test('a restart brings back what stands, and nothing older is believed then', async (t) => {
  const path = join(folderOf(t), 'ledger.db')
  const clock = new VirtualClock(startMs)
  const before = life(path, clock)
  before.index.take(one.peer, sealed(one))
  before.index.take(two.peer, sealed(two, { expiresMs: startMs + 1_000 }))
  before.index.take(three.peer, sealed(three, { sequence: 7 }))
  before.index.take(three.peer, sealed(three, { sequence: 8, withdrawn: true }))
  await before.end()
  clock.after(1_000, () => {})
  while (clock.jump());

  const after = life(path, clock)
  after.index.restore()
  assert.deepEqual(after.names(), new Set([one.peer]), 'one has expired, and one was taken back')
  assert.equal(after.index.take(one.peer, sealed(one, { sequence: 4 })), false, 'played back')
  assert.equal(after.index.take(three.peer, sealed(three, { sequence: 7 })), false, 'what was taken back stays so')
  assert.equal(after.index.take(one.peer, sealed(one, { sequence: 6 })), true)
  assert.equal(after.floors.of(floorKeyOf(one.peer)), 6)
  await after.end()

  const last = life(path, clock)
  last.index.restore()
  assert.equal(last.index.get(one.peer)?.capability.sequence, 6)
  await last.end()
})

test('what the disk has spoilt is not taken back', async (t) => {
  const path = join(folderOf(t), 'ledger.db')
  const clock = new VirtualClock(startMs)
  const before = life(path, clock)
  before.index.take(one.peer, sealed(one))
  await before.end()
  const store = Store.open(path, { after: () => () => {} }, silentLog)
  const envelope = sealed(one)
  store.writeNow((db) =>
    db.prepare('UPDATE records_known SET envelope = ?').run(envelope.with(-1, envelope.at(-1)! ^ 1)),
  )
  store.close()
  const after = life(path, clock)
  assert.equal(after.index.restore(), 0)
  await after.end()
})
