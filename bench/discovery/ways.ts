/** The ways to find somebody, each over the host of a live peer, and what they cost others. */
import { Directory } from '../../src/discovery/directory.ts'
import { RecordIndex } from '../../src/discovery/record-index.ts'
import { neighboursOf, Seeker } from '../../src/discovery/seeker.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { advertsFor, createDiscover, discoverProtocol, type Want } from '../../protocols/discover/index.ts'
import { Traffic } from '../../sim/live/measures/traffic.ts'
import type { LivePeer } from '../../sim/live/live-peer.ts'
import { hottestOf } from '../../sim/live/measures/fairness.ts'
import type { LiveWorld } from '../../sim/live/world.ts'
import type { SeededRandom } from '../../sim/random.ts'

/** Resolves with how many records were found. */
export type Way = (asker: LivePeer, want: Want, limit: number, signal: AbortSignal) => Promise<number>

/** As production does. */
export const asKnown: Way = async (asker, want, limit, signal) => (await asker.find(want, limit, signal)).length

/** As production does in a peer that knows nobody yet: an index of its own for each look, and the host of the peer. */
export function asNewcomer(network: string, random: SeededRandom): Way {
  return async (asker, want, limit, signal) => {
    const { host } = asker
    const connected = () => [...new Set(host.connections().map(({ peer }) => peer))]
    const index = emptyIndex(asker, network, connected)
    const seeker = new Seeker({
      index,
      directory: directoryOf(asker, index),
      discover: createDiscover({ streams: host.streams, timekeeper: realClock, answer: () => [] }),
      neighbours: () => neighboursOf(host, network),
      network,
      clock: realClock,
      random,
      log: silentLog,
      onFault: () => {},
    })
    const found = await seeker.find(want, limit, signal)
    await seeker.stop()
    return found.length
  }
}

/** As before there was an index: adverts, and the record of each who has one. */
export function byDhtAlone(network: string): Way {
  return async (asker, want, limit, signal) => {
    const directory = directoryOf(asker, emptyIndex(asker, network))
    const [advert] = advertsFor(network, want)
    return (await directory.find(advert!, limit, signal)).length
  }
}

export interface Cost {
  readonly looks: number
  readonly found: number
  readonly tookMs: readonly number[]
  /** Requests and answers, of the stream protocol and of the DHT, by look. */
  readonly messages: number
  /** The most asked peer's requests by the mean of all; null when nobody was asked. */
  readonly hottest: number | null
}

const looksAtOnce = 4
const lookWithinMs = 15_000

/** Has peers look one after another, a few at a time, and counts. */
export async function costOf(
  world: LiveWorld,
  askers: readonly LivePeer[],
  want: Want,
  limit: number,
  way: Way,
): Promise<Cost> {
  const traffic = new Traffic()
  const { wire } = world.carrier
  const before = wire.meter
  wire.meter = traffic
  let asked = 0
  const stopWatching = askers.map(({ watchers }) =>
    watchers.add({
      onQuery: (kind) => ({
        // What records cost to be published is nobody's look.
        onRequest: () => void (asked += kind === 'find' || kind === 'get' ? 1 : 0),
        onFailure() {},
        onEnd() {},
      }),
    }),
  )
  const tookMs: number[] = []
  let found = 0
  const queue = [...askers]
  const worker = async (): Promise<void> => {
    for (let asker; (asker = queue.pop()) !== undefined;) {
      using deadline = realClock.deadline(lookWithinMs)
      const startMs = performance.now()
      const count = await way(asker, want, limit, deadline.signal).catch(() => 0)
      if (count > 0) found += 1
      tookMs.push(performance.now() - startMs)
    }
  }
  await Promise.all(Array.from({ length: looksAtOnce }, worker))
  wire.meter = before
  for (const stop of stopWatching) stop()
  const streams = traffic.takenBy(discoverProtocol)
  const ofDht = traffic.takenBy(`/pleach/${world.network}/kad/1`)
  const exchanges = [...streams.values()].reduce((sum, count) => sum + count, asked)
  const served = world.peers
    .filter(({ isUp }) => isUp)
    .map(({ name }) => (streams.get(name) ?? 0) + (asked === 0 ? 0 : (ofDht.get(name) ?? 0)))
  return {
    looks: askers.length,
    found,
    tookMs,
    messages: (2 * exchanges) / askers.length,
    hottest: exchanges === 0 ? null : hottestOf(served),
  }
}

function emptyIndex(asker: LivePeer, network: string, connected: () => string[] = () => []): RecordIndex {
  const floors = new Map<string, number>()
  return new RecordIndex({
    notary: { signer: asker.identity.signer, network },
    clock: realClock,
    floor: {
      raise: (key, sequence) => {
        const stands = sequence >= (floors.get(key) ?? 0)
        if (stands) floors.set(key, sequence)
        return stands
      },
    },
    connected,
  })
}

function directoryOf({ host, name }: LivePeer, index: RecordIndex): Directory {
  return new Directory({ bulletin: host.bulletin, self: name, index, log: silentLog })
}
