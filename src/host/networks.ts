/**
 * Of which network the peers are that this host is connected to, as they say by the protocol of their DHT. Peers of another network connect like
 * any others, and then nothing comes from them: neither bids nor records. Without a word the owner would look for the mistake elsewhere.
 */
import type { Connection, IdentifyResult, Libp2p } from '@libp2p/interface'

import { networkPattern } from '../../protocols/wire/network.ts'
import type { Log } from '../environment.ts'

export interface Networks {
  /** Undefined until the other end has said it. It is a claim, and a name of a network. */
  of(connection: Connection): string | undefined
  stop(): void
}

type Node = Pick<Libp2p, 'addEventListener' | 'removeEventListener'>

/** Names that are logged, each once: whoever answers to addresses that we dial chooses them. */
const namesLoggedMax = 8
const dhtPattern = /^\/pleach\/([^/]+)\/kad\/1$/

export function dhtProtocolOf(network: string): string {
  return `/pleach/${network}/kad/1`
}

export function watchNetworks(node: Node, own: string, log: Log): Networks {
  const networks = new WeakMap<Connection, string>()
  const logged = new Set<string>()

  const onIdentify = ({ detail: { connection, protocols } }: CustomEvent<IdentifyResult>): void => {
    const names = protocols.map((protocol) => dhtPattern.exec(protocol)?.[1] ?? '')
    // Whoever speaks our DHT is of our network, whatever else it says.
    const network = names.includes(own) ? own : names.find((name) => networkPattern.test(name))
    if (network === undefined) return
    networks.set(connection, network)
    if (network === own || connection.direction !== 'outbound') return
    if (logged.has(network) || logged.size >= namesLoggedMax) return
    logged.add(network)
    log('warn', `a peer that was dialled is of the network ${network}, and this one of ${own}: nothing comes from it`, {
      code: 'NETWORK_FOREIGN',
      address: connection.remoteAddr.toString(),
    })
  }
  node.addEventListener('peer:identify', onIdentify)

  return {
    of: (connection) => networks.get(connection),
    stop: () => node.removeEventListener('peer:identify', onIdentify),
  }
}
