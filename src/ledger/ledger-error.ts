/** What can go wrong with a ledger: one code for each thing that an operator does about it. */

/**
 * - `LEDGER_IN_USE`: another process has it; `pid` says which, if it said so. Stop it, or use another data folder.
 * - `LEDGER_DAMAGED`: no database, or a broken one. Restore a copy; what was signed can be asked of the other peers.
 * - `LEDGER_TOO_NEW`: written by a newer program. Use that one.
 * - `LEDGER_FULL`: the disk, or the ledger's own limit, is full. Make room; what was acknowledged is safe.
 * - `LEDGER_BUSY`: more changes wait than may. The disk is slower than the peer; do less at a time.
 * - `LEDGER_BROKEN`: writing failed so that nobody knows what is on the disk (an I/O error; a failed fsync may not be tried
 *   again). Nothing more is written by this process. Look at the disk, then start again.
 * - `LEDGER_CLOSED`: it was closed.
 */
export type LedgerErrorCode =
  | 'LEDGER_IN_USE'
  | 'LEDGER_DAMAGED'
  | 'LEDGER_TOO_NEW'
  | 'LEDGER_FULL'
  | 'LEDGER_BUSY'
  | 'LEDGER_BROKEN'
  | 'LEDGER_CLOSED'

/** The ledger cannot do what it is for. Nothing that was acknowledged is lost by it. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError'
  readonly code: LedgerErrorCode
  /** Of LEDGER_IN_USE: the process that has it, where that is known. */
  readonly pid: number | undefined

  constructor(code: LedgerErrorCode, message: string, cause?: unknown, pid?: number) {
    super(message, { cause })
    this.code = code
    this.pid = pid
  }
}

/** SQLite's primary result codes (sqlite.org/rescode.html). */
const sqliteBusy = 5
const sqliteLocked = 6
const sqliteIoError = 10
const sqliteCorrupt = 11
const sqliteFull = 13
const sqliteCannotOpen = 14
const sqliteNotADatabase = 26

/** An error of SQLite as a LedgerError; any other as it is. `holder` finds the process that has the file. */
export function explain(error: unknown, path: string, holder: () => number | undefined): unknown {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  if (typeof code !== 'number') return error
  const said = (error as Error).message
  switch (code & 0xff) {
    case sqliteBusy:
    case sqliteLocked: {
      const pid = holder()
      const who = pid === undefined ? 'another process' : `process ${pid}`
      return new LedgerError('LEDGER_IN_USE', `${path} is in use by ${who}`, error, pid)
    }
    case sqliteCorrupt:
    case sqliteNotADatabase:
      return new LedgerError('LEDGER_DAMAGED', `${path} is damaged: ${said}`, error)
    case sqliteFull:
      return new LedgerError('LEDGER_FULL', `there is no room to write to ${path}`, error)
    case sqliteIoError:
    case sqliteCannotOpen:
      return new LedgerError('LEDGER_BROKEN', `${path} cannot be read or written: ${said}`, error)
    default:
      return error
  }
}
