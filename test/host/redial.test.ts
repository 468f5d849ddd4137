// Redialling against a network of which the test says everything, on a clock that the test moves.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { Connection, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'

import { realClock, silentLog, type Clock } from '../../src/environment.ts'
import { identityFromSeed, limitsFor } from '../../src/host/index.ts'
import { createRedial } from '../../src/host/redial.ts'
import { seedOf } from './network.ts'

const peerOf = (number: number): PeerId => peerIdFromString(identityFromSeed(seedOf(number)).peer)
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

/** Time that goes on only when told to. */
const steppedClock = () => {
  const timers = new Set<{ atMs: number; run: () => void }>()
  let nowMs = 0
  const clock: Clock = {
    ...realClock,
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
  }
  const forward = async (ms: number): Promise<void> => {
    const endMs = nowMs + ms
    for (;;) {
      const [next] = [...timers].filter(({ atMs }) => atMs <= endMs).toSorted((one, two) => one.atMs - two.atMs)
      if (next === undefined) break
      timers.delete(next)
      nowMs = next.atMs
      next.run()
      await turns()
    }
    nowMs = endMs
  }
  return { clock, forward, timers }
}

const world = (
  changed: {
    known?: number[]
    silent?: number[]
    bootstrap?: string[]
    connectionsMin?: number
    explore?: (countMax: number) => PeerId[]
  } = {},
) => {
  const { clock, forward, timers } = steppedClock()
  const dialled: { atMs: number; target: string }[] = []
  const connections: Connection[] = []
  const events = new EventTarget()
  let answers = false
  const known = (changed.known ?? []).map((number) => ({
    id: peerOf(number),
    addresses: [{}],
    protocols: number === 99 ? ['/other/1'] : ['/meshsub/1.2.0'],
  }))
  const node = {
    peerId: peerOf(1),
    getConnections: () => connections,
    peerStore: { forEach: async (visit: (peer: unknown) => void) => known.forEach((peer) => visit(peer)) },
    addEventListener: events.addEventListener.bind(events),
    removeEventListener: events.removeEventListener.bind(events),
  }
  const dialler = {
    async dial(target: PeerId | Multiaddr): Promise<Connection> {
      dialled.push({ atMs: clock.monotonicMs(), target: target.toString() })
      if (changed.silent?.some((number) => peerOf(number).toString() === target.toString()) === true)
        return new Promise(() => {})
      if (!answers) throw new Error('nobody is there')
      const connection = Object.assign(new EventTarget(), {
        status: 'open',
        remotePeer: peerOf(3),
        remoteAddr: multiaddr('/ip4/1.2.3.4/tcp/1'),
      }) as unknown as Connection
      connections.push(connection)
      return connection
    },
  }
  const redial = createRedial({
    node: node as never,
    bootstrap: (changed.bootstrap ?? []).map((text) => multiaddr(text)),
    dialler: dialler as never,
    explore: async (countMax) => changed.explore?.(countMax) ?? [],
    limits: limitsFor('public', {
      redialAfterMs: 1000,
      redialAfterMsMax: 8000,
      connectionsMin: changed.connectionsMin ?? 4,
    }),
    clock,
    // The middle of the jitter.
    random: { bytes: () => new Uint8Array(), float: () => 0.5 },
    log: silentLog,
  })
  const lose = (): void => {
    const [connection] = connections.splice(0, 1)
    ;(connection as unknown as EventTarget).dispatchEvent(new Event('close'))
    events.dispatchEvent(new Event('peer:disconnect'))
  }
  return {
    redial,
    forward,
    timers,
    dialled,
    connections,
    lose,
    answer: (does: boolean) => (answers = does),
    now: () => clock.nowMs(),
  }
}

describe('redialling', () => {
  test('doubles the pause up to its bound, and never gives up', async () => {
    const { redial, forward, dialled } = world({ bootstrap: ['/ip4/1.2.3.4/tcp/1'] })
    redial.start()
    await turns()
    await forward(40_000)
    assert.deepEqual(
      dialled.map(({ atMs }) => atMs),
      [0, 1000, 3000, 7000, 15_000, 23_000, 31_000, 39_000],
    )
    redial.stop()
  })

  test('dials peers met before that are of our kind, as many as are missing', async () => {
    const { redial, dialled } = world({ known: [99, 2, 3, 4], connectionsMin: 2 })
    redial.start()
    await turns()
    assert.equal(dialled.length, 2)
    assert.ok(dialled.every(({ target }) => [2, 3, 4].map((number) => peerOf(number).toString()).includes(target)))
    redial.stop()
  })

  test('does not dial more than are missing while dials are under way, though one has ended', async () => {
    const { redial, forward, dialled, connections, answer } = world({
      known: [4, 2, 5, 6, 7],
      silent: [2],
      connectionsMin: 3,
    })
    answer(true)
    redial.start()
    await turns()
    await forward(60_000)
    assert.equal(connections.length, 2)
    assert.equal(dialled.length, 3)
    redial.stop()
  })

  test('neither dials itself, nor whom it has, nor anybody once it has enough', async () => {
    const self = `/ip4/1.2.3.4/tcp/9/p2p/${peerOf(1).toString()}`
    const { redial, forward, dialled, answer } = world({ bootstrap: [self, '/ip4/1.2.3.4/tcp/1'], connectionsMin: 2 })
    answer(true)
    redial.start()
    await turns()
    await forward(60_000)
    assert.deepEqual(
      dialled.map(({ target }) => target),
      ['/ip4/1.2.3.4/tcp/1'],
    )
    redial.stop()

    const enough = world({ known: [4], connectionsMin: 0 })
    enough.redial.start()
    await turns()
    await enough.forward(60_000)
    assert.deepEqual(enough.dialled, [])
    enough.redial.stop()
  })

  test('counts a connection that does not last as a failure, and forgives one that does', async () => {
    const { redial, forward, dialled, answer, lose } = world({ bootstrap: ['/ip4/1.2.3.4/tcp/1'] })
    answer(true)
    redial.start()
    await turns()
    for (const [atMs, pauseMs] of [
      [0, 1000],
      [1000, 2000],
      [3000, 4000],
    ] as const) {
      assert.equal(dialled.at(-1)?.atMs, atMs)
      lose()
      await turns()
      await forward(pauseMs)
    }
    assert.equal(dialled.at(-1)?.atMs, 7000)
    await forward(60_000)
    assert.equal(dialled.length, 4)
    for (const atMs of [68_000, 69_000]) {
      lose()
      await turns()
      await forward(1000)
      assert.equal(dialled.at(-1)?.atMs, atMs, 'after the first pause each time, and not after eight seconds')
      if (atMs === 68_000) assert.equal(dialled.length, 5)
    }
    redial.stop()
  })

  test('asks for peers when it knows too few, and dials as many as are missing', async () => {
    const asked: number[] = []
    const { redial, forward, dialled, answer } = world({
      bootstrap: ['/ip4/1.2.3.4/tcp/1'],
      connectionsMin: 3,
      explore: (countMax) => {
        asked.push(countMax)
        return [4, 5, 6].slice(0, countMax).map(peerOf)
      },
    })
    redial.start()
    await turns()
    await forward(500)
    assert.deepEqual(asked, [], 'nobody can be asked before anybody is there')
    answer(true)
    await forward(60_000)
    assert.deepEqual(asked, [2])
    assert.deepEqual(
      dialled.map(({ target }) => target),
      ['/ip4/1.2.3.4/tcp/1', '/ip4/1.2.3.4/tcp/1', peerOf(4).toString(), peerOf(5).toString()],
    )
    redial.stop()
  })

  test('asks ever more rarely while nothing comes of it', async () => {
    const askedMs: number[] = []
    const { redial, forward, dialled, answer, now } = world({
      bootstrap: ['/ip4/1.2.3.4/tcp/1'],
      explore: () => {
        askedMs.push(now())
        answer(false)
        return [peerOf(4)]
      },
    })
    answer(true)
    redial.start()
    await turns()
    await forward(32_000)
    assert.deepEqual(askedMs, [0, 1000, 3000, 7000, 15_000, 23_000, 31_000])
    assert.deepEqual(
      dialled.filter(({ target }) => target === peerOf(4).toString()).map(({ atMs }) => atMs),
      [0, 1000, 3000, 7000, 15_000, 23_000, 31_000],
    )
    redial.stop()
  })

  test('leaves no timer when it is stopped', async () => {
    const { redial, forward, timers, dialled } = world({ bootstrap: ['/ip4/1.2.3.4/tcp/1'] })
    redial.start()
    await turns()
    await forward(2000)
    redial.stop()
    assert.equal(timers.size, 0)
    const before = dialled.length
    await forward(60_000)
    assert.equal(dialled.length, before)
  })
})
