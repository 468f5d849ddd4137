/**
 * The transport that hosts of a simulated network have in the place of TCP: connections inside this process, over lines with
 * latency, jitter, loss and bandwidth. Encryption and the negotiation of a muxer are left out, and the time that they take
 * is not: a dial takes the round trips that it takes in production.
 */
import {
  TypedEventEmitter,
  UnexpectedPeerError,
  transportSymbol,
  type ComponentLogger,
  type Connection,
  type CreateListenerOptions,
  type DialTransportOptions,
  type Listener,
  type ListenerEvents,
  type PeerId,
  type StreamMuxerFactory,
  type Transport,
  type Upgrader,
} from '@libp2p/interface'
import { CODE_IP4, CODE_P2P, CODE_TCP, multiaddr, type Multiaddr } from '@multiformats/multiaddr'

import { LiveConnection, muxerFactory, type StreamLimits } from './connection.ts'
import type { LiveNetwork, Place } from './network.ts'

/** TCP, the choice of the encryption, its handshake, the choice of the muxer. */
const dialRoundTrips = 4

export interface LiveComponents {
  readonly peerId: PeerId
  readonly logger: ComponentLogger
  readonly registrar: { getHandler(protocol: string): unknown }
}

export type LiveNet = LiveNetwork<LiveListener>

/** For libp2p's `transports`: the transport of the host that has this IP address. */
export function liveTransport(
  network: LiveNet,
  ip: string,
  limits: StreamLimits,
): (components: LiveComponents) => Transport {
  return (components) => new LiveTransport(components, network, ip, limits)
}

class LiveTransport implements Transport {
  readonly [Symbol.toStringTag] = 'pleach-sim'
  readonly [transportSymbol] = true
  readonly #components: LiveComponents
  readonly #network: LiveNet
  readonly #ip: string
  readonly #limits: StreamLimits
  readonly #muxers: StreamMuxerFactory
  /** Of hosts at this address before this one. */
  readonly #pulls: number

  constructor(components: LiveComponents, network: LiveNet, ip: string, limits: StreamLimits) {
    this.#components = components
    this.#network = network
    this.#ip = ip
    this.#limits = limits
    this.#pulls = network.pulls(ip)
    this.#muxers = muxerFactory((protocol) => isSpoken(components, protocol))
  }

  readonly listenFilter = (addresses: Multiaddr[]): Multiaddr[] =>
    addresses.filter((address) => placeOf(address) !== undefined)

  readonly dialFilter = this.listenFilter

  async dial(address: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const { ip, port } = placeOf(address)!
    await this.#network.roundTrips(dialRoundTrips, this.#ip, ip, options.signal)
    if (this.#network.pulls(this.#ip) !== this.#pulls) throw new Error('this host has ended')
    // What nobody asked for is dropped without a word, so whoever dials waits until his patience ends.
    if (this.#network.isBehindNat(ip)) await this.#network.never(options.signal)
    const place = this.#network.at(ip, port)
    if (place === undefined) throw new Error(`nobody listens on ${ip}:${port}`)
    const remotePeer = place.host.peerId
    const wanted = peerOf(address)
    if (wanted !== undefined && wanted !== remotePeer.toString())
      throw new UnexpectedPeerError(`${remotePeer.toString()} is at ${address.toString()}`)
    const [near, far] = this.#connect(address, place)
    try {
      await place.host.take(far, this.#components.peerId)
      const { upgrader, signal } = options
      return await upgrader.upgradeOutbound(near, {
        signal,
        skipEncryption: true,
        skipProtection: true,
        remotePeer,
        muxerFactory: this.#muxers,
      })
    } catch (error) {
      near.abort(error as Error)
      throw error
    }
  }

  createListener({ upgrader }: CreateListenerOptions): LiveListener {
    return new LiveListener(this.#components.peerId, this.#network, this.#ip, upgrader, this.#muxers)
  }

  #connect(remoteAddr: Multiaddr, { ip, host }: Place<LiveListener>): [near: LiveConnection, far: LiveConnection] {
    const network = this.#network
    const limits = this.#limits
    const log = this.#components.logger.forComponent('pleach:sim')
    const onBroken = (): void => near.break()
    const there = network.line(this.#ip, ip, onBroken)
    const back = network.line(ip, this.#ip, onBroken)
    const from = multiaddr(`/ip4/${this.#ip}/tcp/${network.ephemeralPort()}`)
    const near = new LiveConnection({
      direction: 'outbound',
      remoteAddr,
      log,
      limits,
      line: there,
      owner: this.#components.peerId.toString(),
      network,
    })
    const far = new LiveConnection({
      direction: 'inbound',
      remoteAddr: from,
      log,
      limits,
      line: back,
      owner: host.peerId.toString(),
      network,
    })
    LiveConnection.join(near, far)
    const plugs = [this.#ip, ip].map((end) => network.onPull(end, onBroken))
    const onClose = (): void => {
      if (!near.isEnded || !far.isEnded) return
      for (const unplugged of plugs) unplugged()
      network.forget(there)
      network.forget(back)
    }
    near.addEventListener('close', onClose)
    far.addEventListener('close', onClose)
    return [near, far]
  }
}

export class LiveListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly peerId: PeerId
  readonly #network: LiveNet
  readonly #ip: string
  readonly #upgrader: Upgrader
  readonly #muxers: StreamMuxerFactory
  readonly #closing = new AbortController()
  #place: Place<LiveListener> | undefined

  constructor(peerId: PeerId, network: LiveNet, ip: string, upgrader: Upgrader, muxers: StreamMuxerFactory) {
    super()
    this.peerId = peerId
    this.#network = network
    this.#ip = ip
    this.#upgrader = upgrader
    this.#muxers = muxers
  }

  async listen(address: Multiaddr): Promise<void> {
    const { ip, port } = placeOf(address)!
    if (ip !== this.#ip && ip !== '0.0.0.0')
      throw Object.assign(new Error(`${ip} is not an address of this host`), { code: 'EADDRNOTAVAIL' })
    this.#place = this.#network.listen(this.#ip, port, this)
    if (this.#place === undefined)
      throw Object.assign(new Error(`${ip}:${port} is in use`), { code: 'EADDRINUSE', port })
    this.safeDispatchEvent('listening')
  }

  getAddrs(): Multiaddr[] {
    return this.#place === undefined ? [] : [multiaddr(`/ip4/${this.#place.ip}/tcp/${this.#place.port}`)]
  }

  updateAnnounceAddrs(): void {}

  async close(): Promise<void> {
    if (this.#place === undefined) return
    this.#network.unlisten(this.#place)
    this.#place = undefined
    this.#closing.abort(new Error('the listener is closed'))
    this.safeDispatchEvent('close')
  }

  /** Takes a connection that another host dialled; rejects when this host does not want it. */
  async take(connection: LiveConnection, remotePeer: PeerId): Promise<void> {
    try {
      await this.#upgrader.upgradeInbound(connection, {
        signal: this.#closing.signal,
        skipEncryption: true,
        skipProtection: true,
        remotePeer,
        muxerFactory: this.#muxers,
      })
    } catch (error) {
      connection.abort(error as Error)
      throw error
    }
  }
}

/** libp2p's own list of protocols is sorted anew each time that it is asked for, which is once a stream here. */
function isSpoken({ registrar }: LiveComponents, protocol: string): boolean {
  try {
    return registrar.getHandler(protocol) !== undefined
  } catch {
    return false
  }
}

function placeOf(address: Multiaddr): { ip: string; port: number } | undefined {
  const [host, port, ...rest] = address.getComponents()
  if (host?.code !== CODE_IP4 || host.value === undefined || port?.code !== CODE_TCP) return undefined
  return rest.every(({ code }) => code === CODE_P2P) ? { ip: host.value, port: Number(port.value) } : undefined
}

function peerOf(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(({ code }) => code === CODE_P2P)?.value
}
