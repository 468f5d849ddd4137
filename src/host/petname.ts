/**
 * Petnames: two words, such as `cedar-heddle`, that stand beside a peer id so that people can tell peers apart.
 *
 * Not an identity: 65,536 names collide soon, and whoever wants a certain one can find a key that has it. Nothing is ever
 * decided by a petname, and nothing is addressed by one alone.
 */
import { sha256 } from '../../protocols/wire/hash.ts'
import { publicKeyOf, type PeerName } from '../../protocols/wire/peer.ts'
import { growing, woven } from './petname-words.ts'

/** The name of a peer, the same on every machine. Throws Fault FIELD_INVALID when `peer` is no peer's name. */
export function petnameOf(peer: PeerName): string {
  const [first, second] = sha256(publicKeyOf(peer))
  return `${growing[first!]}-${woven[second!]}`
}
