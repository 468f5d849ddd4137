// How somebody is found: in what is known, by asking those in doubt, by asking neighbours, and in the DHT; and what each look costs others.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { keeperAdvert, type Capability, type KnownCapability } from '../../protocols/capability/index.ts'
import { capabilityTopic, exchangesPerQueryMax, type Want } from '../../protocols/discover/index.ts'
import type { Fault, PeerName } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { SeededRandom } from '../../sim/random.ts'
import { aliveForMs, RecordIndex } from '../../src/discovery/record-index.ts'
import { neighboursOf, Seeker } from '../../src/discovery/seeker.ts'
import { silentLog } from '../../src/environment.ts'
import { network, signer } from '../support/peers.ts'
import { Floor, people, settle, startMs } from './boards.ts'
import { sealedKeeperRecord } from '../support/keeper-record.ts'

const never = new AbortController().signal
const keep: Want = { kind: 'keep', keepBytes: 1 }
const names = people.map(({ peer }) => peer)
const [one, two] = [people[1]!, people[2]!]

const sealed = (by: (typeof people)[number], over: Partial<Capability> = {}) => sealedKeeperRecord(by, startMs, over)

type Answer = (want: Want) => readonly Uint8Array[] | Promise<readonly Uint8Array[]>

function opened() {
  const clock = new VirtualClock(startMs)
  const index = new RecordIndex({ notary: { signer: signer(0), network }, clock, floor: new Floor() })
  /** What each peer says; who is not there answers nothing. */
  const answers = new Map<PeerName, Answer>()
  const asked: [PeerName, Want['kind']][] = []
  const faults: [PeerName, string][] = []
  const neighbours: PeerName[] = []
  const adverts: string[] = []
  let inDht: (advert: string) => readonly KnownCapability[] = () => []
  const seeker = new Seeker({
    index,
    directory: {
      find: async (advert) => {
        adverts.push(advert)
        return [...inDht(advert)]
      },
    },
    discover: {
      ask: async (peer, want, _recordsMax, signal) => {
        asked.push([peer, want.kind])
        const answer = answers.get(peer)
        if (answer === undefined) throw new Error('nobody is there')
        const late = new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        })
        return Promise.race([answer(want), late])
      },
    },
    neighbours: () => neighbours,
    network,
    clock,
    random: SeededRandom.of(1, 'seeker'),
    log: silentLog,
    onFault: (peer, fault: Fault) => void faults.push([peer, fault.code]),
  })
  const find = async (limit = 1) => (await seeker.find(keep, limit, never)).map(({ peer }) => peer)
  const later = (delayMs: number) => {
    clock.after(delayMs, () => {})
    while (clock.jump());
  }
  const dht = (answer: typeof inDht) => void (inDht = answer)
  return { index, seeker, answers, asked, faults, neighbours, adverts, find, later, dht, clock }
}

test('who is known is found, and nobody is asked', async () => {
  const { index, asked, adverts, neighbours, find } = opened()
  neighbours.push(...names.slice(5, 10))
  index.take(one.peer, sealed(one))
  assert.deepEqual(await find(), [one.peer])
  assert.deepEqual([asked, adverts], [[], []])
})

test('with an empty index neighbours are asked, at most three, and what they know is known', async () => {
  const { answers, asked, adverts, neighbours, find, index } = opened()
  neighbours.push(...names.slice(5, 15))
  for (const peer of neighbours) answers.set(peer, () => [sealed(one)])
  assert.deepEqual(await find(), [one.peer])
  assert.deepEqual(
    asked.map(([, kind]) => kind),
    ['keep', 'keep', 'keep'],
  )
  assert.deepEqual(adverts, [])
  assert.ok(index.isAlive(one.peer))
  assert.deepEqual(await find(), [one.peer])
  assert.equal(asked.length, 3, 'the next look costs nothing')
})

test("neighbours are those of gossip's mesh of records; while it is thin, whoever is connected", () => {
  const [inMesh, connected] = [names.slice(0, 3), names.slice(0, 6)]
  const host = (mesh: readonly PeerName[]) => ({
    meshPeers: (topic: string) => (topic === capabilityTopic(network) ? mesh : names),
    // Two connections to one peer are one neighbour.
    connections: () => [...connected, connected[0]!].map((peer) => ({ peer })),
  })
  assert.deepEqual(neighboursOf(host(inMesh), network), inMesh)
  assert.deepEqual(neighboursOf(host(inMesh.slice(0, 2)), network), connected)
})

test('when all that were asked are silent, others are asked, within what a look may cost', async () => {
  const { answers, asked, adverts, neighbours, find } = opened()
  neighbours.push(...names.slice(5, 15))
  for (const peer of neighbours) {
    answers.set(peer, () => {
      if (asked.length <= 3) throw new Error('it does not answer')
      return [sealed(one)]
    })
  }
  assert.deepEqual(await find(), [one.peer])
  assert.deepEqual([asked.length, new Set(asked.map(([peer]) => peer)).size, adverts], [6, 6, []])
})

test('a neighbour that says nothing is waited for as long as a way there and back may take', async () => {
  const { answers, asked, neighbours, find, clock } = opened()
  neighbours.push(...names.slice(5, 8))
  for (const peer of neighbours) answers.set(peer, async () => new Promise(() => {}))
  const beganMs = clock.nowMs()
  const finding = find()
  while (asked.length < 3) await new Promise(setImmediate)
  while (clock.jump()) await new Promise(setImmediate)
  assert.deepEqual(await finding, [])
  assert.ok(clock.nowMs() - beganMs < 3_000, String(clock.nowMs() - beganMs))
})

test('of whom it is in doubt whether they live, they are asked themselves', async () => {
  const { index, answers, asked, find, later, clock } = opened()
  index.take(one.peer, sealed(one))
  index.take(two.peer, sealed(two))
  later(aliveForMs + 1)
  answers.set(one.peer, () => [sealed(one, { sequence: 6, issuedMs: clock.nowMs() })])
  assert.deepEqual(await find(2), [one.peer])
  assert.deepEqual(new Set(asked.map(([peer]) => peer)), new Set([one.peer, two.peer]))
  assert.equal(index.get(one.peer)?.capability.sequence, 6)
  asked.length = 0
  assert.deepEqual(await find(2), [one.peer])
  assert.deepEqual(asked, [], 'who did not answer is not asked again at once')
})

test('who has nothing to say of itself any more is no answer', async () => {
  const { index, answers, find, later } = opened()
  index.take(one.peer, sealed(one))
  later(aliveForMs + 1)
  answers.set(one.peer, () => [])
  assert.deepEqual(await find(), [])
})

test('one look costs others six exchanges at most, however many there are', async () => {
  const { index, asked, neighbours, find, later } = opened()
  for (const by of people.slice(1, 12)) index.take(by.peer, sealed(by))
  later(aliveForMs + 1)
  neighbours.push(...names.slice(12))
  assert.deepEqual(await find(20), [])
  assert.equal(asked.length, exchangesPerQueryMax)
})

test('the DHT is asked when nobody else knows, and who is found there is asked whether it lives', async () => {
  const { index, answers, adverts, find, dht, later } = opened()
  later(aliveForMs + 1)
  dht(() => {
    index.take(one.peer, sealed(one))
    index.take(two.peer, sealed(two))
    return index.heard()
  })
  answers.set(two.peer, () => [sealed(two)])
  assert.deepEqual(await find(), [two.peer])
  assert.deepEqual(adverts, [keeperAdvert(network)])
})

test('what a neighbour answers is verified: a forgery is held against it, and hides nobody', async () => {
  const { answers, faults, neighbours, find } = opened()
  const [liar, honest] = [names[5]!, names[6]!]
  neighbours.push(liar, honest)
  answers.set(liar, () => [sealed(one).with(-1, 0), sealed(two, { sequence: 9 })])
  answers.set(honest, () => [sealed(two)])
  assert.deepEqual(await find(), [two.peer])
  assert.deepEqual(faults, [[liar, 'SIGNATURE_INVALID']])
})

test('what expired on its way, or is older than what is known, is held against nobody', async () => {
  const { index, answers, faults, neighbours, find } = opened()
  index.take(one.peer, sealed(one, { sequence: 6, withdrawn: true }))
  neighbours.push(names[5]!)
  answers.set(names[5]!, () => [sealed(one), sealed(two, { issuedMs: startMs - 2, expiresMs: startMs - 1 })])
  assert.deepEqual(await find(), [])
  assert.deepEqual(faults, [])
})

test('the record of another in answer to whether a peer lives is held against it', async () => {
  const { index, answers, faults, find, later } = opened()
  index.take(one.peer, sealed(one))
  later(aliveForMs + 1)
  answers.set(one.peer, () => [sealed(two)])
  await find()
  assert.deepEqual(faults, [[one.peer, 'SIGNER_UNEXPECTED']])
})

test('in the background eight are asked at once, and not all the time', async () => {
  const { index, answers, asked, seeker, later } = opened()
  for (const by of people.slice(1)) index.take(by.peer, sealed(by))
  later(aliveForMs + 1)
  for (const by of people.slice(1)) answers.set(by.peer, () => [sealed(by)])
  seeker.freshen()
  assert.equal(asked.length, 8)
  seeker.freshen()
  for (let turn = 0; turn < 10; turn++) await settle()
  assert.equal(asked.length, 23)
  assert.equal(index.alive().length, 23)
  await seeker.stop()
  later(aliveForMs + 1)
  seeker.freshen()
  assert.equal(asked.length, 23, 'nothing is asked any more')
})
