/** Streams on which frames are changed on their way out, in both roles: of those that this peer opens and of those that it answers. */
import { executeProtocol } from '../../../protocols/execute/index.ts'
import { negotiateProtocol, type Notary } from '../../../protocols/negotiate/index.ts'
import { receiptProtocol } from '../../../protocols/receipt/index.ts'
import { Fault, type Channel, type PeerName, type Streams } from '../../../protocols/wire/index.ts'
import type { Carry } from '../../../src/market/carry.ts'
import { decodeCarry } from '../../../src/node/routes.ts'
import type { PeerPorts } from '../../../src/node/ports.ts'
import { bendHost } from './vice.ts'

export interface Tongue {
  /** The frames that go out in the place of one, in order; none is silence. */
  say(protocol: string, frame: Uint8Array, to: PeerName): readonly Uint8Array[]
  hear?(protocol: string, frame: Uint8Array, from: PeerName): void
  /** Whether a frame that came is let through to the peer. All are when left out. */
  heeds?(protocol: string): boolean
}

export function bendStreams(ports: PeerPorts, tongue: Tongue): PeerPorts {
  return bendHost(ports, (host) => ({ ...host, streams: bentStreams(host.streams, tongue) }))
}

export function bentStreams(streams: Streams, tongue: Tongue): Streams {
  return {
    open: async (peer, protocol, limits, signal) =>
      bentChannel(await streams.open(peer, protocol, limits, signal), protocol, tongue),
    handle: async (protocol, limits, handler) =>
      streams.handle(protocol, limits, async (channel) => handler(bentChannel(channel, protocol, tongue))),
  }
}

function bentChannel(channel: Channel, protocol: string, tongue: Tongue): Channel {
  const { remote } = channel
  return {
    remote,
    async read(signal) {
      for (;;) {
        const frame = await channel.read(signal)
        if (frame === undefined) return undefined
        tongue.hear?.(protocol, frame, remote)
        if (tongue.heeds?.(protocol) ?? true) return frame
      }
    },
    async write(frame, signal) {
      for (const said of tongue.say(protocol, frame, remote)) await channel.write(said, signal)
    },
    close: async (signal) => channel.close(signal),
    abort: (reason) => channel.abort(reason),
  }
}

const carried: Readonly<Record<string, Carry['protocol']>> = {
  [negotiateProtocol]: 'negotiate',
  [executeProtocol]: 'execute',
  [receiptProtocol]: 'receipt',
}

/** The message in a frame of the market; undefined when the frame is another protocol's, or is no message. */
export function carryIn(notary: Notary, protocol: string, frame: Uint8Array): Carry | undefined {
  const label = carried[protocol]
  if (label === undefined) return undefined
  try {
    return decodeCarry(notary, label, frame)
  } catch (error) {
    if (error instanceof Fault) return undefined
    throw error
  }
}
