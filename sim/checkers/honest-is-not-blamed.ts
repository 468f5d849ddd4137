/** An honest peer never blames an honest peer: what the network and crashes do is nobody's fault. */
import type { Checker } from './checker.ts'

export const honestIsNotBlamed: Checker = (world) =>
  world.peers
    .filter((peer) => peer.vice === null)
    .flatMap((peer) =>
      peer.blamed
        .filter(({ peer: other }) => world.peerOf(other)?.vice === null)
        .map(
          ({ peer: other, fault }) =>
            `peer ${peer.number} blames ${world.numberOf(other)}: ${fault.code} ${fault.message}`,
        ),
    )
