/**
 * Whoever was dialled through a relay dials back, where the other can be dialled: then what follows goes directly, and costs the relay
 * nothing. libp2p opens new streams on the direct connection of two; what is open already stays where it is.
 */
import type { IdentifyResult, Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

import type { Log } from '../environment.ts'
import { isCircuit } from './address.ts'
import type { Dialler } from './dialler.ts'

export interface CallBack {
  start(): void
  stop(): void
}

export interface CallBackInit {
  readonly node: Pick<Libp2p, 'getConnections' | 'addEventListener' | 'removeEventListener'>
  readonly dialler: Dialler
  readonly addressesPerPeerMax: number
  readonly isAllowed: (address: Multiaddr) => boolean
  readonly log: Log
}

export function createCallBack({ node, dialler, addressesPerPeerMax, isAllowed, log }: CallBackInit): CallBack {
  const stopping = new AbortController()

  const onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const { connection, peerId: peer, listenAddrs } = detail
    // Who dialled us has tried our own addresses first.
    if (connection.direct || connection.direction === 'outbound') return
    if (node.getConnections(peer).some(({ direct }) => direct)) return
    const addresses = listenAddrs
      .filter((address) => !isCircuit(address) && isAllowed(address))
      .slice(0, addressesPerPeerMax)
      .map((address) =>
        address.getComponents().at(-1)?.name === 'p2p' ? address : address.encapsulate(`/p2p/${peer.toString()}`),
      )
    if (addresses.length === 0) return
    void dialler.dial(addresses, stopping.signal).catch((error: unknown) => {
      if (!stopping.signal.aborted) log('debug', 'could not dial back', { peer: peer.toString(), error })
    })
  }

  return {
    start: () => node.addEventListener('peer:identify', onIdentify),
    stop() {
      stopping.abort(new Error('the host stops'))
      node.removeEventListener('peer:identify', onIdentify)
    },
  }
}
