/**
 * TCP of this machine, with production's encryption and yamux: nothing of a host is exchanged, but that it can be pulled out. All of 127.0.0.0/8 is the machine
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
  /** At addresses where no host was yet. */
  const held = new Map<string, Server>()
  const release = async (address: string): Promise<void> => {
    const server = held.get(address)
    held.delete(address)
    if (server === undefined) return
    server.close()
    await once(server, 'close')
  }
  return {
    name: 'tcp',
    reach: host === undefined || host.startsWith('127.') ? 'loopback' : 'lan',
    net: undefined,
    wire: { meter: undefined },

    async places(count) {
      if (count > placesMax) throw new RangeError(`${count} peers are more than ${placesMax}`)
      const places: PeerPlace[] = []
      for (let index = 0; index < count; index++) {
        const [place, server] = await holdPlace(ipOf(index))
        places.push(place)
        held.set(place.address, server)
      }
      return places
    },

    close() {
      for (const address of held.keys()) void release(address)
    },

    transport({ address }, limits) {
      const plug = plugged(tcpTransport(limits), async () => release(address))
      plugs.set(address, plug)
      return plug.transport
    },

    pull: ({ address }) => plugs.get(address)?.pull(),
  }
}

/**
 * Known before the peer starts, so that others may be told of it, and kept until then: other processes look for places at the
 * same time, and connections of theirs take any port that is free.
 */
async function holdPlace(ip: string): Promise<readonly [PeerPlace, Server]> {
  const server: Server = createServer((socket) => socket.destroy())
  server.listen(0, ip)
  await once(server, 'listening')
  // A place that is kept is no reason for the process to stay.
  server.unref()
  const { port } = server.address() as AddressInfo
  return [{ ip, address: `/ip4/${ip}/tcp/${port}` }, server]
}
