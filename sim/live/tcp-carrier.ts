/**
 * TCP of this machine, with production's noise and yamux: nothing of a host is exchanged, but that it can be pulled out. All of 127.0.0.0/8 is the machine
 * itself on Linux, so every peer listens at an address of its own; those that dial come from 127.0.0.1, as in a devnet.
 */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'

import { tcpTransport } from '../../src/host/index.ts'
import type { Carrier, PeerPlace } from './carrier.ts'
import { plugged, type Plug } from './plug.ts'

/** Second numbers of the addresses: 127.0 is left to whatever else runs here. */
const netsMax = 255
const placesMax = 2 ** 16

/**
 * Worlds with different numbers have different addresses, and so do not take each other's ports. With a `host` all peers are at that
 * address of this machine, where peers on other machines reach them.
 */
export function tcpCarrier(world: number, host?: string): Carrier {
  const second = 1 + (world % netsMax)
  const ipOf = (index: number): string => host ?? `127.${second}.${index >> 8}.${index & 255}`
  /** Of the host that is at an address, or was there last. */
  const plugs = new Map<string, Plug>()
  return {
    name: 'tcp',
    reach: host === undefined || host.startsWith('127.') ? 'loopback' : 'lan',
    net: undefined,
    wire: { meter: undefined },

    async places(count) {
      if (count > placesMax) throw new RangeError(`${count} peers are more than ${placesMax}`)
      const held: { readonly place: PeerPlace; readonly server: Server }[] = []
      for (let index = 0; index < count; index++) held.push(await holdPlace(ipOf(index)))
      await Promise.all(held.map(async ({ server }) => release(server)))
      return held.map(({ place }) => place)
    },

    transport({ address }, limits) {
      const plug = plugged(tcpTransport(limits))
      plugs.set(address, plug)
      return plug.transport
    },

    pull: ({ address }) => plugs.get(address)?.pull(),
  }
}

/** Known before the peer starts, so that others may be told of it; the system does not give the port out again so soon. */
async function holdPlace(ip: string): Promise<{ readonly place: PeerPlace; readonly server: Server }> {
  const server: Server = createServer()
  server.listen(0, ip)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { place: { ip, address: `/ip4/${ip}/tcp/${port}` }, server }
}

async function release(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}
