/** What the connections of a live world carried, by protocol: bytes, frames, and how many streams were taken. */
import type { PeerName } from '../../../protocols/wire/index.ts'

/** Told of what goes over connections. Called for every frame. */
export interface Meter {
  /** A frame left, its header included. Undefined: it is no stream's, but of the connection itself. */
  sent(protocol: string | undefined, bytes: number): void
  /** `by` took a stream that another opened. */
  taken(protocol: string | undefined, by: PeerName): void
}

/** Of one protocol. */
export interface Carried {
  readonly bytes: number
  readonly frames: number
  readonly streams: number
}

/** What is said to open, accept and end streams and connections. */
const ofConnections = 'connections'
/** What is said on a stream before it is agreed what it is for: it has the empty protocol then. */
const ofNegotiation = 'negotiation'

interface Count {
  bytes: number
  frames: number
  streams: number
}

export class Traffic implements Meter {
  readonly #counts = new Map<string, Count>()
  readonly #taken = new Map<string, Map<PeerName, number>>()

  sent(protocol: string | undefined, bytes: number): void {
    // A stream has no protocol while it is agreed upon.
    const count = this.#count(protocol === undefined || protocol === '' ? ofConnections : protocol)
    count.bytes += bytes
    count.frames += 1
  }

  taken(protocol: string | undefined, by: PeerName): void {
    if (protocol === undefined) return
    this.#count(protocol).streams += 1
    const counts = this.#taken.get(protocol) ?? new Map<PeerName, number>()
    this.#taken.set(protocol, counts)
    counts.set(by, (counts.get(by) ?? 0) + 1)
  }

  #count(protocol: string): Count {
    const name = protocol === '' ? ofNegotiation : protocol
    let count = this.#counts.get(name)
    if (count === undefined) this.#counts.set(name, (count = { bytes: 0, frames: 0, streams: 0 }))
    return count
  }

  get bytes(): number {
    let sum = 0
    for (const { bytes } of this.#counts.values()) sum += bytes
    return sum
  }

  /** By protocol. What is a network's own is called as it would be in any other, so that two runs can be compared. */
  carried(network: string): Record<string, Carried> {
    return Object.fromEntries(
      [...this.#counts].map(([protocol, count]) => [protocol.replace(`/${network}/`, '/'), { ...count }]),
    )
  }

  /** Streams of a protocol that each peer took: one for each request, where a request has a stream of its own. */
  takenBy(protocol: string): ReadonlyMap<PeerName, number> {
    return this.#taken.get(protocol) ?? new Map()
  }
}
