/** What its owner is told of how this peer is connected: to nobody, or to peers of another network, from which nothing comes. */
import type { PeerName } from '../../protocols/wire/index.ts'
import { ControlError } from '../control/api.ts'
import { HostError, type ConnectionView, type Host } from '../host/index.ts'

type Line = Pick<ConnectionView, 'peer' | 'network'>

/** In which whoever was dialled says of which network it is: that goes beside the dial, and takes a round trip or two. */
export const introductionMs = 2_000

/** For `pleach status`. One peer of our own network is enough: whoever likes may connect to us from another. */
export function connectionWarnings(connections: readonly Line[], own: string): string[] {
  if (connections.length === 0) return ['no other peer is connected']
  // Who has not said it yet may be of ours.
  if (connections.some(({ network }) => network === undefined || network === own)) return []
  const foreign = connections[0]!.network
  return [
    `whoever is connected is of another network (${foreign}, this peer of ${own}), and nothing comes from there: ` +
      `pleach up --network ${foreign}, or --bootstrap with the address of a peer of ${own}`,
  ]
}

/** Resolves when a peer that was dialled has said who it is, or is gone, or the signal fires: some never say it. */
export async function introduced(
  host: Pick<Host, 'connections' | 'onPeer'>,
  peer: PeerName,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const unlisten = host.onPeer((event) => {
    if (event.peer === peer && event.kind !== 'connected') resolve()
  })
  const over = (): void => resolve()
  signal.addEventListener('abort', over, { once: true })
  try {
    const lines = host.connections().filter((connection) => connection.peer === peer)
    const isKnown = lines.length === 0 || lines.some(({ network }) => network !== undefined)
    if (!isKnown && !signal.aborted) await promise
  } finally {
    unlisten()
    signal.removeEventListener('abort', over)
  }
}

/** Of a peer that was dialled because its owner said so. Throws a ControlError NETWORK_FOREIGN. */
export function checkJoined(address: string, peer: PeerName, connections: readonly Line[], own: string): void {
  const network = connections.find((connection) => connection.peer === peer)?.network
  if (network === undefined || network === own) return
  throw new ControlError({
    code: 'NETWORK_FOREIGN',
    what: `the peer at ${address} is of another network`,
    why: `it is of ${network}, and this one of ${own}: neither hears the other`,
    cure: `pleach up --network ${network}`,
    exit: 5,
  })
}

export function notJoined(address: string, error: Error): ControlError {
  const isWrong = error instanceof HostError && error.code === 'ADDRESS_INVALID'
  return new ControlError({
    code: isWrong ? 'ADDRESS_INVALID' : 'UNREACHABLE',
    what: isWrong ? `${address} is not an address` : `nobody answers at ${address}`,
    why: error.message,
    cure: isWrong
      ? 'pleach join /ip4/203.0.113.7/tcp/4117/p2p/12D3KooW…'
      : 'ask its owner whether it is up: pleach status',
    exit: isWrong ? 2 : 5,
  })
}
