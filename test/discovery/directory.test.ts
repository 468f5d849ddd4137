import assert from 'node:assert/strict'
import { test } from 'node:test'

import { keeperAdvert, sealCapability, type Capability } from '../../protocols/capability/index.ts'
import { Fault } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { silentLog } from '../../src/environment.ts'
import { Directory } from '../../src/discovery/directory.ts'
import { RecordIndex } from '../../src/discovery/record-index.ts'
import { network, signer } from '../support/peers.ts'
import { Board, Floor, people, startMs } from './boards.ts'
import { keeperRecord, sealedKeeperRecord } from '../support/keeper-record.ts'

const never = new AbortController().signal
const keepers = keeperAdvert(network)
const [one, two, three] = [people[1]!, people[2]!, people[3]!]

const record = (over: Partial<Capability> = {}) => keeperRecord(startMs, over)
const sealed = (by: (typeof people)[number], over: Partial<Capability> = {}) => sealedKeeperRecord(by, startMs, over)

function opened(floor = new Floor()) {
  const clock = new VirtualClock(startMs)
  const board = new Board(() => clock.nowMs())
  const index = new RecordIndex({ notary: { signer: signer(0), network }, clock, floor })
  const directory = new Directory({ bulletin: board, self: signer(0).peer, index, log: silentLog })
  const names = () => new Set(index.heard().map(({ peer }) => peer))
  const later = (delayMs: number) => {
    clock.after(delayMs, () => {})
    while (clock.jump());
  }
  return { clock, board, directory, index, floor, names, later }
}

test('who advertises is found, with the record that says what it can do', async () => {
  const { board, directory, index } = opened()
  board.found.set(keepers, [one.peer, two.peer])
  board.lay(one.peer, sealed(one))
  board.lay(two.peer, sealed(two, { sequence: 9 }))
  const found = await directory.find(keepers, 10, never)
  assert.deepEqual(
    new Map(found.map(({ peer, capability }) => [peer, capability.sequence])),
    new Map([
      [one.peer, 5],
      [two.peer, 9],
    ]),
  )
  assert.deepEqual(index.get(one.peer)?.capability, record())
})

test('an advert without a record leads nowhere, and our own is not looked up', async () => {
  const { board, directory } = opened()
  const asked: string[] = []
  board.onGet = (peer) => void asked.push(peer)
  board.found.set(keepers, [signer(0).peer, one.peer])
  assert.deepEqual(await directory.find(keepers, 10, never), [])
  assert.deepEqual(asked, [one.peer])
})

test('an unlawful record of one peer does not hide another', async () => {
  const unlawful: readonly [string, Uint8Array][] = [
    ['expired', sealed(one, { issuedMs: startMs - 1, expiresMs: startMs })],
    ['from the future', sealed(one, { issuedMs: startMs + 31_000 })],
    ["somebody else's", sealed(three)],
    ['of another network', sealCapability(one, 'elsewhere', record())],
    ['too long', new Uint8Array(5_000)],
    ['junk', Uint8Array.of(1, 2, 3)],
    ['nothing', new Uint8Array()],
  ]
  for (const [what, envelope] of unlawful) {
    const { board, directory, index } = opened()
    board.found.set(keepers, [one.peer, two.peer])
    board.lay(one.peer, envelope)
    board.lay(two.peer, sealed(two))
    const found = await directory.find(keepers, 10, never)
    assert.deepEqual(
      found.map(({ peer }) => peer),
      [two.peer],
      what,
    )
    assert.throws(() => index.take(one.peer, envelope), Fault, what)
    assert.deepEqual(await directory.fetch('not a peer', never), undefined)
  }
})

test('a board that fails for one peer does not hide another', async () => {
  const { board, directory } = opened()
  board.found.set(keepers, [one.peer, two.peer])
  board.lay(two.peer, sealed(two))
  board.onGet = (peer) => {
    if (peer === one.peer) throw new Error('nobody answers')
  }
  const found = await directory.find(keepers, 10, never)
  assert.deepEqual(
    found.map(({ peer }) => peer),
    [two.peer],
  )
})

test('an older record is refused, also after a restart: nothing can be played back', async () => {
  const { index, floor } = opened()
  assert.equal(index.take(one.peer, sealed(one, { sequence: 5 })), true)
  assert.equal(index.take(one.peer, sealed(one, { sequence: 4 })), false)
  assert.equal(index.take(one.peer, sealed(one, { sequence: 5, software: 'x' })), false)
  assert.equal(index.get(one.peer)?.capability.sequence, 5)
  assert.equal(index.take(one.peer, sealed(one, { sequence: 6 })), true)
  assert.equal(index.get(one.peer)?.capability.sequence, 6)

  const again = opened(floor)
  assert.equal(again.index.take(one.peer, sealed(one, { sequence: 5 })), false)
  assert.equal(again.index.get(one.peer), undefined)
  again.board.lay(one.peer, sealed(one, { sequence: 5 }))
  assert.equal(await again.directory.fetch(one.peer, never), undefined)
  assert.equal(again.index.take(one.peer, sealed(one, { sequence: 6 })), true, 'the one that was seen is taken')
  assert.equal(again.index.take(two.peer, sealed(two, { sequence: 1 })), true, 'the floor is of one peer')
})

test('a peer that takes its record back is known no longer', async () => {
  const { index, names } = opened()
  index.take(one.peer, sealed(one))
  index.take(two.peer, sealed(two))
  index.take(one.peer, sealed(one, { sequence: 6, withdrawn: true }))
  assert.deepEqual(names(), new Set([two.peer]))
  assert.equal(index.take(one.peer, sealed(one)), false, 'what was withdrawn stays so')
  assert.deepEqual(names(), new Set([two.peer]))
})

test('a record leaves when it expires', async () => {
  const { index, names, later } = opened()
  index.take(one.peer, sealed(one, { expiresMs: startMs + 1_000 }))
  index.take(two.peer, sealed(two))
  later(999)
  assert.deepEqual(names(), new Set([one.peer, two.peer]))
  later(1)
  assert.deepEqual(names(), new Set([two.peer]))
  assert.equal(index.get(one.peer), undefined)
})

test('what is known stays known when the board has nothing newer', async () => {
  const { board, directory, index } = opened()
  index.take(one.peer, sealed(one))
  assert.equal((await directory.fetch(one.peer, never))?.capability.sequence, 5)
  board.lay(one.peer, sealed(one, { sequence: 4 }))
  assert.equal((await directory.fetch(one.peer, never))?.capability.sequence, 5)
  board.lay(one.peer, Uint8Array.of(9))
  assert.equal((await directory.fetch(one.peer, never))?.capability.sequence, 5)
})

test('a search that ran out of time has found what it has found', async () => {
  const { board, directory } = opened()
  const controller = new AbortController()
  board.lay(one.peer, sealed(one))
  board.find = async function* () {
    yield one.peer
    controller.abort(new Error('time is up'))
    throw controller.signal.reason
  }
  const found = await directory.find(keepers, 10, controller.signal)
  assert.deepEqual(
    found.map(({ peer }) => peer),
    [one.peer],
  )
})

test('at most eight records are read at once', async () => {
  const { board, directory } = opened()
  board.found.set(
    keepers,
    people.slice(1).map(({ peer }) => peer),
  )
  let reading = 0
  let most = 0
  for (const by of people.slice(1)) board.lay(by.peer, sealed(by))
  const get = board.get.bind(board)
  board.get = async (...args) => {
    most = Math.max(most, ++reading)
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    reading--
    return get(...args)
  }
  assert.equal((await directory.find(keepers, 100, never)).length, 23)
  assert.equal(most, 8)
})
