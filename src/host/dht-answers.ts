/**
 * What a peer answers when the DHT is asked, said otherwise: for a simulator, whose peers are not all honest. kad-dht has no
 * port for it.
 */
import type { SingleKadDHT } from '@libp2p/kad-dht'
import type { PeerId } from '@libp2p/interface'

import type { PeerName } from '../../protocols/wire/peer.ts'

export interface DhtPeer {
  /** Multihash of its name. */
  readonly id: Uint8Array
  readonly multiaddrs: readonly Uint8Array[]
}

/** A message of kad-dht, as it travels. */
export interface DhtMessage {
  readonly type: 'PUT_VALUE' | 'GET_VALUE' | 'ADD_PROVIDER' | 'GET_PROVIDERS' | 'FIND_NODE' | 'PING'
  readonly key?: Uint8Array
  /** Serialized, with its key and when it was received. */
  readonly record?: Uint8Array
  readonly closer: readonly DhtPeer[]
  readonly providers: readonly DhtPeer[]
}

/** What is said in the place of the answer that kad-dht has made; undefined says nothing. */
export type DhtAnswer = (question: DhtMessage, answer: DhtMessage | undefined, from: PeerName) => DhtMessage | undefined

/** What kad-dht does not show in its interface: verified against 16.4 by the tests of the live simulator. */
interface Internals {
  readonly rpc: { handleMessage(peerId: PeerId, message: DhtMessage): Promise<DhtMessage | undefined> }
}

export function answerOtherwise(dht: SingleKadDHT, answer: DhtAnswer): void {
  const { rpc } = dht as unknown as Internals
  const handle = rpc.handleMessage.bind(rpc)
  rpc.handleMessage = async (peerId, question) => answer(question, await handle(peerId, question), peerId.toString())
}
