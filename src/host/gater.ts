/**
 * Who may be dialled, whose addresses are kept, and how many unfinished inbound handshakes one IP address may have.
 * libp2p's own gater allows everything.
 */
import type { ConnectionGater, MultiaddrConnection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

import { ipOf, isWithin, kindOf, socketOf } from './address.ts'
import type { HostLimits, Reach } from './limits.ts'

export interface Gater extends ConnectionGater {
  /** From now on this address is dialled whatever the reach, because a person typed it. */
  trust(address: Multiaddr): void
  /** Whether it would be dialled. */
  allows(address: Multiaddr): boolean
}

export function createGater(reach: Reach, limits: Pick<HostLimits, 'inboundPendingPerIpMax'>): Gater {
  const trusted = new Set<string>()
  const pendingByIp = new Map<string, number>()
  const release = new WeakMap<MultiaddrConnection, () => void>()
  const allowed = (address: Multiaddr): boolean => trusted.has(socketOf(address)) || isWithin(reach, address)

  return {
    trust: (address) => void trusted.add(socketOf(address)),
    allows: allowed,
    denyDialMultiaddr: (address) => !allowed(address),
    filterMultiaddrForPeer: (_peer, address) => allowed(address),

    denyInboundConnection(connection) {
      const ip = ipOf(connection.remoteAddr)
      // From this very machine: all peers of a devnet are one address, and a local attacker has better means.
      if (ip === undefined || kindOf(ip) === 'loopback') return false
      const pending = pendingByIp.get(ip) ?? 0
      if (pending >= limits.inboundPendingPerIpMax) return true
      pendingByIp.set(ip, pending + 1)
      const done = (): void => {
        connection.removeEventListener('close', done)
        release.delete(connection)
        const left = (pendingByIp.get(ip) ?? 1) - 1
        if (left === 0) pendingByIp.delete(ip)
        else pendingByIp.set(ip, left)
      }
      release.set(connection, done)
      connection.addEventListener('close', done)
      return false
    },

    // Asked last in a handshake: the connection is no longer pending.
    denyInboundUpgradedConnection(_peer, connection) {
      release.get(connection)?.()
      return false
    },
  }
}
