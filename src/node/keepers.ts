/** Who keeps shards for others: what is known, after a look at the bulletin that is not repeated all the time. */
import { keeperAdvert } from '../../protocols/capability/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Directory } from '../discovery/directory.ts'
import type { Clock } from '../environment.ts'

/** How long a look may take, and how many keepers are looked for. */
const lookWithinMs = 3_000
export const keepersMax = 64
/** What was seen this recently is not looked for again. */
const lookAgainMs = 10_000

export function createKeeperFinder(directory: Directory, network: string, clock: Clock) {
  let lookedMs = -Infinity
  return async (signal: AbortSignal): Promise<PeerName[]> => {
    if (clock.monotonicMs() - lookedMs >= lookAgainMs) {
      using deadline = clock.deadline(lookWithinMs, signal)
      await directory.find(keeperAdvert(network), keepersMax, deadline.signal)
      signal.throwIfAborted()
      lookedMs = clock.monotonicMs()
    }
    const keepers = directory.known().filter(({ capability }) => (capability.storage?.keepBytes.value ?? 0) > 0)
    return keepers.map(({ peer }) => peer)
  }
}
