/**
 * What survives a crash, and when. Writes of one moment go to the disk together, as the ledger's group commit does; they are
 * acknowledged when they are durable. A peer that dies meanwhile does not know whether they are.
 */
import type { Statement } from '../../protocols/wire/index.ts'
import { memorySequenceFloors } from '../../src/host/sequence-floors.ts'
import type { JournalEntry } from '../../src/reactor.ts'
import type { Seen } from '../../src/reputation/standing.ts'
import type { SeededRandom } from '../random.ts'

/** How long a group waits and is written. */
const commitMs: readonly [number, number] = [2, 8]
/** How often a group that a crash met was written all the same: nobody was told. */
const landsProbability = 0.3

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

/** The books of one peer. */
export class Disk {
  readonly states = new Map<string, StoredState>()
  readonly statements: StoredStatement[] = []
  /** Envelopes that are written down, by identity: in the model bytes are passed on, not copied. */
  readonly envelopes = new Set<Uint8Array>()
  readonly seen = new Map<string, Seen>()
  readonly floors = memorySequenceFloors()
  /** Of our own capability record: the last number that was used. */
  sequence = 0
  isFull = false

  write(entry: JournalEntry): void {
    const machine = `${entry.kind}/${entry.id}`
    if (entry.state !== null) this.states.set(machine, { kind: entry.kind, state: entry.state, final: entry.final })
    for (const statement of entry.statements) {
      this.statements.push({ machine, statement })
      this.envelopes.add(statement.envelope)
    }
  }
}

interface Pending {
  readonly entry: JournalEntry
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** What the journal needs of a life of the peer. */
interface Life {
  readonly isOver: boolean
  post(delayMs: number, run: () => void): void
}

/** The journal of one life of a peer. */
export class DiskJournal {
  readonly #disk: Disk
  readonly #life: Life
  readonly #random: SeededRandom
  readonly #onEffect: (when: 'before' | 'after') => void
  #group: Pending[] = []

  constructor(disk: Disk, life: Life, random: SeededRandom, onEffect: (when: 'before' | 'after') => void) {
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

  /** The peer dies: what it was writing is there or not, all of it. */
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
