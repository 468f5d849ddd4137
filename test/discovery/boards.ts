/** A bulletin board in memory. What it does with a record is the test's to say. */
import { capabilityNamespace, openCapability, type Capability } from '../../protocols/capability/index.ts'
import { publicKeyOf, type Bulletin, type PeerName } from '../../protocols/wire/index.ts'
import type { SequenceFloor } from '../../src/discovery/record-index.ts'
import { network, signer } from '../support/peers.ts'

export const startMs = 1_700_000_000_000

export class Board implements Bulletin {
  readonly puts: { readonly atMs: number; readonly envelope: Uint8Array }[] = []
  readonly adverts: string[] = []
  readonly records = new Map<string, Uint8Array>()
  readonly found = new Map<string, readonly PeerName[]>()
  readonly #nowMs: () => number
  /** How many peers acknowledge the n-th record, from 0; may also hang until its signal fires, or throw. */
  acknowledge: (count: number, signal: AbortSignal) => number | Promise<number> = () => 3
  onAdvertise: (name: string, signal: AbortSignal) => void | Promise<void> = () => {}
  onGet: (peer: PeerName) => void = () => {}

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  async put(_namespace: string, key: Uint8Array, envelope: Uint8Array, signal: AbortSignal): Promise<number> {
    this.puts.push({ atMs: this.#nowMs() - startMs, envelope })
    const acknowledged = await this.acknowledge(this.puts.length - 1, signal)
    if (acknowledged > 0) this.records.set(String(key), envelope)
    return acknowledged
  }

  async get(_namespace: string, key: Uint8Array): Promise<Uint8Array | undefined> {
    for (const { peer, publicKey } of people) if (String(publicKey) === String(key)) this.onGet(peer)
    return this.records.get(String(key))
  }

  async advertise(name: string, signal: AbortSignal): Promise<void> {
    await this.onAdvertise(name, signal)
    this.adverts.push(name)
  }

  async withdraw(): Promise<void> {}

  async *find(name: string, limit: number): AsyncIterable<PeerName> {
    yield* (this.found.get(name) ?? []).slice(0, limit)
  }

  lay(peer: PeerName, envelope: Uint8Array): void {
    this.records.set(String(publicKeyOf(peer)), envelope)
  }

  capabilities(): Capability[] {
    return this.puts.map(({ atMs, envelope }) => openCapability(signer(9), network, envelope, startMs + atMs).body)
  }
}

export const people = Array.from({ length: 24 }, (_, seed) => signer(seed))

/** As the ledger's: above the floor, or the very record that made it. */
export class Floor implements SequenceFloor {
  readonly #highest = new Map<string, { sequence: number; hash: string }>()
  raise(key: string, sequence: number, hash: Uint8Array): boolean {
    if (!key.startsWith(capabilityNamespace)) throw new Error(key)
    const seen = this.#highest.get(key)
    if (seen !== undefined && sequence < seen.sequence) return false
    if (seen !== undefined && sequence === seen.sequence) return seen.hash === String(hash)
    this.#highest.set(key, { sequence, hash: String(hash) })
    return true
  }
}

/** Promises that are ready have run when the event loop comes round. */
export async function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
