/** Relays, as the owner is told of them: by whom this peer is reached, and for whom it is one. */
import type { StatusView } from '../control/api.ts'
import { petnameOf, type Host } from '../host/index.ts'
import { peerView } from './views.ts'

type RelayedHost = Pick<Host, 'addresses' | 'connections' | 'relaying'>

export function relayView(host: RelayedHost): StatusView['relay'] {
  const { through, carries } = host.relaying()
  const trips = new Map(host.connections().map(({ peer, roundTripMs }) => [peer, roundTripMs]))
  return {
    through: through.map((relay) => ({ ...peerView(relay), rttMs: trips.get(relay) ?? null })),
    carries:
      carries === undefined
        ? null
        : { peers: carries.holders.length, connections: carries.circuits, bytes: carries.bytes },
  }
}

/** Whether an address leads through a relay. */
export function isThroughRelay(address: string): boolean {
  return address.includes('/p2p-circuit')
}

const cure = 'forward a port to this machine, or name a relay: pleach up --relay-use ADDRESS'

/** What is amiss with how this peer is reached. */
export function relayWarnings(host: RelayedHost): string[] {
  const { isWanted, through, refusal, carries } = host.relaying()
  const addresses = host.addresses()
  const isDialled = !addresses.every(isThroughRelay)
  if (isDialled) return []
  const useless = carries === undefined ? [] : ['it is a relay that nobody can dial: none of its addresses is public']
  if (!isWanted) return useless
  const names = through.map(petnameOf).join(' and ')
  if (addresses.length > 0)
    return [...useless, `not reachable from outside (NAT): inbound only by ${names}, which is slower`]
  const declined =
    refusal === undefined ? 'none of the peers that it knows is one' : `the last that was asked: ${refusal}`
  const why = through.length > 0 ? `nobody can dial ${names}` : `no relay carries for it (${declined})`
  return [...useless, `nobody can reach this peer: it is behind a NAT, and ${why}; ${cure}`]
}
