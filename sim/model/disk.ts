/**
 * The books of a peer: what survives a crash, and when. `Disk` is a small stand-in for the ledger, so that a second holds many lives
 * of the mesh; `LedgerBooks` is the ledger itself. Writes of one moment go to the disk together, as the ledger's group commit does;
 * they are acknowledged when they are durable. A peer that dies meanwhile does not know whether they are.
 */
import type { PeerName, Statement } from '../../protocols/wire/index.ts'
import { memorySequenceFloors } from '../../src/host/sequence-floors.ts'
import type { Journal, JournalEntry } from '../../src/reactor.ts'
import type { Doing, Experience } from '../../src/reputation/experience.ts'
import type { Memory } from '../../src/reputation/reputation.ts'
import type { SeededRandom } from '../random.ts'

/** How long a group waits and is written. */
const commitMs: readonly [number, number] = [2, 8]
/** How often a group that a crash met was written all the same: nobody was told. */
export const landsProbability = 0.3

export interface StoredState {
  readonly kind: JournalEntry['kind']
  readonly state: unknown
  /** What is over is not taken up again after a restart. */
  readonly final: boolean
}

export interface StoredStatement {
  readonly machine: string
  readonly statement: Statement
}

/** What is written down, for whoever looks at it from outside. */
export interface Books {
  /** By `kind/id`. */
  readonly states: ReadonlyMap<string, StoredState>
  /** In the order in which they were written. */
  readonly statements: readonly StoredStatement[]
  readonly seen: ReadonlyMap<PeerName, unknown>
  /** Of our own capability record: the last number that was used. */
  readonly sequence: number
  /** Nothing can be written meanwhile. */
  isFull: boolean
  /** Whether an envelope is written down. */
  holds(envelope: Uint8Array): boolean
  /** For one life of the peer. `onEffect` is called around every write, and may end that life. */
  open(life: BookLife, onEffect: (when: 'before' | 'after') => void): OpenBooks
  close(): void
}

/** What books need of a life of the peer. */
export interface BookLife {
  readonly isOver: boolean
  nowMs(): number
  after(delayMs: number, run: () => void): () => void
  post(delayMs: number, run: () => void): void
}

/** The books in the hands of one life of the peer. */
export interface OpenBooks extends Journal, Pick<Memory, 'of' | 'change'> {
  /** What a restart takes up again. */
  unfinished(): readonly StoredState[]
  /** Whether a record of this number may stand. Throws when it cannot be written down. */
  accepts(key: string, sequence: number, hash: Uint8Array): boolean
  /** The next number of our own capability record. */
  nextSequence(): Promise<number>
  /** The peer dies: what it was writing is there or not, all of it. */
  crash(): void
}

const nothing: ReadonlyMap<Doing, Experience> = new Map()

export class Disk implements Books {
  readonly states = new Map<string, StoredState>()
  readonly statements: StoredStatement[] = []
  readonly seen = new Map<PeerName, Map<Doing, Experience>>()
  readonly floors = memorySequenceFloors()
  sequence = 0
  isFull = false
  /** Envelopes that are written down, by identity: in the model bytes are passed on, not copied. */
  readonly #envelopes = new Set<Uint8Array>()
  readonly #random: SeededRandom

  constructor(random: SeededRandom) {
    this.#random = random
  }

  holds(envelope: Uint8Array): boolean {
    return this.#envelopes.has(envelope)
  }

  open(life: BookLife, onEffect: (when: 'before' | 'after') => void): OpenBooks {
    return new DiskJournal(this, life, this.#random, onEffect)
  }

  close(): void {}

  write(entry: JournalEntry): void {
    const machine = `${entry.kind}/${entry.id}`
    if (entry.state !== null) this.states.set(machine, { kind: entry.kind, state: entry.state, final: entry.final })
    for (const statement of entry.statements) {
      this.statements.push({ machine, statement })
      this.#envelopes.add(statement.envelope)
    }
  }
}

interface Pending {
  readonly entry: JournalEntry
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

class DiskJournal implements OpenBooks {
  readonly #disk: Disk
  readonly #life: BookLife
  readonly #random: SeededRandom
  readonly #onEffect: (when: 'before' | 'after') => void
  #group: Pending[] = []

  constructor(disk: Disk, life: BookLife, random: SeededRandom, onEffect: (when: 'before' | 'after') => void) {
    this.#disk = disk
    this.#life = life
    this.#random = random
    this.#onEffect = onEffect
  }

  commit(entry: JournalEntry): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#group.push({ entry, resolve, reject })
    if (this.#group.length === 1) this.#life.post(this.#random.between(...commitMs), () => this.#flush())
    return promise
  }

  unfinished(): readonly StoredState[] {
    return Array.from(this.#disk.states.values()).filter(({ final }) => !final)
  }

  of(peer: PeerName): ReadonlyMap<Doing, Experience> {
    return this.#disk.seen.get(peer) ?? nothing
  }

  change(peer: PeerName, doing: Doing, next: (before: Experience | undefined) => Experience): void {
    const rows = this.#disk.seen.get(peer) ?? new Map<Doing, Experience>()
    rows.set(doing, next(rows.get(doing)))
    this.#disk.seen.set(peer, rows)
  }

  accepts(key: string, sequence: number, hash: Uint8Array): boolean {
    return this.#disk.floors.accepts(key, sequence, hash)
  }

  async nextSequence(): Promise<number> {
    return (this.#disk.sequence = Math.max(this.#life.nowMs(), this.#disk.sequence + 1))
  }

  crash(): void {
    const group = this.#group
    this.#group = []
    if (this.#disk.isFull || !this.#random.chance(landsProbability)) return
    for (const { entry } of group) this.#disk.write(entry)
  }

  #flush(): void {
    const group = this.#group
    this.#group = []
    if (this.#disk.isFull) {
      for (const { reject } of group) reject(new Error('no space left on the device'))
      return
    }
    for (const { entry, resolve } of group) {
      this.#onEffect('before')
      if (this.#life.isOver) return
      this.#disk.write(entry)
      this.#onEffect('after')
      // A peer that died right after the write is dead before it can say anything of it.
      if (this.#life.isOver) return
      resolve()
    }
  }
}
