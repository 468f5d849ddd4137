/** Which leaves of a shard an audit asks for. Bound to the responder: another peer is asked for others. */
import { concat, fromString } from 'uint8arrays'

import { sha256, type PeerName } from '../wire/index.ts'

export const auditLeavesMax = 32
export const auditNonceBytes = 32
/** Draws for each leaf at most: what was drawn before does not count. */
const drawsPerLeaf = 4

/** At most `auditLeavesMax` distinct leaves, in ascending order; all of a shard that has no more. */
export function drawLeaves(nonce: Uint8Array, peer: PeerName, root: Uint8Array, leaves: number): number[] {
  if (leaves <= auditLeavesMax) return Array.from({ length: leaves }, (_, leaf) => leaf)
  const drawn = new Set<number>()
  const seed = concat([nonce, fromString(peer), root])
  for (let draw = 0; draw < drawsPerLeaf * auditLeavesMax && drawn.size < auditLeavesMax; draw++) {
    const count = new Uint8Array(4)
    new DataView(count.buffer).setUint32(0, draw)
    const hash = sha256(concat([seed, count]))
    let number = 0
    for (let at = 0; at < 6; at++) number = number * 256 + hash[at]!
    drawn.add(number % leaves)
  }
  return [...drawn].toSorted((left, right) => left - right)
}
