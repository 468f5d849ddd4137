/** What the connections of a live world carried, by protocol: bytes, frames, and how many streams were taken. */
import type { PeerName } from '../../../protocols/wire/index.ts'
import type { TrafficWatch } from '../../../src/host/index.ts'

/** Told of what goes over connections. Called for every frame. */
export interface Meter {
  /** A frame left, its header included where there is one of ours. Undefined: it is no stream's, but of the connection itself. */
  sent(protocol: string | undefined, bytes: number): void
  /** Where encryption and framing come on top of what protocols say: everything that went out on a connection. */
  wired(bytes: number): void
  /** `by` took a stream that another opened. */
  taken(protocol: string | undefined, by: PeerName): void
}

/** What counts everything that is sent, when somebody wants to know. */
export interface Wire {
  meter: Meter | undefined
}

/** Of one protocol. */
export interface Carried {
  readonly bytes: number
  readonly frames: number
  readonly streams: number
}

/** Everything beside what protocols say: to open, accept and end streams and connections, to frame and to encrypt. */
const ofConnections = 'connections'

interface Count {
  bytes: number
  frames: number
  streams: number
}

export class Traffic implements Meter {
  readonly #counts = new Map<string, Count>()
  readonly #wire = { bytes: 0, frames: 0 }
  readonly #taken = new Map<string, Map<PeerName, number>>()

  sent(protocol: string | undefined, bytes: number): void {
    const count = this.#count(protocol)
    count.bytes += bytes
    count.frames += 1
  }

  wired(bytes: number): void {
    this.#wire.bytes += bytes
    this.#wire.frames += 1
  }

  taken(protocol: string | undefined, by: PeerName): void {
    this.#count(protocol).streams += 1
    if (protocol === undefined) return
    const counts = this.#taken.get(protocol) ?? new Map<PeerName, number>()
    this.#taken.set(protocol, counts)
    counts.set(by, (counts.get(by) ?? 0) + 1)
  }

  get bytes(): number {
    return Math.max(this.#wire.bytes, this.#said)
  }

  /** By protocol. What is a network's own is called as it would be in any other, so that two runs can be compared. */
  carried(network: string): Record<string, Carried> {
    const carried: Record<string, Carried> = Object.fromEntries(
      [...this.#counts].map(([protocol, count]) => [protocol.replace(`/${network}/`, '/'), { ...count }]),
    )
    const { bytes, frames } = this.#wire
    if (bytes > 0) carried[ofConnections] = { bytes: Math.max(0, bytes - this.#said), frames, streams: 0 }
    return carried
  }

  /** Streams of a protocol that each peer took: one for each request, where a request has a stream of its own. */
  takenBy(protocol: string): ReadonlyMap<PeerName, number> {
    return this.#taken.get(protocol) ?? new Map()
  }

  /** Bytes by all that is counted by itself. */
  get #said(): number {
    let sum = 0
    for (const { bytes } of this.#counts.values()) sum += bytes
    return sum
  }

  /** A stream has the empty protocol until it is agreed what it is for. */
  #count(protocol: string | undefined): Count {
    const name = protocol === undefined || protocol === '' ? ofConnections : protocol
    let count = this.#counts.get(name)
    if (count === undefined) this.#counts.set(name, (count = { bytes: 0, frames: 0, streams: 0 }))
    return count
  }
}

/** What came on top of an earlier state of the same counters. */
export function carriedSince(
  before: Readonly<Record<string, Carried>>,
  after: Readonly<Record<string, Carried>>,
): Record<string, Carried> {
  return Object.fromEntries(
    Object.entries(after).map(([protocol, { bytes, frames, streams }]) => {
      const had = before[protocol] ?? { bytes: 0, frames: 0, streams: 0 }
      return [protocol, { bytes: bytes - had.bytes, frames: frames - had.frames, streams: streams - had.streams }]
    }),
  )
}

/** Counts what the host of one peer sends, whatever carries it. */
export function metered(wire: Readonly<Wire>, peer: PeerName): TrafficWatch {
  return {
    onSent: (protocol, bytes) => wire.meter?.sent(protocol, bytes),
    onTaken: (protocol) => wire.meter?.taken(protocol, peer),
    onWire: (bytes) => wire.meter?.wired(bytes),
  }
}
