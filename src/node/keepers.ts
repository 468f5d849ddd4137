/** Who keeps shards for others: what the index knows, at once; and a look further from time to time. */
import type { PeerName } from '../../protocols/wire/index.ts'
import type { RecordIndex } from '../discovery/record-index.ts'
import type { Seeker } from '../discovery/seeker.ts'
import type { Clock } from '../environment.ts'
import { keeping } from '../reputation/experience.ts'
import { looksEnough, type Reputation } from '../reputation/reputation.ts'
import { isThroughRelay } from './relays.ts'

/** How long a look may take, and how many keepers are looked for. */
const lookWithinMs = 3_000
const keepersMax = 64
/** With so many nobody waits for a look. */
const keepersEnough = 16
/** What was seen this recently is not looked for again; sooner while there are too few. */
const lookAgainMs = 10_000
const lookAgainFewMs = 1_000

const wanted = { kind: 'keep', keepBytes: 1 } as const

/** Those whose records are at hand; who lives comes first. */
export function knownKeepers(index: Pick<RecordIndex, 'pick'>): PeerName[] {
  const { alive, doubtful } = index.pick(wanted)
  return [...alive, ...doubtful].map(({ peer }) => peer)
}

/** A look that nobody waits for ends with `ending`. */
export function createKeeperFinder(
  index: Pick<RecordIndex, 'pick'>,
  seeker: Pick<Seeker, 'find'>,
  clock: Pick<Clock, 'deadline' | 'monotonicMs'>,
  ending: AbortSignal,
) {
  let lookedMs = -Infinity

  const look = async (signal: AbortSignal): Promise<void> => {
    using deadline = clock.deadline(lookWithinMs, signal)
    await seeker.find(wanted, keepersMax, deadline.signal)
  }

  return async (signal: AbortSignal): Promise<PeerName[]> => {
    const areEnough = index.pick(wanted).alive.length >= keepersEnough
    if (clock.monotonicMs() - lookedMs >= (areEnough ? lookAgainMs : lookAgainFewMs)) {
      lookedMs = clock.monotonicMs()
      if (areEnough) void look(ending)
      else await look(signal)
      signal.throwIfAborted()
    }
    return knownKeepers(index)
  }
}

type Finder = (signal: AbortSignal) => Promise<PeerName[]>

/** The same, with those last that are connected through a relay alone: what they are given goes through it, and costs it as much. */
export function directFirst(
  connections: () => readonly { readonly peer: PeerName; readonly address: string }[],
  find: Finder,
): Finder {
  return async (signal) => {
    const found = await find(signal)
    const ways = Map.groupBy(connections(), ({ peer }) => peer)
    const isRelayed = (peer: PeerName): boolean =>
      ways.get(peer)?.every(({ address }) => isThroughRelay(address)) ?? false
    return [...found.filter((peer) => !isRelayed(peer)), ...found.filter(isRelayed)]
  }
}

/** Who is there less often than this is asked to keep something only when there is hardly anybody else. */
const thereMin = 0.5

/**
 * The same, without those that failed as keepers not long ago, and those that are not there half of the time as far as enough looks
 * tell, as long as there are enough others; else they come last.
 */
export function rested(reputation: Pick<Reputation, 'assess' | 'uptime'>, find: Finder): Finder {
  return async (signal) => {
    const found = await find(signal)
    const isUnfit = (peer: PeerName): boolean => {
      const { share, looks } = reputation.uptime(peer) ?? { share: 1, looks: 0 }
      return reputation.assess(peer, keeping).coolDown !== undefined || (looks >= looksEnough && share < thereMin)
    }
    const unfit = new Set(found.filter(isUnfit))
    const fit = found.filter((peer) => !unfit.has(peer))
    return fit.length >= keepersEnough ? fit : [...fit, ...unfit]
  }
}
