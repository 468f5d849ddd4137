/**
 * Says far more than it has to: bids by the hundred, for as long as anybody listens, and questions about leases that nobody has ever
 * heard of, to a few peers as fast as they are taken.
 */
import { bidTopic, sealBid, noWishes } from '../../../protocols/bid/index.ts'
import { encodeExecution, executeLimits, executeProtocol } from '../../../protocols/execute/index.ts'
import { cidOfDocument, type PeerName } from '../../../protocols/wire/index.ts'
import type { Host } from '../../../src/host/index.ts'
import { notaryOf, type Vice, type ViceContext } from './vice.ts'

/** In each turn, which is a small part of a second. */
const bidsAtOnce = 10
const turnMs = 50
/** Who is drowned at a time; all peers share a processor with this one. */
const drownedMax = 3
const framesAtOnce = 50
const writeWithinMs = 5_000

export const flood: Vice = {
  bend: (ports) => ports,

  async act(host, context, signal) {
    const drowned = new Map<PeerName, Promise<void>>()
    while (!signal.aborted) {
      await cry(host, context).catch(() => {})
      for (const { peer } of host.connections()) {
        if (drowned.size >= drownedMax) break
        if (drowned.has(peer)) continue
        const drowning = drown(host, peer, context, signal).finally(() => drowned.delete(peer))
        drowned.set(peer, drowning)
      }
      await context.clock.sleep(turnMs, signal).catch(() => {})
    }
    await Promise.all(drowned.values())
  },
}

async function cry(host: Host, context: ViceContext): Promise<void> {
  const { signer, network } = notaryOf(context)
  const topic = bidTopic(network, 'compute')
  if (host.gossip.meshDegree(topic) === 0) return
  const issuedMs = context.clock.nowMs()
  for (let bid = 0; bid < bidsAtOnce; bid++) {
    const envelope = sealBid(signer, network, {
      job: cidOfDocument(context.random.bytes(16)),
      class: 'compute',
      issuedMs,
      expiresMs: issuedMs + 60_000,
      requirements: {
        ...noWishes,
        runtime: 'wasi-preview1',
        cpuMilli: 100,
        memoryBytes: 1,
        diskBytes: 0,
        wallMsMax: 1_000,
      },
      unit: 'credit',
      ceilingMicro: 1_000_000,
      cpuHourMicroMax: 5_000_000,
      spreadMs: 0,
      enough: false,
    })
    await host.gossip.publish(topic, envelope)
  }
}

/** Until the stream ends under it. */
async function drown(host: Host, peer: PeerName, { clock, random }: ViceContext, signal: AbortSignal): Promise<void> {
  try {
    using opening = clock.deadline(writeWithinMs, signal)
    const channel = await host.streams.open(peer, executeProtocol, executeLimits, opening.signal)
    try {
      for (;;) {
        using deadline = clock.deadline(writeWithinMs, signal)
        const lease = Buffer.from(random.bytes(32)).toString('hex')
        const frame = encodeExecution({ lease, say: 'cancel' })
        for (let said = 0; said < framesAtOnce; said++) await channel.write(frame, deadline.signal)
        await clock.sleep(0, signal)
      }
    } finally {
      channel.abort(new Error('enough'))
    }
  } catch {
    // The other side has ended the stream, or takes no more.
  }
}
