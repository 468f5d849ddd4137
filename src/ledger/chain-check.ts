/**
 * Holds the chain against the rows that it is of, and the rows against their envelopes, part by part. Reads only, and reads as the
 * rest of the peer does, so that a damaged index shows as well.
 *
 * Which of two is damaged when an entry and its row differ follows from the links: an entry whose link is right is right.
 */
import type { DatabaseSync } from 'node:sqlite'

import { equals, toString } from 'uint8arrays'

import type { Notary } from '../../protocols/negotiate/index.ts'
import { openCountersignature, openReceipt } from '../../protocols/receipt/index.ts'
import { sha256 } from '../../protocols/wire/index.ts'
import { entryKeyOf, linkOf, statementKeyOf, type ChainEntry, type ChainLink } from './chain.ts'
import { prepared } from './prepared.ts'
import { columnsOf, uncheckedBy, type Role } from './receipts.ts'

/** A row that is not what was written. `lease` is empty when it is of none. */
export interface Finding {
  /** Table and row. */
  readonly place: string
  readonly lease: string
  readonly role: string
  readonly sequence: number
  /** What differs: columns, or that it is missing. */
  readonly what: string
}

export interface Checked<Place> {
  readonly findings: readonly Finding[]
  readonly rows: number
  /** Where to go on. */
  readonly last: Place
}

/** A receipt by what the rest of the peer asks for it by. */
export interface ReceiptKey {
  readonly lease: string
  readonly role: string
  readonly sequence: number
}

/** Before all of them. */
export const firstReceipt: ReceiptKey = { lease: '', role: '', sequence: -1 }

type Row = Readonly<Record<string, unknown>>

const entriesSql =
  'SELECT position, kind, key, hash, at_ms AS atMs, link FROM chain WHERE position > ? ORDER BY position LIMIT ?'
const receiptSql = 'SELECT rowid, * FROM receipts WHERE lease = ? AND role = ? AND sequence = ?'
const receiptsSql = 'SELECT rowid, * FROM receipts NOT INDEXED WHERE rowid > ? ORDER BY rowid LIMIT ?'
const rowidSql = 'SELECT rowid, lease, role, sequence FROM receipts NOT INDEXED WHERE rowid = ?'
/** From the index alone: the columns are all in it. */
const indexSql =
  'SELECT rowid, lease, role, sequence FROM receipts WHERE (lease, role, sequence) > (?, ?, ?) ORDER BY lease, role, sequence LIMIT ?'
const statementSql = 'SELECT kind, machine, signer, envelope, created_ms FROM statements WHERE hash = ?'

export class ChainCheck {
  readonly #checking: Notary
  /** Checks signatures or not, as was asked. */
  readonly #reader: Notary
  /** Entries that are not what was written: rows have to stand without them. */
  readonly #damagedEntries = new Set<number>()

  /** `signatures` costs some 0.2 ms each. */
  constructor(notary: Notary, how: 'hashes' | 'signatures') {
    this.#checking = notary
    this.#reader = how === 'signatures' ? notary : uncheckedBy(notary)
  }

  /** Entries after `from`, whose link is taken to be right, and the rows that they are of. */
  entries(db: DatabaseSync, from: ChainLink, limit: number): Checked<ChainLink> {
    const findings: Finding[] = []
    // One more, which says what the last of them must have been.
    const entries = rowsOf(db, entriesSql, from.position, limit + 1) as unknown as ChainEntry[]
    let before = from
    for (const [index, entry] of entries.slice(0, limit).entries()) {
      const missing = entry.position - before.position - 1
      if (missing !== 0) findings.push(ofChain(before.position + 1, `${missing} entries are missing`))
      const link = safely(() => linkOf(before.link, entry)) ?? new Uint8Array()
      const isRight = missing !== 0 || isSame(entry.link, link)
      if (!isRight) {
        this.#damagedEntries.add(entry.position)
        findings.push(ofChain(entry.position, 'the link does not fit'))
      } else findings.push(...this.#entry(db, entry))
      const next = entries[index + 1]
      const isOnlyLink =
        !isRight &&
        next !== undefined &&
        isSame(
          next.link,
          safely(() => linkOf(link, next)),
        )
      before = { position: entry.position, link: isOnlyLink ? link : entry.link }
    }
    return { findings, rows: Math.min(entries.length, limit), last: before }
  }

  /** Receipts as they lie in their table: each must have its entry, and be found by its index. */
  receipts(db: DatabaseSync, afterRowid: number, limit: number): Checked<number> {
    const rows = rowsOf(db, receiptsSql, afterRowid, limit)
    const findings = rows.flatMap((row) => {
      const { lease, role, sequence, position } = row as unknown as ReceiptKey & { position: number }
      const key = entryKeyOf(lease, role, sequence)
      const entry = rowsOf(db, entriesSql, position - 1, 1)[0] as unknown as ChainEntry | undefined
      if (this.#damagedEntries.has(position)) return this.#receipt(row, undefined)
      if (entry?.position !== position || entry.kind !== 'receipt' || entry.key !== key)
        return [ofReceipt({ lease, role, sequence }, 'the chain has no such receipt there')]
      const found = safely(() => rowsOf(db, receiptSql, lease, role, sequence)[0])
      return found?.['rowid'] === row['rowid']
        ? []
        : [ofReceipt({ lease, role, sequence }, 'its index does not find it')]
    })
    return { findings, rows: rows.length, last: (rows.at(-1)?.['rowid'] as number | undefined) ?? afterRowid }
  }

  /** Receipts as their index has them. */
  index(db: DatabaseSync, after: ReceiptKey, limit: number): Checked<ReceiptKey> {
    const rows = rowsOf(db, indexSql, after.lease, after.role, after.sequence, limit) as unknown as (ReceiptKey & {
      readonly rowid: number
    })[]
    const findings = rows.flatMap(({ rowid, lease, role, sequence }) => {
      const row = safely(() => rowsOf(db, rowidSql, rowid)[0])
      if (row?.['lease'] === lease && row['role'] === role && row['sequence'] === sequence) return []
      return [ofReceipt({ lease, role, sequence }, 'its index has what the table has not')]
    })
    const { lease, role, sequence } = rows.at(-1) ?? after
    return { findings, rows: rows.length, last: { lease, role, sequence } }
  }

  #entry(db: DatabaseSync, entry: ChainEntry): Finding[] {
    if (entry.kind !== 'receipt' && entry.kind !== 'countersignature') return this.#statement(db, entry)
    const [lease = '', role = '', number = ''] = entry.key.split('/')
    const key = { lease, role, sequence: Number(number) }
    let row: Row | undefined
    try {
      row = rowsOf(db, receiptSql, lease, role, key.sequence)[0]
    } catch (error) {
      return [ofReceipt(key, `it cannot be read: ${(error as Error).message}`)]
    }
    if (row === undefined) return [ofReceipt(key, 'it is missing')]
    if (entry.kind === 'receipt') return this.#receipt(row, entry)
    const { countersignature } = row
    if (isBytes(countersignature) && equals(sha256(countersignature), entry.hash)) return []
    return [ofReceipt(key, countersignature === null ? 'countersignature is missing' : 'countersignature')]
  }

  /** A row against its envelope, and against its entry, if that can be relied on. */
  #receipt(row: Row, entry: ChainEntry | undefined): Finding[] {
    const { lease, role, sequence, envelope, countersignature } = row
    const key = { lease, role, sequence } as ReceiptKey
    const reader = entry === undefined ? this.#checking : this.#reader
    const receipt = safely(() => openReceipt(reader, envelope as Uint8Array))
    if (receipt === undefined || (entry !== undefined && !equals(sha256(receipt.envelope), entry.hash)))
      return [ofReceipt(key, 'envelope')]
    const columns = columnsOf(role as Role, receipt)
    const differs = Object.entries(columns).flatMap(([column, value]) => (isSame(row[column], value) ? [] : [column]))
    if (entry !== undefined && row['created_ms'] !== entry.atMs) differs.push('created_ms')
    if (entry !== undefined && row['position'] !== entry.position) differs.push('position')
    if (countersignature !== null) {
      const signed = safely(() => openCountersignature(reader, countersignature as Uint8Array))
      const fits =
        signed?.by === receipt.body.requester &&
        signed.body.lease === receipt.body.lease &&
        signed.body.sequence === receipt.body.sequence &&
        equals(signed.body.receipt, columns.hash)
      if (!fits) differs.push('countersignature')
    }
    return differs.length === 0 ? [] : [ofReceipt(key, differs.join(', '))]
  }

  /** The statement of an entry, as bytes that came. */
  #statement(db: DatabaseSync, entry: ChainEntry): Finding[] {
    const found = (what: string): Finding[] => [
      {
        place: `statements ${toString(entry.hash, 'hex')}`,
        lease: leaseOf(db, entry.hash),
        role: '',
        sequence: 0,
        what: `${entry.kind}: ${what}`,
      },
    ]
    let row: Row | undefined
    try {
      row = rowsOf(db, statementSql, entry.hash)[0]
    } catch (error) {
      return found(`it cannot be read: ${(error as Error).message}`)
    }
    if (row === undefined) return found('it is missing')
    const { kind, machine, signer, envelope } = row
    if (!isBytes(envelope) || !equals(sha256(envelope), entry.hash)) return found('envelope')
    const differs = [
      ...(kind === entry.kind ? [] : ['kind']),
      ...(row['created_ms'] === entry.atMs ? [] : ['created_ms']),
      ...(statementKeyOf(machine as string, signer as string) === entry.key ? [] : ['machine, signer']),
    ]
    return differs.length === 0 ? [] : found(differs.join(', '))
  }
}

/** Whose lease an AWARD, ACCEPT, COMMIT or result is of; empty: nobody says. */
function leaseOf(db: DatabaseSync, hash: Uint8Array): string {
  const row = safely(() => rowsOf(db, 'SELECT lease FROM lease_statements WHERE hash = ?', hash)[0])
  return typeof row?.['lease'] === 'string' ? row['lease'] : ''
}

function ofChain(position: number, what: string): Finding {
  return { place: `chain ${position}`, lease: '', role: '', sequence: 0, what }
}

function ofReceipt({ lease, role, sequence }: ReceiptKey, what: string): Finding {
  return { place: `receipts ${entryKeyOf(lease, role, sequence)}`, lease, role, sequence: Number(sequence), what }
}

/** A flipped bit makes of a small number one that no number of JavaScript holds: such a one stays as it is, and is like no other. */
function rowsOf(db: DatabaseSync, sql: string, ...values: (string | number | Uint8Array)[]): Row[] {
  return prepared(db, sql, 'bigints')
    .all(...values)
    .map((row) => {
      for (const [column, value] of Object.entries(row)) {
        if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) row[column] = Number(value)
      }
      return row
    })
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

function isSame(found: unknown, value: unknown): boolean {
  return isBytes(value) ? isBytes(found) && equals(found, value) : found === value
}

/** What a damaged row makes of reading it is no answer. */
function safely<Result>(read: () => Result): Result | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
