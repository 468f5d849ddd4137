/**
 * Stands, with others of its operator, around a place of the DHT (see identities.ts): makes itself known to its victims so that
 * it comes into their tables, and answers whoever asks with nothing, and with nobody but its accomplices.
 */
import { bendDht, dhtPeerOf, type Vice } from './vice.ts'

const dialWithinMs = 5_000
/** Between two looks at whether it is still connected to them. */
const dialAgainMs = 2_000

export const eclipse: Vice = {
  bend: (ports, context) =>
    bendDht(ports, () => ({ value: undefined, providers: [], closer: context.accomplices().map(dhtPeerOf) })),

  async act(host, context, signal) {
    const { clock, victims } = context
    while (!signal.aborted) {
      const connected = new Set(host.connections().map(({ peer }) => peer))
      const wanted = new Set(victims?.() ?? context.others().map(({ peer }) => peer))
      const targets = context.others().filter(({ peer }) => wanted.has(peer) && !connected.has(peer))
      using deadline = clock.deadline(dialWithinMs, signal)
      await Promise.all(targets.map(async ({ address }) => host.dial(address, deadline.signal).catch(() => {})))
      await clock.sleep(dialAgainMs, signal).catch(() => {})
    }
  },
}
