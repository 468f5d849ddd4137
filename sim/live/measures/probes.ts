/** What is done only in order to measure it: bids that nobody answers, and look-ups of records. */
import { pause } from '../waits.ts'
import { concat, fromString } from 'uint8arrays'

import { sealBid, type Bid, noWishes } from '../../../protocols/bid/index.ts'
import { capabilityNamespace, openCapability } from '../../../protocols/capability/index.ts'
import { cidOfDocument, publicKeyOf } from '../../../protocols/wire/index.ts'
import { realClock } from '../../../src/environment.ts'
import type { SeededRandom } from '../../random.ts'
import type { LivePeer } from '../live-peer.ts'
import type { FindTap } from './find-tap.ts'
import type { GossipTap } from './gossip-tap.ts'

/** More than any peer has: so that a bid is passed on by all and answered by none. */
const cpuMilliOfNobody = 10 ** 9
const bidTermMs = 60_000
/** After the last bid, for those that come by way of IHAVE: a heartbeat, a round trip, and again. */
const bidsWithinMs = 5_000
const pollMs = 50
const lookUpWithinMs = 10_000
const lookUpsAtOnce = 4

/** Where something is tried: the peers that are there. */
export interface ProbedWorld {
  readonly network: string
  readonly topic: string
  readonly peers: readonly LivePeer[]
}

/** Publishes bids from peers that chance picks, and waits until everybody has heard of them, or is not going to. */
export async function probeBids(
  { network, topic, peers }: ProbedWorld,
  bids: number,
  everyMs: number,
  random: SeededRandom,
  tap: GossipTap,
): Promise<void> {
  for (let index = 0; index < bids; index++) {
    const author = random.pick(peers)
    const bid = bidOf(author, network, random)
    tap.probe(bid)
    await author.host.gossip.publish(topic, bid)
    await pause(everyMs)
  }
  const endMs = performance.now() + bidsWithinMs
  while (!tap.isAllHeard && performance.now() < endMs) await pause(pollMs)
}

/** Has peers that chance picks look up the records of others that lend. */
export async function probeFinds(
  { network, peers }: ProbedWorld,
  lookUps: number,
  random: SeededRandom,
  tap: FindTap,
): Promise<void> {
  const lenders = peers.filter(({ lends }) => lends)
  const pairs = Array.from({ length: lookUps }, () => {
    const target = random.pick(lenders)
    return { target, asker: random.pick(peers.filter((peer) => peer !== target)) }
  })
  const lookUpSome = async (): Promise<void> => {
    for (let pair; (pair = pairs.pop()) !== undefined;) {
      const { asker, target } = pair
      const key = publicKeyOf(target.name)
      const path = concat([fromString(`/${capabilityNamespace}/`), key])
      await tap.probe(asker.name, path, async () => isFound(network, asker, target, key))
    }
  }
  await Promise.all(Array.from({ length: lookUpsAtOnce }, lookUpSome))
}

async function isFound(network: string, asker: LivePeer, target: LivePeer, key: Uint8Array): Promise<boolean> {
  using deadline = realClock.deadline(lookUpWithinMs)
  const record = await asker.host.bulletin.get(capabilityNamespace, key, deadline.signal).catch(() => undefined)
  if (record === undefined) return false
  return openCapability(asker.identity.signer, network, record, realClock.nowMs()).by === target.name
}

function bidOf(author: LivePeer, network: string, random: SeededRandom): Uint8Array {
  const nowMs = realClock.nowMs()
  const bid: Bid = {
    job: cidOfDocument(random.bytes(32)),
    class: 'compute',
    issuedMs: nowMs,
    expiresMs: nowMs + bidTermMs,
    requirements: {
      ...noWishes,
      runtime: 'wasi-preview1',
      cpuMilli: cpuMilliOfNobody,
      memoryBytes: 1,
      diskBytes: 0,
      wallMsMax: 1_000,
    },
    unit: 'credit',
    ceilingMicro: 1,
    cpuHourMicroMax: 1,
    spreadMs: 0,
    enough: false,
  }
  return sealBid(author.identity.signer, network, bid)
}
