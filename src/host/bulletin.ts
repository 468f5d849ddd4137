/** The bulletin board over kad-dht. The port and its promises are in protocols/wire/bulletin.ts. */
import type { QueryEvent, SingleKadDHT } from '@libp2p/kad-dht'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { equals, fromString } from 'uint8arrays'

import type { Bulletin } from '../../protocols/wire/bulletin.ts'
import { sha256 } from '../../protocols/wire/hash.ts'
import type { PeerName } from '../../protocols/wire/peer.ts'
import { floorKey, type QuotaDatastore } from './quota-datastore.ts'
import { pathOf, type Judgement, type RecordJudge } from './record-judge.ts'
import type { SequenceFloors } from './sequence-floors.ts'
import type { HostWatch, QueryKind, QueryWatch } from './watch.ts'

export interface BulletinInit {
  readonly dht: SingleKadDHT
  readonly self: PeerName
  readonly judge: RecordJudge
  readonly floors: SequenceFloors
  readonly datastore: Pick<QuotaDatastore, 'storedValue'>
  /** Whether a peer is connected, and can be asked at once. */
  readonly isConnected: (peer: PeerName) => boolean
  readonly watch?: HostWatch | undefined
}

/** What kad-dht does not show in its interface: verified against 16.4 by the tests of attacks on live peers. */
interface Internals {
  readonly network: {
    sendRequest(
      to: PeerId,
      message: { readonly type: 'GET_VALUE'; readonly key: Uint8Array },
      options: { readonly signal: AbortSignal; readonly path: QueryEvent['path'] },
    ): AsyncIterable<QueryEvent>
  }
}

/** Of a question that is no part of a query. */
const noPath: QueryEvent['path'] = { index: -1, queued: 0, running: 0, total: 0 }

/** Codes of multicodec: the multihash SHA-256, and content of which nothing is known. */
const sha256Code = 0x12
const rawCode = 0x55

/** The key under which adverts of a name are placed: the CIDv1 (raw, SHA-256) of its UTF-8 bytes. Fixed: peers must agree. */
function keyOfName(name: string): CID {
  return CID.createV1(rawCode, Digest.create(sha256Code, sha256(fromString(name))))
}

export function createBulletin({ dht, self, judge, floors, datastore, isConnected, watch }: BulletinInit): Bulletin {
  /** Lawful when it came, but its date may have passed since. */
  const judged = (path: Uint8Array, value: Uint8Array): Judgement | undefined => {
    try {
      return judge.judge(path, value)
    } catch {
      return undefined
    }
  }

  /** The best of the values that is not older than what we have seen; undefined when all are. */
  const best = (path: Uint8Array, found: readonly Uint8Array[]): Uint8Array | undefined => {
    const values = found.filter((value, index) => found.findIndex((other) => equals(other, value)) === index)
    while (values.length > 0) {
      const [value] = values.splice(judge.select(path, values), 1)
      if (value === undefined) return undefined
      const judgement = judged(path, value)
      if (judgement !== undefined && floors.accepts(floorKey(path), judgement.sequence, judgement.hash)) return value
    }
    return undefined
  }

  const watched = (kind: QueryKind, key: Uint8Array, events: AsyncIterable<QueryEvent>): AsyncIterable<QueryEvent> =>
    watch === undefined ? events : tallied(events, watch.onQuery(kind, key))

  /**
   * The second way to a record: whose it is has it too. Names that somebody has looked for until they lay around the key can keep
   * it from everybody else, but not from who is connected to its owner.
   */
  const ofOwner = async (path: Uint8Array, signal: AbortSignal): Promise<Uint8Array[]> => {
    const owner = judge.ownerOf(path)
    if (owner === undefined || owner === self || !isConnected(owner)) return []
    const { network } = dht as unknown as Internals
    const question = { type: 'GET_VALUE', key: path } as const
    const found: Uint8Array[] = []
    for await (const event of network.sendRequest(peerIdFromString(owner), question, { signal, path: noPath }))
      if (event.name === 'PEER_RESPONSE' && event.record !== undefined) found.push(event.record.value)
    return found
  }

  return {
    async put(namespace, key, value, signal) {
      const path = pathOf(namespace, key)
      judge.judge(path, value)
      const acknowledged = new Set<string>()
      try {
        for await (const event of watched('put', path, dht.put(path, value, { signal }))) {
          if (event.name !== 'PEER_RESPONSE' || event.messageName !== 'PUT_VALUE') continue
          // A peer acknowledges by repeating the record.
          if (event.record !== undefined && equals(event.record.value, value)) acknowledged.add(event.from.toString())
        }
      } catch (error) {
        // Some peers are always slow: what was acknowledged before the deadline counts.
        if (!signal.aborted || acknowledged.size === 0) throw error
      }
      return acknowledged.size
    },

    async get(namespace, key, signal) {
      const path = pathOf(namespace, key)
      const own = datastore.storedValue(path)
      const values = own === undefined ? [] : [own]
      try {
        for await (const event of watched('get', path, dht.get(path, { signal }))) {
          // Path -1 is what kad-dht does after the query: it corrects, one after another, the peers that had older
          // values, and throws the answer away when one of them declines. By then the answers are here.
          if (event.name !== 'PATH_ENDED' && 'path' in event && event.path.index === -1) break
          if (event.name === 'PEER_RESPONSE' && event.record !== undefined) values.push(event.record.value)
        }
      } catch (error) {
        if (values.length === 0) throw error
      }
      return best(path, values) ?? best(path, await ofOwner(path, signal))
    },

    async advertise(name, signal) {
      const key = keyOfName(name)
      for await (const _event of watched('advertise', key.bytes, dht.provide(key, { signal }))) {
        // Nothing to be done with them, but the work goes only as far as the events are read.
      }
    },

    withdraw: async (name) => dht.cancelReprovide(keyOfName(name)),

    async *find(name, limit, signal) {
      const seen = new Set<string>([self])
      if (limit <= 0) return
      const key = keyOfName(name)
      for await (const event of watched('find', key.bytes, dht.findProviders(key, { signal }))) {
        if (event.name !== 'PROVIDER') continue
        for (const provider of event.providers) {
          const peer = provider.id.toString()
          if (seen.has(peer)) continue
          seen.add(peer)
          yield peer
          // Self is in there from the start, and does not count.
          if (seen.size > limit) return
        }
      }
    },
  }
}

async function* tallied(events: AsyncIterable<QueryEvent>, watch: QueryWatch): AsyncGenerator<QueryEvent> {
  try {
    for await (const event of events) {
      if (event.name === 'SEND_QUERY') watch.onRequest()
      else if (event.name === 'QUERY_ERROR') watch.onFailure()
      yield event
    }
  } finally {
    watch.onEnd()
  }
}
