/**
 * The datastore that libp2p is given: keeps what others make us store within quotas, and old records from coming back.
 *
 * It stands here because every way to store something ends here: PUT_VALUE, the correction after a GET, ADD_PROVIDER,
 * identify, and the addresses in every answer of the DHT.
 */
import { Record } from '@libp2p/kad-dht'
import type { Key, Pair, Query } from 'interface-datastore'
import { concat, fromString, toString } from 'uint8arrays'

import { Fault } from '../../protocols/wire/fault.ts'
import { sha256 } from '../../protocols/wire/hash.ts'
import { publicKeyOf, type PeerName } from '../../protocols/wire/peer.ts'
import type { Clock } from '../environment.ts'
import { KeyValueDatastore, type KeyValue } from './datastore.ts'
import type { HostLimits } from './limits.ts'
import { Quota, type QuotaEntry } from './quota.ts'
import type { RecordJudge } from './record-judge.ts'
import type { SequenceFloors } from './sequence-floors.ts'

export const recordsPrefix = '/dht/record/'
const advertsPrefix = '/dht/provider/'
const peersPrefix = '/peers/'

/** A record that this host does not take: the store is full, or a newer one is known. The stream that brought it ends. */
export class RecordRefusedError extends Error {
  override readonly name = 'RecordRefusedError'
  readonly code: 'AUTHOR_FULL' | 'STORE_FULL' | 'STALE'

  constructor(code: RecordRefusedError['code']) {
    super(`the record is refused: ${code}`)
    this.code = code
  }
}

export interface QuotaDatastoreInit {
  readonly store: KeyValue
  readonly self: PeerName
  readonly judge: RecordJudge
  readonly floors: SequenceFloors
  readonly limits: HostLimits
  readonly clock: Clock
}

export class QuotaDatastore extends KeyValueDatastore {
  readonly #judge: RecordJudge
  readonly #floors: SequenceFloors
  readonly #clock: Clock
  /** Where we are in the DHT: the hash of our name. */
  readonly #place: Uint8Array
  readonly #records: Quota
  readonly #adverts: Quota
  readonly #peers: Quota

  constructor({ store, self, judge, floors, limits, clock }: QuotaDatastoreInit) {
    super(store)
    this.#judge = judge
    this.#floors = floors
    this.#clock = clock
    this.#place = placeOfPeer(self)
    const ageMsMax = limits.recordAgeMsMax
    this.#records = new Quota(
      {
        entriesMax: limits.recordsMax,
        bytesMax: limits.recordsBytesMax,
        entriesPerAuthorMax: limits.recordsPerAuthorMax,
        ageMsMax,
      },
      self,
    )
    this.#adverts = new Quota(
      { entriesMax: limits.advertsMax, bytesMax: Infinity, entriesPerAuthorMax: limits.advertsPerPeerMax, ageMsMax },
      self,
    )
    this.#peers = new Quota(
      { entriesMax: limits.peersKnownMax, bytesMax: Infinity, entriesPerAuthorMax: Infinity, ageMsMax: Infinity },
      '',
    )
    this.#recount(self)
  }

  override put(key: Key, value: Uint8Array): Key {
    const name = key.toString()
    if (name.startsWith(recordsPrefix)) return this.#putRecord(key, value)
    if (name.startsWith(advertsPrefix)) {
      this.#take(this.#adverts, this.#entry(name, authorOfAdvert(name), value, this.#distance(placeOfAdvert(name))))
    } else if (name.startsWith(peersPrefix)) {
      // The peer that was heard of longest ago goes first.
      this.#take(this.#peers, this.#entry(name, name, value, -this.#clock.nowMs()))
    }
    return super.put(key, value)
  }

  override get(key: Key): Uint8Array {
    const value = super.get(key)
    return key.toString().startsWith(recordsPrefix) ? unwrap(value).record : value
  }

  override delete(key: Key): void {
    const name = key.toString()
    for (const quota of [this.#records, this.#adverts, this.#peers]) quota.remove(name)
    super.delete(key)
  }

  override *_all(query: Query): Generator<Pair> {
    for (const { key, value } of super._all(query)) {
      yield { key, value: key.toString().startsWith(recordsPrefix) ? unwrap(value).record : value }
    }
  }

  /** The value of a record that is stored here, as it was judged when it came. */
  storedValue(path: Uint8Array): Uint8Array | undefined {
    const stored = this.store.get(`${recordsPrefix}${toString(path, 'base32')}`)
    return stored === undefined ? undefined : Record.deserialize(unwrap(stored).record).value
  }

  #putRecord(key: Key, value: Uint8Array): Key {
    const name = key.toString()
    const record = Record.deserialize(value)
    const { sequence, by, hash } = this.#judge.judge(record.key, record.value)
    const stored = wrap(by, value)
    const entry = this.#entry(name, by, stored, this.#distance(sha256(record.key)))
    // The quota is asked before the floor is raised, and charged after: only what is stored may cost anything.
    this.#take(this.#records, entry, () => {
      if (!this.#floors.accepts(floorKey(record.key), sequence, hash)) throw new RecordRefusedError('STALE')
    })
    return super.put(key, stored)
  }

  #entry(key: string, author: string, value: Uint8Array, rank: number): QuotaEntry {
    return { key, author, bytes: value.byteLength, rank, storedMs: this.#clock.nowMs() }
  }

  #take(quota: Quota, entry: QuotaEntry, consent: () => void = () => {}): void {
    const admission = quota.judge(entry, this.#clock.nowMs())
    if (!admission.admit) throw new RecordRefusedError(admission.because === 'author' ? 'AUTHOR_FULL' : 'STORE_FULL')
    consent()
    for (const evicted of admission.evict) {
      quota.remove(evicted)
      this.store.delete(evicted)
    }
    quota.add(entry)
  }

  /** Counts what an earlier run left, and drops what cannot be read or is not wanted any more. */
  #recount(self: PeerName): void {
    for (const [key, value] of Array.from(this.store.list('/'))) {
      try {
        if (key.startsWith(recordsPrefix)) {
          const { author, record } = unwrap(value)
          const { key: path, timeReceived } = Record.deserialize(record)
          const entry = this.#entry(key, author, value, this.#distance(sha256(path)))
          this.#records.add({ ...entry, storedMs: timeReceived.getTime() })
        } else if (key.startsWith(advertsPrefix)) {
          const author = authorOfAdvert(key)
          // kad-dht would go on repeating our own adverts of an earlier run, whether or not we still want them.
          if (author === self) this.store.delete(key)
          else this.#adverts.add(this.#entry(key, author, value, this.#distance(placeOfAdvert(key))))
        } else if (key.startsWith(peersPrefix)) {
          this.#peers.add(this.#entry(key, key, value, -this.#clock.nowMs()))
        }
      } catch {
        this.store.delete(key)
      }
    }
  }

  /** How far from us a place in the DHT is: the highest 48 bits of the exclusive or, which order 4,096 entries well enough. */
  #distance(place: Uint8Array): number {
    let distance = 0
    for (let index = 0; index < 6; index++) distance = distance * 256 + (place[index]! ^ this.#place[index]!)
    return distance
  }
}

/** The key under which the floor of a record is kept: `/capability/` and the key's bytes in base64url. */
export function floorKey(path: Uint8Array): string {
  const end = path.indexOf(0x2f, 1) + 1
  return `${toString(path.subarray(0, end), 'latin1')}${toString(path.subarray(end), 'base64url')}`
}

/** kad-dht hashes the multihash of a peer id: 0x00, the length, and the encoded key. */
export function placeOfPeer(peer: PeerName): Uint8Array {
  return sha256(Uint8Array.from([0x00, 0x24, 0x08, 0x01, 0x12, 0x20, ...publicKeyOf(peer)]))
}

/** `/dht/provider/<multihash in base32>/<peer>`. */
function placeOfAdvert(key: string): Uint8Array {
  return sha256(fromString(key.split('/')[3] ?? '', 'base32'))
}

function authorOfAdvert(key: string): string {
  return key.split('/')[4] ?? ''
}

/** The author goes before the record, so that a restart can count without judging everything anew. */
function wrap(author: PeerName, record: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(author.length), fromString(author, 'ascii'), record])
}

function unwrap(stored: Uint8Array): { author: PeerName; record: Uint8Array } {
  const end = 1 + (stored[0] ?? 0)
  if (stored.byteLength <= end) throw new Fault('FRAME_MALFORMED', 'not a stored record')
  return { author: toString(stored.subarray(1, end), 'ascii'), record: stored.subarray(end) }
}
