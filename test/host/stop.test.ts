import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'

import { realClock } from '../../src/environment.ts'
import type { Host } from '../../src/host/index.ts'
import { stopWithin } from '../../src/host/stop-within.ts'
import {
  addressOf,
  bytes,
  called,
  deadlineMs,
  eventually,
  hostOf,
  inTime,
  listener,
  startedHost,
  topic,
} from './network.ts'
import { stranger, type Stranger } from './stranger.ts'

describe('a host that is stopped', { timeout: 2 * deadlineMs }, () => {
  test('leaves nothing open: the process ends by itself', async () => {
    const child = spawn(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, 'stop-child.ts'),
    ])
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
    let stoppedMs = Infinity
    child.stdout.once('data', () => (stoppedMs = performance.now()))
    const giveUp = setTimeout(() => child.kill('SIGKILL'), deadlineMs)
    await once(child, 'close')
    clearTimeout(giveUp)
    assert.match(output, /^stopped \d+\n$/)
    const aliveMs = Math.round(performance.now() - stoppedMs)
    assert.ok(child.exitCode === 0 && aliveMs < 2000, `was alive for ${aliveMs} ms after its hosts were stopped`)
  })

  test('lets go of its port and of those that were only half connected', async () => {
    const host = await startedHost()
    const address = addressOf(host)
    const port = Number(multiaddr(address).getComponents()[1]?.value)
    const silent: Socket = connect(port, '127.0.0.1')
    await called((done) => silent.once('connect', done))
    const gone = called((done) => silent.once('close', done))
    silent.on('error', () => {}).resume()
    await host.stop()
    await gone
    const server = createServer()
    await called((done) => server.listen(port, '127.0.0.1', done))
    await called((done) => server.close(done))
  })

  test('does so in its time, whatever the network does', async () => {
    const far = await startedHost()
    const port = Number(multiaddr(addressOf(far)).getComponents()[1]?.value)
    // What stands between them falls silent, without a word to either.
    const sockets: Socket[] = []
    const proxy = createServer((one) => {
      const two = connect(port, '127.0.0.1')
      one.pipe(two).pipe(one)
      sockets.push(one, two)
      for (const socket of [one, two]) socket.on('error', () => {})
    })
    await called((done) => proxy.listen(0, '127.0.0.1', done))
    const { port: proxyPort } = proxy.address() as { port: number }
    const near = await startedHost({ limits: { stopMs: 100 } })
    await near.dial(`/ip4/127.0.0.1/tcp/${proxyPort}`, inTime())
    for (const socket of sockets) socket.unpipe().pause()
    const stream = near.streams.open(far.peer, '/pleach/x/1', { frameBytesMax: 1, streamsPerPeerMax: 1 }, inTime())
    const failed = assert.rejects(stream)
    const startMs = performance.now()
    await near.stop()
    const tookMs = performance.now() - startMs
    assert.ok(tookMs < 400, `took ${Math.round(tookMs)} ms`)
    await failed
    assert.deepEqual(near.connections(), [])
    for (const socket of sockets) socket.destroy()
    proxy.close()
    await far.stop()
  })
})

describe('a stop that libp2p does not bring to an end', { timeout: deadlineMs }, () => {
  const stopping = async (stop: () => Promise<void>): Promise<[cut: number, warned: string[]]> => {
    let cut = 0
    const warned: string[] = []
    const connection = { abort: () => (cut += 1) } as never
    await stopWithin({ stop, getConnections: () => [connection] }, 20, realClock, (_level, message) =>
      warned.push(message),
    )
    return [cut, warned]
  }

  test('cuts the connections when its time is over', async () => {
    const [cut, warned] = await stopping(async () => new Promise(() => {}))
    assert.equal(cut, 1)
    assert.equal(warned.length, 1)
  })

  test('is told of when it fails, and is no failure of ours', async () => {
    const [cut, warned] = await stopping(async () => Promise.reject(new Error('no')))
    assert.equal(cut, 0)
    assert.equal(warned.length, 1)
  })

  test('is quiet when it goes well', async () => {
    assert.deepEqual(await stopping(async () => {}), [0, []])
  })
})

describe('a peer that is connected and has no gossip is redialled, and then has', { timeout: 3 * deadlineMs }, () => {
  const losses: Record<string, (evil: Stranger, host: Host) => void> = {
    'when its streams were aborted': (evil) => {
      for (const stream of evil.getConnections().flatMap(({ streams }) => streams)) {
        if (stream.protocol.startsWith('/meshsub/')) stream.abort(new Error('as when it is too slow'))
      }
    },
    'when its gossipsub has forgotten us': (evil, host) => {
      const internals = evil.services.gossip as unknown as { removePeer(peer: PeerId): void }
      internals.removePeer(peerIdFromString(host.peer))
    },
  }
  for (const [name, lose] of Object.entries(losses)) {
    test(name, async () => {
      const evil = await stranger()
      const host = await hostOf({ limits: { gossipStreamMissingMs: 200, lookEveryMs: 50 } })
      const hearing = listener()
      host.gossip.subscribe(topic, hearing)
      await host.start()
      try {
        await host.dial(evil.getMultiaddrs()[0]!.toString(), inTime())
        const knows = (): boolean => evil.services.gossip.getSubscribers(topic).length > 0
        await eventually('the stranger hears gossip', knows)
        let redialled = false
        host.onPeer(({ kind }) => (redialled ||= kind === 'gone'))
        lose(evil, host)
        await eventually('it is redialled', () => redialled && host.connections().length > 0)
        await eventually('the stranger hears gossip again', knows)
        // More than once: on a busy machine it may be redialled a second time, under the first.
        await eventually('and is heard', () => {
          void evil.services.gossip.publish(topic, bytes('hello'))
          return hearing.heard.length > 0
        })
      } finally {
        await host.stop()
        await evil.stop()
      }
    })
  }
})
