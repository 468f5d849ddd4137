/**
 * Opens a SQLite file for this process alone: lock, durability, size, schema. Shared by the ledger and by the key-value file,
 * which differ in how durable they are and in what they hold.
 *
 * The lock is SQLite's own (locking_mode EXCLUSIVE, a lock of the kernel), so it goes with its process, however that ends; the
 * file `PATH.pid` beside it only tells a second opener whom to name. POSIX locks have a trap: closing *any* descriptor of a file
 * drops all locks that the process has on it. So nothing in this process may open the file by other means.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

import { explain, LedgerError } from './ledger-error.ts'
import { migrate } from './migrations.ts'

export interface DatabaseShape {
  /** Forward-only steps of the schema. */
  readonly steps: readonly string[]
  /** FULL: a commit is on the disk before it returns. NORMAL: a power loss may take the last commits, never the rest. */
  readonly synchronous: 'FULL' | 'NORMAL'
  /** Of the file. */
  readonly bytesMax: number
}

export const pageBytes = 4_096
/**
 * Pages of the log before they are copied into the file: 16 MiB. A page of an index or of a machine's state is written again and
 * again, and copied once; SQLite's own thousand copies it four times as often. Reading so long a log at a start takes tens of milliseconds.
 */
const pagesLoggedMax = 4_096
/** What a group of changes touches fits in, and need not be read again: 8 MiB, when so much is used. */
const cacheKiB = 8_192
/** A database without a file, and so without a lock and a holder: for simulations. */
export const inMemory = ':memory:'
/** Up to here the whole file is checked when it is opened, which takes about a millisecond for each MiB. */
const checkedBytesMax = 64 * 1_024 * 1_024

/** Throws LedgerError LEDGER_IN_USE, LEDGER_DAMAGED, LEDGER_TOO_NEW, LEDGER_FULL or LEDGER_BROKEN. */
export function openDatabase(path: string, { steps, synchronous, bytesMax }: DatabaseShape): DatabaseSync {
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: true })
    // Before anything reads the file: the lock is then taken with the first read, and the WAL needs no shared memory.
    db.exec(`PRAGMA locking_mode=EXCLUSIVE; PRAGMA page_size=${pageBytes}; PRAGMA journal_mode=WAL`)
    // fullfsync: on macOS a plain fsync does not reach the disk; elsewhere this changes nothing.
    db.exec(`PRAGMA synchronous=${synchronous}; PRAGMA fullfsync=ON`)
    db.exec(`PRAGMA wal_autocheckpoint=${pagesLoggedMax}; PRAGMA cache_size=-${cacheKiB}`)
    db.exec(`PRAGMA max_page_count=${Math.floor(bytesMax / pageBytes)}`)
    // Takes the lock for good, though nothing is written.
    db.exec('BEGIN IMMEDIATE; COMMIT')
    if (path !== inMemory) {
      writeFileSync(pidPath(path), String(process.pid))
      if (statSync(path).size <= checkedBytesMax) check(db, path)
    }
    migrate(db, path, steps)
    // The check read the whole file, and the steps wrote much of it: it need not stay in memory.
    db.exec('PRAGMA shrink_memory')
    return db
  } catch (error) {
    db?.close()
    throw explain(error, path, () => holderOf(path))
  }
}

export function closeDatabase(db: DatabaseSync, path: string): void {
  // While the lock is still held: afterwards the file may be another process's.
  if (path !== inMemory) rmSync(pidPath(path), { force: true })
  db.close()
}

/** The process that says it has the file, if it lives. */
export function holderOf(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidPath(path), 'utf8'))
    if (!Number.isSafeInteger(pid) || pid < 1) return undefined
    process.kill(pid, 0)
    return pid
  } catch {
    return undefined
  }
}

function pidPath(path: string): string {
  return `${path}.pid`
}

function check(db: DatabaseSync, path: string): void {
  const said = Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0]
  if (said !== 'ok') throw new LedgerError('LEDGER_DAMAGED', `${path} is damaged: ${String(said)}`)
}
