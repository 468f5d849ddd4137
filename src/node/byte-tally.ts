/** Bytes by peer, until somebody takes them up. What a crash takes with it is not counted. */
import type { PeerName } from '../../protocols/wire/index.ts'

/** Peers that are counted at once; others' bytes are not. */
const peersMax = 4_096

export class ByteTally {
  readonly #bytes = new Map<PeerName, number>()

  add(peer: PeerName, bytes: number): void {
    const before = this.#bytes.get(peer)
    if (before === undefined && this.#bytes.size >= peersMax) return
    this.#bytes.set(peer, (before ?? 0) + bytes)
  }

  of(peer: PeerName): number {
    return this.#bytes.get(peer) ?? 0
  }

  peers(): PeerName[] {
    return [...this.#bytes.keys()]
  }

  /** Each byte once. */
  take(peer: PeerName): number {
    const bytes = this.of(peer)
    this.#bytes.delete(peer)
    return bytes
  }
}

/** What goes through relays: what was carried as one, by who is reached through it, and what came and went for us, by the relay. */
export class RelayedBytes {
  readonly carried = new ByteTally()
  readonly served = new ByteTally()

  onCarried(holder: PeerName, bytes: number): void {
    this.carried.add(holder, bytes)
  }

  onServed(relay: PeerName, bytes: number): void {
    this.served.add(relay, bytes)
  }
}
