/**
 * Keeps signed checkpoints of the chain, in the ledger and in a small file beside it. At a start only what came after the last one is
 * verified, so that a long ledger is ready at once; the scrub reads the rest. The file shows that an older copy of the ledger was put
 * in its place, or its end cut off. Against somebody who puts an older file there as well it is no proof: other peers have that.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'

import { equals } from 'uint8arrays'

import type { Notary } from '../../protocols/negotiate/index.ts'
import type { Clock, Log } from '../environment.ts'
import { chainBegin, endOfChain, entryAt, type ChainLink } from './chain.ts'
import { ChainCheck, type Finding } from './chain-check.ts'
import { openCheckpoint, sealCheckpoint, type Checkpoint } from './checkpoint.ts'
import type { Damages } from './damages.ts'
import type { Doubts } from './doubts.ts'
import type { Store } from './store.ts'

/** A checkpoint is made after so many entries, … */
export const checkpointEntries = 1_024
/** … or so long after the last one, when there is anything new; and at a clean end. */
export const checkpointEveryMs = 60_000
/** How often it is looked whether it is time. */
const lookEveryMs = 5_000
/** That are kept in the ledger. */
const checkpointsMax = 16
/** Entries that are verified at a time. */
const entriesAtOnce = 1_024

export interface CheckpointDeps {
  readonly store: Store
  readonly notary: Notary
  readonly damages: Damages
  readonly doubts: Doubts
  /** The file beside the ledger. Left out: there is none. */
  readonly path?: string
  readonly clock: Clock
  readonly log: Log
}

export class Checkpoints {
  readonly #deps: CheckpointDeps
  #last: ChainLink = chainBegin
  #lastMs = 0
  #cancelLook = (): void => {}

  constructor(deps: CheckpointDeps) {
    this.#deps = deps
  }

  /** Verifies what came after the last checkpoint, and goes on making them. Resolves with how many entries were read. */
  begin(): { readonly entries: number } {
    const { store, notary, damages, clock } = this.#deps
    const { last, signed, findings } = store.read((db) => this.#lastSound(db))
    damages.note(findings, clock.nowMs())
    this.#compareFile(signed)
    const check = new ChainCheck(notary, 'hashes')
    let entries = 0
    for (let at: ChainLink = last ?? chainBegin; ;) {
      const checked = store.read((db) => check.entries(db, at, entriesAtOnce))
      damages.note(checked.findings, clock.nowMs())
      if (checked.rows === 0) break
      entries += checked.rows
      at = checked.last
    }
    this.#last = last ?? chainBegin
    this.#lastMs = clock.monotonicMs()
    this.#lookLater()
    return { entries }
  }

  /** Makes one now, if there is anything new. */
  make(): void {
    const { store, notary, clock } = this.#deps
    const end = store.read(endOfChain)
    this.#lastMs = clock.monotonicMs()
    if (end.position === this.#last.position) return
    const receipts = store.read(receiptsIn)
    const envelope = sealCheckpoint(notary, { ...end, receipts, issuedMs: clock.nowMs() })
    store.writeNow((db) => {
      db.prepare('INSERT OR REPLACE INTO checkpoints (position, envelope) VALUES (?, ?)').run(end.position, envelope)
      db.prepare(
        'DELETE FROM checkpoints WHERE position IN (SELECT position FROM checkpoints ORDER BY position DESC LIMIT -1 OFFSET ?)',
      ).run(checkpointsMax)
    })
    // Only now: the file never knows more than the ledger does.
    if (this.#deps.path !== undefined) writeDurably(this.#deps.path, envelope)
    this.#last = end
  }

  /** Before the ledger is closed in good order. */
  close(): void {
    this.#cancelLook()
    this.#tryMake()
  }

  #lookLater(): void {
    const { clock, store } = this.#deps
    this.#cancelLook = clock.after(lookEveryMs, () => {
      const isMuch = store.read(endOfChain).position - this.#last.position >= checkpointEntries
      if (isMuch || clock.monotonicMs() - this.#lastMs >= checkpointEveryMs) this.#tryMake()
      this.#lookLater()
    })
  }

  /** Without one the next start has more to verify, and that is all. */
  #tryMake(): void {
    try {
      this.make()
    } catch (error) {
      this.#deps.log('warn', 'no checkpoint of the ledger could be made', { error })
    }
  }

  /** The last checkpoint of the ledger that holds, what is wrong with those after it, and all of these that we have signed. */
  #lastSound(db: DatabaseSync): { last: Checkpoint | undefined; signed: Checkpoint[]; findings: Finding[] } {
    const findings: Finding[] = []
    const signed: Checkpoint[] = []
    const rows = db.prepare('SELECT position, envelope FROM checkpoints ORDER BY position DESC').all()
    for (const { position, envelope } of rows) {
      const wrong = (what: string): number =>
        findings.push({ place: `checkpoints ${String(position)}`, lease: '', role: '', sequence: 0, what })
      try {
        const checkpoint = openCheckpoint(this.#deps.notary, envelope as Uint8Array)
        signed.push(checkpoint)
        const entry = entryAt(db, checkpoint.position)
        if (entry === undefined) wrong('the chain ends before it')
        else if (!equals(entry.link, checkpoint.link)) wrong('the chain has another link there')
        else {
          const receipts = receiptsIn(db)
          if (receipts < checkpoint.receipts) wrong(`${checkpoint.receipts - receipts} receipts are missing`)
          return { last: checkpoint, signed, findings }
        }
      } catch (error) {
        wrong((error as Error).message)
      }
    }
    return { last: undefined, signed, findings }
  }

  /** An older copy of the ledger does not know how far the file says that it had come. */
  #compareFile(signed: readonly Checkpoint[]): void {
    const { path, notary, store, doubts, clock, log } = this.#deps
    if (path === undefined) return
    let beside: Checkpoint
    try {
      beside = openCheckpoint(notary, new Uint8Array(readFileSync(path)))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        log('warn', 'the checkpoint beside the ledger cannot be read', { path, error })
      return
    }
    const entry = store.read((db) => entryAt(db, beside.position))
    if (entry !== undefined && equals(entry.link, beside.link)) return
    const { position } = store.read(endOfChain)
    // The ledger's own checkpoint says what the file says: the entry has rotted.
    const isKnown = signed.some((own) => own.position === beside.position && equals(own.link, beside.link))
    if (isKnown && position >= beside.position) return
    doubts.raise('LEDGER_BEHIND', { signed: beside.position, known: position }, clock.nowMs())
  }
}

function receiptsIn(db: DatabaseSync): number {
  return (db.prepare('SELECT count(*) AS count FROM receipts').get() as { count: number }).count
}

/** Whole or not at all, and on the disk when it returns. */
function writeDurably(path: string, bytes: Uint8Array): void {
  const fresh = `${path}.new`
  const file = openSync(fresh, 'w', 0o600)
  try {
    writeSync(file, bytes)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(fresh, path)
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
