/** Connections inside this process, over the simulated network. Its addresses are public ones, so that peers treat each other as on the Internet. */
import type { TransportFactory } from '../../src/host/index.ts'
import type { Carrier } from './carrier.ts'
import { liveTransport, type LiveNet } from './transport.ts'

/** Every host has an IP address of its own, and so the port of all may be production's. */
const port = 4117

export function ownCarrier(net: LiveNet): Carrier & { readonly net: LiveNet } {
  return {
    name: 'own',
    reach: 'public',
    net,
    wire: net,

    async places(count) {
      return Array.from({ length: count }, (_, index) => {
        const ip = `20.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`
        return { ip, address: `/ip4/${ip}/tcp/${port}` }
      })
    },

    close() {},

    transport: ({ ip }, { streamsPerConnectionMax, streamWindowBytes, streamWriteBufferBytesMax }) =>
      liveTransport(net, ip, {
        streamsMax: streamsPerConnectionMax,
        windowBytes: streamWindowBytes,
        writeBufferBytesMax: streamWriteBufferBytesMax,
      }) as TransportFactory,

    pull: ({ ip }) => net.pull(ip),
  }
}
