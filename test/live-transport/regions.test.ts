// A world with regions: the table that it goes by, who is where, and what two hosts see of it.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'

import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

import { LiveNetwork } from '../../sim/live/network.ts'
import { medianLatencyMs, regionTable, spreadOver } from '../../sim/live/regions.ts'
import { liveTransport, type LiveNet } from '../../sim/live/transport.ts'
import { TimerWheel } from '../../sim/live/wheel.ts'
import { SeededRandom } from '../../sim/random.ts'
import { silentLogger } from '../../src/host/silent-logger.ts'

const table = regionTable()
const { regions } = table
const ips = Array.from({ length: 500 }, (_, index) => `20.0.${index >> 8}.${index & 255}`)

describe('the table of regions', () => {
  test('is whole, the same in both directions, and says where it is from', () => {
    assert.ok(regions.length >= 8)
    assert.match(table.source, /IBM Cloud Docs.*2024/)
    for (const from of regions) {
      for (const to of regions) {
        const roundTripMs = table.roundTripMs(from, to)
        assert.ok(roundTripMs > 0 && roundTripMs < 400)
        assert.equal(roundTripMs, table.roundTripMs(to, from))
        if (from !== to) assert.ok(roundTripMs > table.roundTripMs(from, from), `${from} to ${to}`)
      }
    }
    assert.throws(() => table.roundTripMs('frankfurt', 'atlantis'), RangeError)
  })

  test('has no way that a detour would shorten by more than a tenth', () => {
    for (const from of regions) {
      for (const to of regions) {
        for (const by of regions.filter((region) => region !== from && region !== to)) {
          const detourMs = table.roundTripMs(from, by) + table.roundTripMs(by, to)
          assert.ok(table.roundTripMs(from, to) <= 1.1 * detourMs, `${from} to ${to} by ${by}`)
        }
      }
    }
  })

  test('has a median', () => {
    const known = new Map([
      ['a b', 2],
      ['a c', 8],
      ['b c', 40],
    ])
    const roundTripMs = (from: string, to: string): number => known.get(`${from} ${to}`)!
    assert.equal(medianLatencyMs({ regions: ['a', 'b', 'c'], roundTripMs }), 4)
  })

  test('is refused when a round trip is missing', () => {
    const classes = 'classes: { a: { share: 1, upBytesPerSecond: 1, downBytesPerSecond: 1, accessMs: 0 } }'
    const text = (row: string): string =>
      `{ source: x, sameRegionMs: 1, jitterShare: 0, regions: [a, b], roundTripsMs: { a: ${row} }, ${classes} }`
    assert.equal(regionTable(text('[7]')).roundTripMs('b', 'a'), 7)
    assert.throws(() => regionTable(text('[]')), /a has 0 round trips, not 1/)
    assert.throws(() => regionTable(text('[-7]')))
  })
})

describe('peers in regions', () => {
  test('are where the seed says, whoever is asked for first', () => {
    const [one, other] = [spreadOver(table, { seed: 1 }), spreadOver(table, { seed: 1 })]
    const there = ips.map((ip) => one.regionOf(ip))
    assert.deepEqual(
      ips.toReversed().map((ip) => other.regionOf(ip)),
      there.toReversed(),
    )
    assert.notDeepEqual(
      ips.map((ip) => spreadOver(table, { seed: 2 }).regionOf(ip)),
      there,
    )
    assert.deepEqual(new Set(there), new Set(regions))
  })

  test('are as many in a region, and of a class, as its share says', () => {
    const spread = spreadOver(table, { seed: 1, shares: { sydney: 3, london: 1 } })
    const inSydney = ips.filter((ip) => spread.regionOf(ip) === 'sydney').length / ips.length
    assert.ok(Math.abs(inSydney - 0.75) < 0.06, `${inSydney}`)
    assert.ok(ips.every((ip) => ['sydney', 'london'].includes(spread.regionOf(ip))))
    const atHome = ips.filter((ip) => spread.classOf(ip) === 'home').length / ips.length
    assert.ok(Math.abs(atHome - table.classes['home']!.share) < 0.06, `${atHome}`)
    assert.throws(() => spreadOver(table, { seed: 1, shares: { atlantis: 1 } }), /no region atlantis/)
    assert.throws(() => spreadOver(table, { seed: 1, shares: { sydney: 0 } }).regionOf('20.0.0.1'), /shares are 0/)
  })

  test('send as fast as the slower of what the one sends and the other takes', () => {
    const spread = spreadOver(table, { seed: 1, loss: 0.01 })
    const [home, centre] = ['home', 'datacentre'].map((name) => ips.find((ip) => spread.classOf(ip) === name)!) as [
      string,
      string,
    ]
    const { home: access, datacentre } = table.classes
    assert.equal(spread.link(home, centre).bytesPerSecond, access!.upBytesPerSecond)
    assert.equal(spread.link(centre, home).bytesPerSecond, access!.downBytesPerSecond)
    const roundTripMs = table.roundTripMs(spread.regionOf(home), spread.regionOf(centre))
    assert.equal(spread.link(home, centre).latencyMs, roundTripMs / 2 + access!.accessMs + datacentre!.accessMs)
    assert.equal(spread.link(home, centre).loss, 0.01)
  })

  test('in Frankfurt and Sydney see the round trip of the table', { timeout: 20_000 }, async (t) => {
    const spread = spreadOver(table, { seed: 1 })
    const [near, far] = ['frankfurt', 'sydney'].map((region) =>
      ips.find((ip) => spread.regionOf(ip) === region && spread.classOf(ip) === 'datacentre')!,
    ) as [string, string]
    const network: LiveNet = new LiveNetwork(new TimerWheel(), new SeededRandom(1), spread.link)
    const limits = { streamsMax: 64, windowBytes: 64 * 1024, writeBufferBytesMax: 2 ** 20 }
    const [frankfurt, sydney] = await Promise.all(
      [near, far].map(async (ip) =>
        createLibp2p({
          addresses: { listen: [`/ip4/${ip}/tcp/4117`] },
          transports: [liveTransport(network, ip, limits)],
          logger: silentLogger,
        }),
      ),
    )
    t.after(async () => Promise.all([frankfurt!.stop(), sydney!.stop()]))
    await sydney!.handle('/echo/1', async (stream) => {
      for await (const data of stream) stream.send(data)
    })
    const connection = await frankfurt!.dial(multiaddr(`/ip4/${far}/tcp/4117`))
    const stream = await connection.newStream('/echo/1')
    const tooksMs: number[] = []
    for (let round = 0; round < 8; round++) {
      const startedMs = performance.now()
      stream.send(new Uint8Array(8))
      await once(stream as unknown as EventTarget, 'message')
      tooksMs.push(performance.now() - startedMs)
    }
    stream.abort(new Error('done'))
    const roundTripMs = table.roundTripMs('frankfurt', 'sydney')
    assert.equal(roundTripMs, 250)
    const leastMs = Math.min(...tooksMs)
    assert.ok(leastMs >= roundTripMs * (1 - table.jitterShare) - 1, `${leastMs} ms`)
    assert.ok(leastMs <= roundTripMs * (1 + table.jitterShare), `${leastMs} ms`)
  })
})
