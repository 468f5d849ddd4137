/** A peer does not dial itself: when it repairs what it keeps, its own word on who repairs counts as that of any other keeper. */
import type { Archive, PlacementService } from '../../protocols/placement/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'

export function withOwnArchive(
  placement: PlacementService,
  self: PeerName,
  archive: Pick<Archive, 'claim'>,
): PlacementService {
  return {
    ...placement,
    claim: async (peer, object, forMs, signal) => {
      if (peer !== self) return placement.claim(peer, object, forMs, signal)
      signal.throwIfAborted()
      return archive.claim(object, forMs, self)
    },
  }
}
