/**
 * Addresses: which ones a host may dial or announce on the word of others, and what a person may type.
 *
 * Anyone can put any address into the DHT under their own name, unsigned, and every peer that looks them up dials it. So
 * what is dialled is what is known to be out there; the services of our own machine and network are not.
 */
import { BlockList, isIP, isIPv4 } from 'node:net'

import {
  CODE_DNS,
  CODE_DNS4,
  CODE_DNS6,
  CODE_IP4,
  CODE_IP6,
  CODE_P2P,
  CODE_P2P_CIRCUIT,
  CODE_TCP,
  multiaddr,
  type Multiaddr,
} from '@multiformats/multiaddr'

import { isPeerName, type PeerName } from '../../protocols/wire/peer.ts'
import { HostError } from './errors.ts'
import type { Reach } from './limits.ts'

/** Where an IP address leads. `special` is everything that leads nowhere one should dial: multicast, unspecified, reserved. */
export type AddressKind = 'public' | 'private' | 'loopback' | 'special'

const loopback = listOf(['127.0.0.0/8', '::1/128'])
/** RFC 1918, link-local, carrier-grade NAT, and unique local addresses. */
const near = listOf([
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  'fe80::/10',
  'fc00::/7',
])
/** The rest of the registries of special addresses (RFC 6890). Of IPv6, only 2000::/3 is given out, and not all of that. */
const special = listOf([
  '0.0.0.0/8',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // Teredo and 6to4 carry an IPv4 address inside, and so would lead where IPv4 may not.
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
])
const givenOut = listOf(['2000::/3'])

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [network, prefix] = range.split('/') as [string, string]
    list.addSubnet(network, Number(prefix), isIPv4(network) ? 'ipv4' : 'ipv6')
  }
  return list
}

/** Where an IP address leads; an IPv4 address written as IPv6 (`::ffff:127.0.0.1`) leads where that leads. */
export function kindOf(ip: string): AddressKind {
  const version = isIP(ip)
  if (version === 0) return 'special'
  const family = version === 4 ? 'ipv4' : 'ipv6'
  // A BlockList looks through mapped addresses by itself, so the IPv4 ranges serve both spellings.
  if (loopback.check(ip, family)) return 'loopback'
  if (near.check(ip, family)) return 'private'
  if (special.check(ip, family)) return 'special'
  if (version === 4 || givenOut.check(ip, 'ipv6')) return 'public'
  const mapped = mappedIpv4(ip)
  return mapped === undefined ? 'special' : kindOf(mapped)
}

/** The IPv4 address inside `::ffff:0:0/96`, however it is spelled. */
function mappedIpv4(ip: string): string | undefined {
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(new URL(`http://[${ip}]/`).hostname) ?? []
  if (high === undefined || low === undefined) return undefined
  const value = Number.parseInt(high, 16) * 0x10000 + Number.parseInt(low, 16)
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.')
}

/** The IP address a multiaddr begins with; undefined for names, which lead wherever their owner says today. */
export function ipOf(address: Multiaddr): string | undefined {
  const first = address.getComponents()[0]
  return first?.code === CODE_IP4 || first?.code === CODE_IP6 ? first.value : undefined
}

/** What one subscriber has of the Internet: an IPv4 address, or a /64 of IPv6. Undefined for names. */
export function houseAt(address: Multiaddr): string | undefined {
  const first = address.getComponents()[0]
  // One byte of code, and then the address.
  if (first?.code === CODE_IP6) return `${Buffer.from(address.bytes.subarray(1, 9)).toString('hex')}/64`
  return first?.code === CODE_IP4 ? first.value : undefined
}

/** What houses share that lie together: a /24 of IPv4, a /64 of IPv6. Undefined for names. */
export function networkAt(address: Multiaddr): string | undefined {
  const house = houseAt(address)
  return house === undefined || house.endsWith('/64') ? house : `${house.slice(0, house.lastIndexOf('.'))}.0/24`
}

/** Whether a host of this reach dials, keeps and announces the address on the word of others. */
export function isWithin(reach: Reach, address: Multiaddr): boolean {
  const ip = ipOf(address)
  if (ip === undefined) return false
  const kind = kindOf(ip)
  switch (reach) {
    case 'public':
      return kind === 'public'
    // A local network may have public numbers too.
    case 'lan':
      return kind !== 'special'
    case 'loopback':
      return kind === 'loopback'
    default:
      return reach satisfies never
  }
}

/** Whether what is dialled is a relay, which joins us to the peer at the end: `…/p2p/RELAY/p2p-circuit/p2p/PEER`. */
export function isCircuit(address: Multiaddr): boolean {
  return address.getComponents().some(({ code }) => code === CODE_P2P_CIRCUIT)
}

/** The relay of such an address. */
export function relayAt(address: Multiaddr): PeerName | undefined {
  const components = address.getComponents()
  const at = components.findIndex(({ code }) => code === CODE_P2P_CIRCUIT)
  const relay = at > 0 ? components[at - 1] : undefined
  return relay?.code === CODE_P2P ? relay.value : undefined
}

/** Where the socket goes, of a relay's address as of any other. */
export function socketOf(address: Multiaddr): string {
  return isCircuit(address) ? withoutPeer(address.decapsulateCode(CODE_P2P_CIRCUIT)) : withoutPeer(address)
}

/** The address without the peer at its end: where a socket goes. */
export function withoutPeer(address: Multiaddr): string {
  return address.decapsulateCode(CODE_P2P).toString()
}

/** The peer named at the end of an address, if one is. */
export function peerAt(address: Multiaddr): PeerName | undefined {
  return address.getComponents().findLast((component) => component.code === CODE_P2P)?.value
}

/** What a person typed, as an address we can dial. Throws HostError ADDRESS_INVALID naming it. */
export function parseAddress(text: string, what: keyof typeof verbs): Multiaddr {
  const cure =
    'write it like /ip4/203.0.113.7/tcp/4117/p2p/12D3KooW… (the p2p part may be left out, but not before /p2p-circuit/p2p/12D3KooW…)'
  let address
  try {
    address = multiaddr(text.trim())
  } catch (error) {
    throw new HostError(
      'ADDRESS_INVALID',
      `not an address to ${verbs[what]}: ${text}`,
      cure,
      { address: text, use: what },
      error,
    )
  }
  const [host, port, peer, ...rest] = address.getComponents()
  const hostCodes: readonly number[] =
    what === 'listen' ? [CODE_IP4, CODE_IP6] : [CODE_IP4, CODE_IP6, CODE_DNS, CODE_DNS4, CODE_DNS6]
  const named = (part: typeof peer): boolean => part?.code === CODE_P2P && isPeerName(part.value ?? '')
  // Whoever answers where a relay should be is none.
  const peerFits = peer === undefined ? what !== 'relay' : what !== 'listen' && named(peer)
  // Through a relay: who waits behind it follows.
  const [circuit, behind, ...more] = rest
  const isThrough = named(peer) && circuit?.code === CODE_P2P_CIRCUIT && named(behind) && more.length === 0
  const restFits = rest.length === 0 || (isThrough && (what === 'dial' || what === 'bootstrap'))
  if (host === undefined || !hostCodes.includes(host.code) || port?.code !== CODE_TCP || !peerFits || !restFits) {
    throw new HostError('ADDRESS_INVALID', `cannot ${verbs[what]} ${text}: only TCP over IP is supported`, cure, {
      address: text,
      use: what,
    })
  }
  return address
}

const verbs = {
  bootstrap: 'begin from',
  listen: 'listen on',
  announce: 'announce',
  dial: 'dial',
  relay: 'use as a relay',
} as const
