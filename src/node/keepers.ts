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

/** Records of connected peers that are read in one look, and at once. */
const readMax = 64
const readingMax = 8

/** Those whose records are at hand. */
export function knownKeepers(directory: Directory): PeerName[] {
  const keepers = directory.known().filter(({ capability }) => (capability.storage?.keepBytes.value ?? 0) > 0)
  return keepers.map(({ peer }) => peer)
}

/** `connected`: the DHT names 20 keepers at most, and who is connected may be another. */
export function createKeeperFinder(
  directory: Directory,
  network: string,
  clock: Clock,
  connected: () => readonly PeerName[],
) {
  let lookedMs = -Infinity

  const readConnected = async (signal: AbortSignal): Promise<void> => {
    const known = new Set(directory.known().map(({ peer }) => peer))
    const queue = connected()
      .filter((peer) => !known.has(peer))
      .slice(0, readMax)
    const worker = async (): Promise<void> => {
      for (let peer = queue.shift(); peer !== undefined && !signal.aborted; peer = queue.shift())
        await directory.fetch(peer, signal)
    }
    await Promise.all(Array.from({ length: readingMax }, worker))
  }

  return async (signal: AbortSignal): Promise<PeerName[]> => {
    if (clock.monotonicMs() - lookedMs >= lookAgainMs) {
      using deadline = clock.deadline(lookWithinMs, signal)
      await Promise.all([
        directory.find(keeperAdvert(network), keepersMax, deadline.signal),
        readConnected(deadline.signal),
      ])
      signal.throwIfAborted()
      lookedMs = clock.monotonicMs()
    }
    return knownKeepers(directory)
  }
}
