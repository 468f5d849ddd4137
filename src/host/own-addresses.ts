/**
 * Announces the public addresses of our own interfaces. libp2p believes a public address only once a service such as
 * AutoNAT has had it tried from outside, and so a server with a public address would announce nothing at all. Whether a
 * firewall stands before it is found out by whoever dials.
 */
import type { Multiaddr } from '@multiformats/multiaddr'

import { isWithin } from './address.ts'
import type { Reach } from './limits.ts'

interface Components {
  readonly addressManager: {
    confirmObservedAddr(address: Multiaddr, options: { type: 'transport'; ttl: number }): void
  }
  readonly transportManager: { getAddrs(): Multiaddr[] }
  readonly events: { addEventListener(type: 'transport:listening', listener: () => void): void }
}

/** A service for libp2p's `services`: these are given the components. */
export function announceOwnAddresses(reach: Reach): (components: Components) => object {
  return ({ addressManager, transportManager, events }) => {
    events.addEventListener('transport:listening', () => {
      for (const address of transportManager.getAddrs()) {
        if (isWithin(reach, address)) addressManager.confirmObservedAddr(address, { type: 'transport', ttl: Infinity })
      }
    })
    return {}
  }
}
