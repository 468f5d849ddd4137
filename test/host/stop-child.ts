// Run by stop.test.ts in a process of its own: hosts that are used and stopped must leave nothing that keeps it alive.

import { createCourier } from '../../src/host/index.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import {
  addressOf,
  bytes,
  eventually,
  hostOf,
  inTime,
  listener,
  numbered,
  startedHost,
  stopAll,
  topic,
} from './network.ts'

const first = await startedHost({ records: [numbered] })
// One that cannot be reached is being dialled all the while.
const bootstrap = [addressOf(first), '/ip4/127.0.0.1/tcp/1']
const second = await startedHost({
  records: [numbered],
  bootstrap,
  limits: { redialAfterMs: 60_000, lookEveryMs: 60_000 },
})
const hosts = [first, second]
for (const host of hosts) host.gossip.subscribe(topic, listener())
await eventually('the mesh is there', () => hosts.every((host) => host.gossip.meshDegree(topic) > 0))
await second.gossip.publish(topic, bytes('hello'))
await second.bulletin.put('numbered', bytes('ann'), bytes('1:x'), inTime())
await second.bulletin.advertise('a name', inTime())

const limits = { frameBytesMax: 64, streamsPerPeerMax: 1 }
const courier = createCourier(second.streams, { clock: realClock, log: silentLog, onFault: () => {} })
await courier.register('/pleach/talk/1', limits, () => {})
await first.streams.handle('/pleach/talk/1', limits, async (channel) => {
  // Never ends by itself.
  for (;;) await channel.read(new AbortController().signal)
})
courier.send(first.peer, '/pleach/talk/1', bytes('hello'))
const idle = await second.streams.open(first.peer, '/pleach/talk/1', limits, inTime())
void idle.read(new AbortController().signal).catch(() => {})

// A host that was never started needs no stop to let go.
await hostOf()
const startMs = performance.now()
courier.stop()
await stopAll(hosts)
await stopAll(hosts)
console.log(`stopped ${Math.ceil(performance.now() - startMs)}`)
