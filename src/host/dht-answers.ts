/**
 * What a peer answers when the DHT is asked, said otherwise: for a simulator, whose peers are not all honest. kad-dht has no
 * port for it.
 */
import { Record, type SingleKadDHT } from '@libp2p/kad-dht'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromMultihash, peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import * as Digest from 'multiformats/hashes/digest'

import type { PeerName } from '../../protocols/wire/peer.ts'
import type { Clock } from '../environment.ts'

export interface DhtPeer {
  readonly peer: PeerName
  readonly addresses: readonly string[]
}

export interface DhtAnswer {
  /** Of the record that was asked for, when it is here. */
  readonly value: Uint8Array | undefined
  /** Peers nearer to the key. */
  readonly closer: readonly DhtPeer[]
  readonly providers: readonly DhtPeer[]
}

export interface DhtQuestion {
  readonly asks: 'record' | 'providers' | 'peers'
  readonly key: Uint8Array
  readonly from: PeerName
}

/** What is said in the place of the answer that an honest peer has. */
export type Answerer = (question: DhtQuestion, answer: DhtAnswer) => DhtAnswer

interface WirePeer {
  readonly id: Uint8Array
  readonly multiaddrs: readonly Uint8Array[]
}

/** A message of kad-dht, as far as it is touched. */
interface Message {
  readonly type: string
  readonly key?: Uint8Array
  record?: Uint8Array
  closer: readonly WirePeer[]
  providers: readonly WirePeer[]
}

/** What kad-dht does not show in its interface: verified against 16.4 by the tests of the live simulator. */
interface Internals {
  readonly rpc: { handleMessage(peerId: PeerId, message: Message): Promise<Message | undefined> }
}

const questions: Readonly<{ [type: string]: DhtQuestion['asks'] }> = {
  GET_VALUE: 'record',
  GET_PROVIDERS: 'providers',
  FIND_NODE: 'peers',
}

export function answerOtherwise(dht: SingleKadDHT, answerer: Answerer, clock: Clock): void {
  const { rpc } = dht as unknown as Internals
  const handle = rpc.handleMessage.bind(rpc)
  rpc.handleMessage = async (from, message) => {
    const answer = await handle(from, message)
    const asks = questions[message.type]
    if (answer === undefined || asks === undefined) return answer
    const { key = new Uint8Array() } = message
    const { record: honest, ...rest } = answer
    const { value, closer, providers } = answerer(
      { asks, key, from: from.toString() },
      {
        value: honest === undefined ? undefined : Record.deserialize(honest).value,
        closer: answer.closer.map(peerOf),
        providers: answer.providers.map(peerOf),
      },
    )
    const said = { ...rest, closer: closer.map(wirePeer), providers: providers.map(wirePeer) }
    if (value === undefined) return said
    return { ...said, record: new Record(key, value, new Date(clock.nowMs())).serialize() }
  }
}

function peerOf({ id, multiaddrs }: WirePeer): DhtPeer {
  return {
    peer: peerIdFromMultihash(Digest.decode(id)).toString(),
    addresses: multiaddrs.map((bytes) => multiaddr(bytes).toString()),
  }
}

function wirePeer({ peer, addresses }: DhtPeer): WirePeer {
  return {
    id: peerIdFromString(peer).toMultihash().bytes,
    multiaddrs: addresses.map((address) => multiaddr(address).bytes),
  }
}
