// What a simulated network can do to its hosts, each undone again: what two and three of them see of it.

import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'

import { perfectLink, type LinkQuality } from '../../sim/live/link.ts'
import { LiveNetwork } from '../../sim/live/network.ts'
import { liveTransport, type LiveNet } from '../../sim/live/transport.ts'
import { TimerWheel } from '../../sim/live/wheel.ts'
import { SeededRandom } from '../../sim/random.ts'
import { silentLogger } from '../../src/host/silent-logger.ts'

const limits = { streamsMax: 64, windowBytes: 64 * 1024, writeBufferBytesMax: 4 * 2 ** 20 }
const [hereIp, thereIp, elsewhereIp] = ['20.0.0.1', '20.0.0.2', '20.0.0.3'] as const
const deadlineMs = 10_000
/** What has not come after this is kept back: a hundred times longer than the way takes. */
const silenceMs = 100
const protocol = '/say/1'
const inTime = (): AbortSignal => AbortSignal.timeout(deadlineMs)

const eventually = async (what: string, holds: () => boolean): Promise<void> => {
  const endMs = performance.now() + deadlineMs
  while (!holds()) {
    if (performance.now() > endMs) assert.fail(`not within ${deadlineMs} ms: ${what}`)
    await sleep(2)
  }
}

interface Ear {
  text: string
}

/** Everything that comes over a stream, as it comes. */
const hear = (stream: Stream): Ear => {
  const ear: Ear = { text: '' }
  stream.addEventListener('message', ({ data }) => {
    ear.text += new TextDecoder().decode(data.subarray())
  })
  return ear
}

const say = (stream: Stream, text: string): void => void stream.send(new TextEncoder().encode(text))

describe('the weather', { timeout: 3 * deadlineMs }, () => {
  let network: LiveNet
  let link: LinkQuality
  let hosts: Libp2p[]
  let here: Libp2p
  let there: Libp2p
  let connection: Connection
  let mine: Stream
  let theirs: Stream
  let heardThere: Ear
  let heardHere: Ear

  const hostAt = async (ip: string): Promise<Libp2p> => {
    const host = await createLibp2p({
      addresses: { listen: [`/ip4/${ip}/tcp/4117`] },
      transports: [liveTransport(network, ip, limits)],
      logger: silentLogger,
    })
    hosts.push(host)
    return host
  }

  const dial = async (host: Libp2p, ip: string, signal = inTime()): Promise<Connection> =>
    host.dial(multiaddr(`/ip4/${ip}/tcp/4117`), { signal })

  beforeEach(async () => {
    link = { ...perfectLink, latencyMs: 1 }
    network = new LiveNetwork(new TimerWheel(), new SeededRandom(1), () => link)
    hosts = []
    here = await hostAt(hereIp)
    there = await hostAt(thereIp)
    const { promise, resolve } = Promise.withResolvers<Stream>()
    await there.handle(protocol, (stream) => resolve(stream))
    connection = await dial(here, thereIp)
    mine = await connection.newStream(protocol, { signal: inTime() })
    theirs = await promise
    heardThere = hear(theirs)
    heardHere = hear(mine)
  })

  afterEach(async () => {
    mine.abort(new Error('done'))
    await Promise.all(hosts.map(async (host) => host.stop()))
    await eventually('nothing lives', () => network.linesCount === 0 && network.wheel.waiting === 0)
  })

  test('of a mute host lets through what is sent to it, and nothing that it sends', async () => {
    const mend = network.mute([hereIp])
    say(mine, 'from here ')
    say(theirs, 'from there')
    await eventually('it hears', () => heardHere.text === 'from there')
    await sleep(silenceMs)
    assert.equal(heardThere.text, '')
    const elsewhere = await hostAt(elsewhereIp)
    await assert.rejects(dial(elsewhere, hereIp, AbortSignal.timeout(silenceMs)), 'its answers do not get out')
    assert.equal((await dial(elsewhere, thereIp)).status, 'open', 'others reach each other')
    say(mine, 'in order')
    mend()
    await eventually('what waited comes', () => heardThere.text === 'from here in order')
    assert.equal((await dial(elsewhere, hereIp)).status, 'open')
  })

  test('of hosts that are mute together leaves them each other', async () => {
    network.mute([hereIp, thereIp])
    say(mine, 'between us')
    await eventually('it is heard', () => heardThere.text === 'between us')
  })

  test('of a frozen host closes nothing, and delivers everything when it thaws', async () => {
    const closed: string[] = []
    for (const host of hosts) host.addEventListener('connection:close', () => closed.push(host.peerId.toString()))
    const thaw = network.freeze(hereIp)
    say(mine, 'from here')
    say(theirs, 'from there')
    const elsewhere = await hostAt(elsewhereIp)
    await assert.rejects(dial(elsewhere, hereIp, AbortSignal.timeout(silenceMs)))
    assert.deepEqual([heardHere.text, heardThere.text], ['', ''])
    assert.deepEqual([closed, mine.status, theirs.status], [[], 'open', 'open'])
    thaw()
    await eventually('both hear', () => heardHere.text === 'from there' && heardThere.text === 'from here')
  })

  test('of a host that is frozen twice is over when both are', async () => {
    const [one, other] = [network.freeze(hereIp), network.freeze(hereIp)]
    say(mine, 'at last')
    one()
    await sleep(silenceMs)
    assert.equal(heardThere.text, '')
    other()
    await eventually('it is heard', () => heardThere.text === 'at last')
  })

  test('of slow hosts leaves them a share of their bandwidth, both ways, and of each that is slow', async () => {
    link = { ...perfectLink, latencyMs: 1, bytesPerSecond: 1_000_000 }
    const took = async (from: Stream, ear: Ear): Promise<number> => {
      const startedMs = performance.now()
      const before = ear.text.length
      say(from, 'x'.repeat(20_000))
      await eventually('all of it', () => ear.text.length === before + 20_000)
      return performance.now() - startedMs
    }
    const slowly = network.slow([hereIp], 0.1)
    for (const tookMs of [await took(mine, heardThere), await took(theirs, heardHere)])
      assert.ok(tookMs >= 199 && tookMs < 600, `${tookMs} ms`)
    const slower = network.slow([thereIp], 0.5)
    const bothMs = await took(mine, heardThere)
    assert.ok(bothMs >= 399, `${bothMs} ms`)
    slower()
    slowly()
    const backMs = await took(mine, heardThere)
    assert.ok(backMs >= 19 && backMs < 199, `${backMs} ms`)
  })

  test('of a lossy host loses what it sends, and not what is sent to it', () => {
    const mend = network.lossy([hereIp], 0.5)
    assert.equal(network.quality(hereIp, thereIp).loss, 0.5)
    assert.equal(network.quality(thereIp, hereIp).loss, 0)
    link = { ...link, loss: 0.5 }
    assert.equal(network.quality(hereIp, thereIp).loss, 0.75)
    mend()
    assert.equal(network.quality(hereIp, thereIp).loss, 0.5)
  })

  test('of a lossy host delays what it sends, in order', async () => {
    network.lossy([hereIp], 0.9)
    const words = Array.from({ length: 10 }, (_, index) => `${index} `)
    const startedMs = performance.now()
    for (const word of words) say(theirs, word)
    await eventually('it hears', () => heardHere.text === words.join(''))
    assert.ok(performance.now() - startedMs < 200, 'sooner than anything is sent again')
    for (const word of words) say(mine, word)
    await eventually('it is heard', () => heardThere.text === words.join(''))
    assert.ok(performance.now() - startedMs >= 200, 'later than what is sent again')
  })

  test('of a host behind a NAT lets it dial, keeps what it has, and lets nobody in', async () => {
    const open = network.nat([hereIp])
    const elsewhere = await hostAt(elsewhereIp)
    const startedMs = performance.now()
    await assert.rejects(dial(elsewhere, hereIp, AbortSignal.timeout(silenceMs)))
    assert.ok(performance.now() - startedMs >= silenceMs - 5, 'nobody says no')
    say(theirs, 'over the old one')
    await eventually('it is heard', () => heardHere.text === 'over the old one')
    assert.equal((await dial(here, elsewhereIp)).status, 'open')
    await elsewhere.hangUp(here.peerId)
    const again = network.nat([hereIp])
    open()
    await assert.rejects(dial(elsewhere, hereIp, AbortSignal.timeout(silenceMs)), 'behind another one still')
    again()
    assert.equal((await dial(elsewhere, hereIp)).status, 'open')
  })

  test('of a host that is pulled out breaks its connections at both ends, and another may take its place', async () => {
    network.pull(thereIp)
    assert.equal(connection.status, 'reset')
    assert.deepEqual(there.getConnections(), [])
    assert.ok(![mine, theirs].some(({ status }) => status === 'open'))
    await assert.rejects(dial(here, thereIp))
    await assert.rejects(dial(there, hereIp), 'a dead host dials in vain')
    const next = await hostAt(thereIp)
    assert.equal((await dial(here, thereIp)).remotePeer.toString(), next.peerId.toString())
    await there.stop()
    assert.equal((await dial(here, thereIp)).status, 'open', 'the end of the dead one takes nothing from the new one')
  })

  test('of a partition is mended only by its own end', async () => {
    const [one, other] = [
      network.partition([[hereIp], [thereIp]]),
      network.partition([[hereIp], [thereIp, elsewhereIp]]),
    ]
    say(mine, 'across')
    one()
    await sleep(silenceMs)
    assert.equal(heardThere.text, '')
    other()
    await eventually('it is heard', () => heardThere.text === 'across')
  })
})
