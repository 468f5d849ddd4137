/** Who keeps shards for others: what the index knows, at once; and a look further from time to time. */
import type { PeerName } from '../../protocols/wire/index.ts'
import type { RecordIndex } from '../discovery/record-index.ts'
import type { Seeker } from '../discovery/seeker.ts'
import type { Clock } from '../environment.ts'
import { keeping } from '../reputation/experience.ts'
import type { Reputation } from '../reputation/reputation.ts'

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

/** The same, without those that failed as keepers not long ago, as long as there are enough others; else they come last. */
export function rested(reputation: Pick<Reputation, 'assess'>, find: Finder): Finder {
  return async (signal) => {
    const found = await find(signal)
    const isResting = (peer: PeerName): boolean => reputation.assess(peer, keeping).coolDown !== undefined
    const fit = found.filter((peer) => !isResting(peer))
    return fit.length >= keepersEnough ? fit : [...fit, ...found.filter(isResting)]
  }
}
