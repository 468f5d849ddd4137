/**
 * The `Streams` port over a model network. A stream is like one of TCP: frames come whole, in order and once, or the stream ends.
 * Loss shows as delay (a stall), a cut as silence until it heals or the connection is given up; a process that dies is told by its
 * host at once, a host that dies by nobody. Each stream has a connection of its own.
 */
import { Fault, type Channel, type PeerName, type ProtocolLimits, type Streams } from '../../protocols/wire/index.ts'
import type { VirtualClock } from '../clock.ts'
import type { SeededRandom } from '../random.ts'
import type { LifeClock } from './life.ts'
import { joined, lostAfterMs, retryMs, type StreamEnd } from './stream-end.ts'

export interface StreamFaults {
  readonly delayMs: readonly [number, number]
  /** Of each frame: it, and all behind it, are so much later. */
  readonly stallProbability: number
  readonly stallMs: readonly [number, number]
  /** Of each frame: the connection is lost instead, for both sides. */
  readonly resetProbability: number
  /** Of each stream in each direction; null: as much as one likes. */
  readonly bytesPerMs: number | null
}

export const calmStreams: StreamFaults = {
  delayMs: [2, 60],
  stallProbability: 0,
  stallMs: [0, 0],
  resetProbability: 0,
  bytesPerMs: null,
}

export interface StreamNetDeps {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly faults: StreamFaults
  /** Whether nothing comes through from one peer to the other now. */
  readonly isCut: (from: PeerName, to: PeerName) => boolean
  /** For the trace. */
  readonly note?: (from: PeerName, to: PeerName, what: string) => void
}

/** The side of a stream on which a peer's life is. */
export interface Site {
  readonly name: PeerName
  readonly life: LifeClock
  readonly handlers: Map<string, Answering>
  readonly ends: Set<StreamEnd>
  /** Streams that were opened towards it and are not over, by peer and protocol. */
  readonly inbound: Map<string, number>
  readonly onFault: (peer: PeerName, fault: Fault) => void
}

interface Answering {
  readonly limits: ProtocolLimits
  readonly handler: (channel: Channel) => Promise<void>
}

/** How long the other side of a stream that was answered gets to close too; as in production. */
const lingerMs = 5_000

export class ModelStreams {
  readonly deps: StreamNetDeps
  faults: StreamFaults
  /** Most bytes that one end held and nobody had read. */
  heldBytesMax = 0
  readonly #sites = new Map<PeerName, Site>()
  /** Hosts that are down: nothing answers in their place, not even with a reset. */
  readonly #down = new Set<PeerName>()

  constructor(deps: StreamNetDeps) {
    this.deps = deps
    this.faults = deps.faults
  }

  /** The port for one life of a peer; the life before it is over. Faults of those who open streams go to `onFault`. */
  streamsOf(name: PeerName, life: LifeClock, onFault: Site['onFault']): Streams {
    const site: Site = { name, life, onFault, handlers: new Map(), ends: new Set(), inbound: new Map() }
    this.#sites.set(name, site)
    this.#down.delete(name)
    return {
      handle: async (protocol, limits, handler) => void site.handlers.set(protocol, { limits, handler }),
      open: async (peer, protocol, limits, signal) => this.#open(site, peer, protocol, limits, signal),
    }
  }

  /** To be called when a life is over. The host of a process that died tells the others; one that lost power does not. */
  hangUp(name: PeerName, isHostDown: boolean): void {
    const site = this.#sites.get(name)
    if (isHostDown) this.#down.add(name)
    for (const end of site?.ends ?? []) end.die(isHostDown)
    site?.ends.clear()
  }

  /** Streams that a peer has open in its life. */
  openAt(name: PeerName): number {
    return this.#sites.get(name)?.ends.size ?? 0
  }

  isDown(name: PeerName): boolean {
    return this.#down.has(name)
  }

  delayMs(): number {
    const { delayMs } = this.faults
    return this.deps.random.between(delayMs[0], delayMs[1])
  }

  async #open(
    from: Site,
    to: PeerName,
    protocol: string,
    limits: ProtocolLimits,
    signal: AbortSignal,
  ): Promise<Channel> {
    signal.throwIfAborted()
    const { clock, isCut } = this.deps
    const { promise, resolve, reject } = Promise.withResolvers<Channel>()
    const onAbort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    const answered = (answer: () => void): void =>
      void clock.after(this.delayMs(), () => from.life.live(() => (signal.aborted ? undefined : answer())))
    const begunMs = clock.nowMs()
    const knock = (): void => {
      if (from.life.isOver || signal.aborted) return
      if (isCut(from.name, to) || isCut(to, from.name) || this.#down.has(to)) {
        if (clock.nowMs() - begunMs >= lostAfterMs) reject(new Error('unreachable'))
        else clock.after(retryMs, knock)
        return
      }
      const site = this.#sites.get(to)
      if (site === undefined || site.life.isOver) return answered(() => reject(new Error('nobody listens')))
      site.life.live(() => {
        const answering = site.handlers.get(protocol)
        if (answering === undefined) return answered(() => reject(new Error(`${protocol} is not spoken`)))
        const [near, far] = joined(this, from, site, limits.frameBytesMax)
        this.#answer(site, far, protocol, answering)
        clock.after(this.delayMs(), () =>
          from.life.live(() => (signal.aborted ? near.abort(new Error('too late')) : resolve(near))),
        )
      })
    }
    clock.after(this.delayMs(), knock)
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** As `src/host/streams.ts` does. */
  #answer(site: Site, end: StreamEnd, protocol: string, { limits, handler }: Answering): void {
    const name = `${end.remote} ${protocol}`
    const open = site.inbound.get(name) ?? 0
    if (open >= limits.streamsPerPeerMax) return end.abort(new Error('too many streams'))
    site.inbound.set(name, open + 1)
    end.onOver = () => {
      const left = site.inbound.get(name)! - 1
      if (left === 0) site.inbound.delete(name)
      else site.inbound.set(name, left)
    }
    handler(end).then(
      () => {
        end.finish()
        if (!end.isOver) site.life.after(lingerMs, () => end.abort(new Error('closed')))
      },
      (error: unknown) => {
        end.abort(error as Error)
        if (error instanceof Fault) site.onFault(end.remote, error)
      },
    )
  }
}
