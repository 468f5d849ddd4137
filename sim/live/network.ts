/**
 * A network in one process: which address belongs to whom, how good the way between two of them is, and who is cut off from
 * whom. Hosts have IP addresses of their own, so that everything that looks at addresses does what it does in production.
 */
import type { Random } from '../../src/environment.ts'
import { Line, type LinkQuality } from './link.ts'
import type { Meter } from './measures/traffic.ts'
import type { TimerWheel } from './wheel.ts'

export interface Place<Host> {
  readonly ip: string
  readonly port: number
  readonly host: Host
}

/** Where a host has no port of its own choice: the range that systems use. */
const ephemeralPortMin = 49_152
const ephemeralPortMax = 65_535

export class LiveNetwork<Host> {
  readonly wheel: TimerWheel
  /** Counts what is sent, when somebody wants to know. */
  meter: Meter | undefined
  readonly #random: Random
  readonly #quality: (from: string, to: string) => LinkQuality
  readonly #places = new Map<string, Place<Host>>()
  readonly #lines = new Set<Line>()
  /** Each says whether nothing gets from the one to the other. */
  readonly #cuts = new Set<(from: string, to: string) => boolean>()
  /** Each says what it makes of the way from the one to the other. */
  readonly #spoils = new Set<(quality: LinkQuality, from: string, to: string) => LinkQuality>()
  readonly #behindNat = new Map<string, number>()
  /** Hosts that were pulled out, by how often; and what ends the connections of those that are there. */
  readonly #pulled = new Map<string, number>()
  readonly #plugs = new Map<string, Set<() => void>>()
  #port = ephemeralPortMin

  constructor(wheel: TimerWheel, random: Random, quality: LinkQuality | ((from: string, to: string) => LinkQuality)) {
    this.wheel = wheel
    this.#random = random
    this.#quality = typeof quality === 'function' ? quality : () => quality
  }

  /** Lines of connections that live: for tests. */
  get linesCount(): number {
    return this.#lines.size
  }

  /** Takes an address; port 0 takes any. Undefined when it is taken. */
  listen(ip: string, port: number, host: Host): Place<Host> | undefined {
    const place = { ip, port: port === 0 ? this.ephemeralPort() : port, host }
    const key = keyOf(place)
    if (this.#places.has(key)) return undefined
    this.#places.set(key, place)
    return place
  }

  unlisten(place: Place<Host>): void {
    // After a restart another has its place.
    if (this.#places.get(keyOf(place)) === place) this.#places.delete(keyOf(place))
  }

  at(ip: string, port: number): Place<Host> | undefined {
    return this.#places.get(keyOf({ ip, port }))
  }

  ephemeralPort(): number {
    this.#port = this.#port === ephemeralPortMax ? ephemeralPortMin : this.#port + 1
    return this.#port
  }

  quality(from: string, to: string): LinkQuality {
    let quality = this.#quality(from, to)
    for (const spoil of this.#spoils) quality = spoil(quality, from, to)
    return quality
  }

  isCut(from: string, to: string): boolean {
    for (const cut of this.#cuts) if (cut(from, to)) return true
    return false
  }

  /** IP addresses in different groups do not reach each other, until the returned function is called. Others reach all. */
  partition(groups: readonly (readonly string[])[]): () => void {
    const groupOf = new Map(groups.flatMap((ips, group) => ips.map((ip) => [ip, group])))
    return this.#cut((from, to) => {
      const [mine, other] = [groupOf.get(from), groupOf.get(to)]
      return mine !== undefined && other !== undefined && mine !== other
    })
  }

  /** Nothing gets from these to anybody else, though everything gets to them, until the returned function is called. */
  mute(ips: readonly string[]): () => void {
    const muted = new Set(ips)
    return this.#cut((from, to) => muted.has(from) && !muted.has(to))
  }

  /** The host hangs: nothing comes from it or reaches it, and nothing is closed, until the returned function is called. */
  freeze(ip: string): () => void {
    return this.#cut((from, to) => from === ip || to === ip)
  }

  /** These have so small a share of their bandwidth, both ways, until the returned function is called. */
  slow(ips: readonly string[], share: number): () => void {
    const slowed = new Set(ips)
    return this.#spoil((quality, from, to) =>
      slowed.has(from) || slowed.has(to) ? { ...quality, bytesPerSecond: quality.bytesPerSecond * share } : quality,
    )
  }

  /** Such a share, in [0, 1), of the messages that these send is lost, though none that is sent to them, until the returned function is called. */
  lossy(ips: readonly string[], loss: number): () => void {
    const losing = new Set(ips)
    return this.#spoil((quality, from) =>
      losing.has(from) ? { ...quality, loss: 1 - (1 - quality.loss) * (1 - loss) } : quality,
    )
  }

  /** Nobody reaches these by dialling; what they dialled stays. Until the returned function is called. */
  nat(ips: readonly string[]): () => void {
    const count = (ip: string, by: number): void => void this.#behindNat.set(ip, (this.#behindNat.get(ip) ?? 0) + by)
    for (const ip of ips) count(ip, 1)
    return () => {
      for (const ip of ips) count(ip, -1)
    }
  }

  isBehindNat(ip: string): boolean {
    return (this.#behindNat.get(ip) ?? 0) > 0
  }

  /**
   * The host ends at once, as a process that is killed: its connections break at both ends, nobody listens where it did, and
   * whatever is still in its hands dials in vain. Another host may take its place.
   */
  pull(ip: string): void {
    this.#pulled.set(ip, this.pulls(ip) + 1)
    for (const [key, place] of this.#places) if (place.ip === ip) this.#places.delete(key)
    for (const breakOff of this.#plugs.get(ip) ?? []) breakOff()
  }

  /** How often a host at this address was pulled out: a transport that was there before the last time is a dead one's. */
  pulls(ip: string): number {
    return this.#pulled.get(ip) ?? 0
  }

  /** Has `breakOff` called when the host is pulled out. The returned function takes it back. */
  onPull(ip: string, breakOff: () => void): () => void {
    let plugs = this.#plugs.get(ip)
    if (plugs === undefined) this.#plugs.set(ip, (plugs = new Set()))
    plugs.add(breakOff)
    return () => void plugs.delete(breakOff)
  }

  #spoil(spoil: (quality: LinkQuality, from: string, to: string) => LinkQuality): () => void {
    this.#spoils.add(spoil)
    return () => void this.#spoils.delete(spoil)
  }

  #cut(cut: (from: string, to: string) => boolean): () => void {
    this.#cuts.add(cut)
    return () => {
      this.#cuts.delete(cut)
      for (const line of this.#lines) line.mend()
    }
  }

  /** A line of a new connection. `onBroken` is called when a loss ends it. */
  line(from: string, to: string, onBroken: () => void): Line {
    const line = new Line({
      wheel: this.wheel,
      random: this.#random,
      quality: () => this.quality(from, to),
      isCut: () => this.isCut(from, to),
      onBroken,
    })
    this.#lines.add(line)
    return line
  }

  /** Both ends of its connection are gone. */
  forget(line: Line): void {
    line.close()
    this.#lines.delete(line)
  }

  /** Rejects when the signal fires, as whoever asks and is not answered. */
  async never(signal: AbortSignal): Promise<never> {
    signal.throwIfAborted()
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  }

  /** Resolves after so many round trips between two hosts. While they are cut off from each other, that is never. */
  async roundTrips(count: number, from: string, to: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { latencyMs, jitterMs } = this.quality(from, to)
    const delayMs = count * (2 * latencyMs + this.#random.float() * jitterMs)
    const cancel = this.wheel.after(delayMs, () => {
      if (!this.isCut(from, to) && !this.isCut(to, from)) resolve()
    })
    const onAbort = (): void => {
      cancel()
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}

function keyOf({ ip, port }: { readonly ip: string; readonly port: number }): string {
  return `${ip}:${port}`
}
