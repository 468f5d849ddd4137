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
  #partitions: ReadonlyMap<string, number>[] = []
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
    this.#places.delete(keyOf(place))
  }

  at(ip: string, port: number): Place<Host> | undefined {
    return this.#places.get(keyOf({ ip, port }))
  }

  ephemeralPort(): number {
    this.#port = this.#port === ephemeralPortMax ? ephemeralPortMin : this.#port + 1
    return this.#port
  }

  quality(from: string, to: string): LinkQuality {
    return this.#quality(from, to)
  }

  isCut(from: string, to: string): boolean {
    return this.#partitions.some((groupOf) => {
      const [mine, other] = [groupOf.get(from), groupOf.get(to)]
      return mine !== undefined && other !== undefined && mine !== other
    })
  }

  /** IP addresses in different groups do not reach each other, until the returned function is called. Others reach all. */
  partition(groups: readonly (readonly string[])[]): () => void {
    const groupOf = new Map(groups.flatMap((ips, group) => ips.map((ip) => [ip, group])))
    this.#partitions = [...this.#partitions, groupOf]
    return () => {
      this.#partitions = this.#partitions.filter((other) => other !== groupOf)
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
