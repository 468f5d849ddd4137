/** Names that an operator has not come by: they were looked for, until they lay where it wants them in the DHT. */
import { capabilityNamespace } from '../../../protocols/capability/index.ts'
import { publicKeyOf, sha256, type PeerName } from '../../../protocols/wire/index.ts'
import { contactOf, identityFromSeed, type Identity } from '../../../src/host/index.ts'
import type { SeededRandom } from '../../random.ts'

/** Of the best of 2^n keys some n bits agree; each costs 0.1 ms. */
export const keysTriedMax = 4_096

/** Where the record of a peer is in the DHT. */
export function placeOfRecord(peer: PeerName): Uint8Array {
  return sha256(Buffer.concat([Buffer.from(`/${capabilityNamespace}/`), publicKeyOf(peer)]))
}

export function placeOfPeer(peer: PeerName): Uint8Array {
  return contactOf(peer).kadId
}

/** The first identity that shares so many bits with the place; the nearest when none of the keys that are tried does. */
export function identityNear(place: Uint8Array, bits: number, random: SeededRandom, triesMax = keysTriedMax): Identity {
  let best: Identity | undefined
  let bestBits = -1
  for (let tried = 0; tried < triesMax && bestBits < bits; tried++) {
    const identity = identityFromSeed(random.bytes(32))
    const shared = bitsShared(placeOfPeer(identity.peer), place)
    if (shared > bestBits) [best, bestBits] = [identity, shared]
  }
  return best!
}

/** How many bits from the first on are the same. */
export function bitsShared(left: Uint8Array, right: Uint8Array): number {
  const at = left.findIndex((byte, index) => byte !== right[index])
  return at === -1 ? 8 * left.byteLength : 8 * at + Math.clz32(left[at]! ^ right[at]!) - 24
}
