/** An honest peer never blames an honest peer, and never loses so much faith in it that it gets no work: weather is nobody's fault. */
import { standingMin } from '../../src/market/wishes.ts'
import { honest, type MeshChecker } from './checker.ts'

export const honestAreNotBanned: MeshChecker = {
  name: 'honest-are-not-banned',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of honest(world)) {
      for (const { peer: other, fault } of peer.blamed) {
        if (world.peerOf(other)?.vice === null)
          wrong.push(`peer ${peer.number} blames ${world.numberOf(other)}: ${fault.code} ${fault.message}`)
      }
      for (const other of peer.disk.seen.keys()) {
        if (world.peerOf(other)?.vice === null && peer.standing(other) < standingMin)
          wrong.push(`peer ${peer.number} thinks ${peer.standing(other).toFixed(2)} of ${world.numberOf(other)}`)
      }
    }
    return wrong
  },
}
