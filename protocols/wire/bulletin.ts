/**
 * The bulletin board: a distributed hash table as the protocols see it. Never a security boundary: whatever is read from it
 * is verified by the reader and has a second way to be found.
 *
 * Implemented over kad-dht in `src/host/bulletin.ts` and modelled, with its known weaknesses, in `sim/`.
 */
import type { PeerName } from './peer.ts'

/** How records of one namespace are judged. Both are pure: they are run by every peer that stores or reads a record. */
export interface RecordRules {
  /** First path component of a key: keys are `/<namespace>/<bytes>`. */
  readonly namespace: string
  /** Longest value, in bytes. */
  readonly valueBytesMax: number
  /** Returns the record's sequence number and whose it is; throws a Fault when it is not a lawful record for the key. */
  validate(key: Uint8Array, value: Uint8Array, nowMs: number): { readonly sequence: number; readonly by: PeerName }
  /** The index of the best of several lawful values. */
  select(key: Uint8Array, values: readonly Uint8Array[]): number
  /** The only peer whose records this key can have, where the key says so: it can be asked for its record itself. */
  ownerOf?(key: Uint8Array): PeerName | undefined
}

export interface Bulletin {
  /** Stores `value` at the peers nearest to the key. Resolves with how many acknowledged it. */
  put(namespace: string, key: Uint8Array, value: Uint8Array, signal: AbortSignal): Promise<number>
  /** The best lawful value found, or undefined when none is. */
  get(namespace: string, key: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined>
  /** Says that this peer can be found under `name` (any text; hashed to a key). */
  advertise(name: string, signal: AbortSignal): Promise<void>
  /** No longer repeat the advert. Adverts already placed age out; a reader checks the record itself. */
  withdraw(name: string): Promise<void>
  /** Peers that advertised `name`, as they are found, without repetition, at most `limit`. */
  find(name: string, limit: number, signal: AbortSignal): AsyncIterable<PeerName>
}
