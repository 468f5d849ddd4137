/**
 * The ledger of production as the books of a modelled peer: `src/ledger` unchanged, over a database in memory. The database outlives
 * the peer as a disk does; each life has a handle of its own, which does nothing any more once that life is over. A crash comes
 * between any two commits, within one (then it is as if it had not been), or between a COMMIT and its acknowledgement.
 */
import type { DatabaseSync } from 'node:sqlite'

import { toString } from 'uint8arrays'

import type { Notary } from '../../protocols/negotiate/index.ts'
import { sha256, type PeerName, type Statement } from '../../protocols/wire/index.ts'
import { silentLog } from '../../src/environment.ts'
import { Experiences } from '../../src/ledger/experiences.ts'
import { closeDatabase, inMemory, openDatabase, pageBytes } from '../../src/ledger/database.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { ledgerSteps } from '../../src/ledger/migrations.ts'
import { ForkError, Receipts } from '../../src/ledger/receipts.ts'
import { SequenceFloors } from '../../src/ledger/sequence-floors.ts'
import { ledgerBytesMax, Store } from '../../src/ledger/store.ts'
import type { JournalEntry, MachineKind } from '../../src/reactor.ts'
import { decodeState, encodeState } from '../../src/state-form.ts'
import type { Doing, Experience } from '../../src/reputation/experience.ts'
import type { SeededRandom } from '../random.ts'
import {
  landsProbability,
  type BookLife,
  type Books,
  type OpenBooks,
  type StoredState,
  type StoredStatement,
} from './disk.ts'
import { LedgerAudit } from './ledger-audit.ts'
import { signedRows } from '../signed-statements.ts'

/** How long the disk may take for a commit, beside what the ledger waits for others to join it. */
const syncMsMax = 5
/** In the order in which a peer takes them up again. */
export const machineKinds: readonly MachineKind[] = ['job', 'lease', 'settle']
const sequenceCounter = 'capability'
/** SQLite's codes for a full disk and for a write that failed. */
const fullCode = 13
const ioErrorCode = 10

/**
 * What is wrong with the disk: it is full, so that a COMMIT fails; the ledger has come to its own limit, so that a change within a
 * group may fail and another not; or it fails in such a way that nobody knows what is on it.
 */
const troubles = ['full', 'limit', 'broken'] as const
type Trouble = (typeof troubles)[number]

export class LedgerBooks implements Books {
  /** What was asked of the ledger and what it acknowledged, kept outside of it. */
  readonly audit = new LedgerAudit()
  /** Of nobody's life: for those that look from outside, as a peer that is started again would. */
  readonly machines: MachineStates
  readonly receipts: Receipts
  readonly #db: DatabaseSync
  readonly #notary: Notary
  readonly #random: SeededRandom
  #trouble: Trouble | null = null
  /** What was read since the last commit. */
  #read: { states?: Map<string, StoredState>; statements?: StoredStatement[]; held?: Set<string> } = {}

  constructor(notary: Notary, random: SeededRandom) {
    this.#notary = notary
    this.#random = random
    this.#db = openDatabase(inMemory, { steps: ledgerSteps, synchronous: 'FULL', bytesMax: ledgerBytesMax })
    const store = Store.over(this.#db, inMemory, { after: () => () => {} }, silentLog)
    this.machines = new MachineStates(store, notary)
    this.receipts = new Receipts(store)
  }

  get states(): ReadonlyMap<string, StoredState> {
    return (this.#read.states ??= new Map(
      this.#db
        .prepare('SELECT kind, id, state, final FROM machine_states ORDER BY rowid')
        .all()
        .map(({ kind, id, state, final }) => [
          `${kind as string}/${id as string}`,
          { kind: kind as MachineKind, state: decodeState(state as Uint8Array), final: final === 1 },
        ]),
    ))
  }

  get statements(): readonly StoredStatement[] {
    return (this.#read.statements ??= signedRows(this.#db, this.#notary.signer.peer).map(
      ({ machine, kind, signer, envelope }) => ({ machine, statement: { kind, by: signer, envelope } as Statement }),
    ))
  }

  get seen(): ReadonlyMap<PeerName, unknown> {
    const rows = this.#db.prepare('SELECT peer FROM experiences').all()
    return new Map(rows.map(({ peer }) => [peer as PeerName, true]))
  }

  get sequence(): number {
    const row = this.#db.prepare('SELECT value FROM counters WHERE name = ?').get(sequenceCounter)
    return (row?.['value'] as number | undefined) ?? 0
  }

  get isFull(): boolean {
    return this.#trouble !== null
  }

  set isFull(isFull: boolean) {
    this.#trouble = isFull ? this.#random.pick(troubles) : null
    const { page_count: pages } = this.#db.prepare('PRAGMA page_count').get() as { page_count: number }
    const pagesMax = this.#trouble === 'limit' ? pages : Math.floor(ledgerBytesMax / pageBytes)
    this.#db.exec(`PRAGMA max_page_count=${pagesMax}`)
  }

  holds(envelope: Uint8Array): boolean {
    this.#read.held ??= new Set(this.statements.map(({ statement }) => toString(sha256(statement.envelope), 'hex')))
    return this.#read.held.has(toString(sha256(envelope), 'hex'))
  }

  /** The state of a machine as it is stored, by `kind/id`. */
  stateBytes(machine: string): Uint8Array | undefined {
    const row = this.#db.prepare(`SELECT state FROM machine_states WHERE kind || '/' || id = ?`).get(machine)
    return row?.['state'] as Uint8Array | undefined
  }

  open(life: BookLife, onEffect: (when: 'before' | 'after') => void): OpenBooks {
    const handle = new Handle(this.#db, life, { onEffect, commit: () => this.#commit() })
    return new OpenLedger(handle, life, this.#notary, this.#random, {
      audit: this.audit,
      canWrite: () => this.#trouble === null,
    })
  }

  close(): void {
    closeDatabase(this.#db, inMemory)
  }

  #commit(): void {
    this.#read = {}
    const trouble = this.#trouble
    if (trouble === null || trouble === 'limit') return this.#db.exec('COMMIT')
    const isWritten = trouble === 'broken' && this.#random.chance(0.5)
    this.#db.exec(isWritten ? 'COMMIT' : 'ROLLBACK')
    if (isWritten) this.audit.brokenWrites++
    throw Object.assign(new Error(`the disk is ${trouble}`), { errcode: trouble === 'full' ? fullCode : ioErrorCode })
  }
}

/** The process has ended: nothing that comes after happens. */
class LifeOverError extends Error {
  override readonly name = 'LifeOverError'
}

interface HandleHooks {
  onEffect(when: 'before' | 'after'): void
  commit(): void
}

/** As much of a database as the ledger uses, in the hands of one life. */
class Handle implements Pick<DatabaseSync, 'exec' | 'prepare' | 'isTransaction'> {
  readonly #db: DatabaseSync
  readonly #life: BookLife
  readonly #hooks: HandleHooks
  /** A write that was under way when the peer died reaches the disk. */
  isLanding = false
  isCommitting = false

  constructor(db: DatabaseSync, life: BookLife, hooks: HandleHooks) {
    this.#db = db
    this.#life = life
    this.#hooks = hooks
  }

  get isTransaction(): boolean {
    return this.#db.isTransaction
  }

  prepare(sql: string): ReturnType<DatabaseSync['prepare']> {
    return this.#db.prepare(sql)
  }

  exec(sql: string): void {
    if (this.#life.isOver && !this.isLanding) throw new LifeOverError()
    if (sql === 'COMMIT') this.#commit()
    else this.#db.exec(sql)
  }

  #commit(): void {
    if (this.isLanding) return this.#hooks.commit()
    this.isCommitting = true
    try {
      this.#hooks.onEffect('before')
      if (this.#life.isOver) this.#db.exec('ROLLBACK')
      else {
        this.#hooks.commit()
        this.#hooks.onEffect('after')
      }
    } finally {
      this.isCommitting = false
    }
    if (this.#life.isOver) throw new LifeOverError()
  }
}

interface OpenHooks {
  readonly audit: LedgerAudit
  canWrite(): boolean
}

/** The ledger put together as in the composition root, for one life. */
class OpenLedger implements OpenBooks {
  readonly #handle: Handle
  readonly #life: BookLife
  readonly #random: SeededRandom
  readonly #hooks: OpenHooks
  readonly #machines: MachineStates
  readonly #floors: SequenceFloors
  readonly #experiences: Experiences
  /** The commit that the ledger has set a timer for. */
  #due: (() => void) | undefined

  constructor(handle: Handle, life: BookLife, notary: Notary, random: SeededRandom, hooks: OpenHooks) {
    this.#handle = handle
    this.#life = life
    this.#random = random
    this.#hooks = hooks
    const after = (delayMs: number, run: () => void): (() => void) => {
      this.#due = run
      return life.after(delayMs + random.between(0, syncMsMax), run)
    }
    const store = Store.over(handle as unknown as DatabaseSync, inMemory, { after }, silentLog)
    this.#machines = new MachineStates(store, notary)
    this.#floors = new SequenceFloors(store)
    this.#experiences = new Experiences(store, silentLog)
  }

  async commit(entry: JournalEntry): Promise<void> {
    const { kind, id, final, statements } = entry
    const state = entry.state === null ? null : encodeState(entry.state)
    const asked = this.#hooks.audit.asked(`${kind}/${id}`, state, final, statements)
    return this.#whileAlive(async () => {
      try {
        await this.#machines.commit({ ...entry, state }, this.#life.nowMs())
        asked.outcome = 'durable'
      } catch (error) {
        if (!this.#life.isOver) asked.outcome = 'failed'
        if (error instanceof ForkError) asked.fork = error
        throw error
      }
    })
  }

  unfinished(): readonly StoredState[] {
    return machineKinds.flatMap((kind) =>
      this.#machines.open(kind).map(({ state }) => ({ kind, state: decodeState(state), final: false })),
    )
  }

  of(peer: PeerName): ReadonlyMap<Doing, Experience> {
    return this.#experiences.of(peer)
  }

  change(peer: PeerName, doing: Doing, next: (before: Experience | undefined) => Experience): void {
    if (!this.#life.isOver) this.#experiences.change(peer, doing, next)
  }

  accepts(key: string, sequence: number, hash: Uint8Array): boolean {
    try {
      return this.#floors.accepts(key, sequence, hash)
    } catch (error) {
      // What a peer that has died would make of it matters to nobody.
      if (this.#life.isOver) return false
      throw error
    }
  }

  async nextSequence(): Promise<number> {
    return this.#whileAlive(async () => this.#floors.next(sequenceCounter, this.#life.nowMs()))
  }

  crash(): void {
    if (this.#handle.isCommitting || !this.#hooks.canWrite() || !this.#random.chance(landsProbability)) return
    this.#handle.isLanding = true
    this.#due?.()
    this.#handle.isLanding = false
  }

  /** A peer that died meanwhile hears neither that it was written nor that it was not. */
  async #whileAlive<Result>(work: () => Promise<Result>): Promise<Result> {
    const never = (): Promise<Result> => Promise.withResolvers<Result>().promise
    if (this.#life.isOver) return never()
    try {
      const result = await work()
      return this.#life.isOver ? await never() : result
    } catch (error) {
      if (this.#life.isOver) return never()
      throw error
    }
  }
}
