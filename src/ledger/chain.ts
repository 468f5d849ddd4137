/**
 * The chain of the peer: one entry for every receipt, countersignature and other signed statement, in the order in which they were
 * written, in the transaction in which they were. A database does not notice a flipped bit, nor that its end was cut off; a chain does.
 */
import type { DatabaseSync } from 'node:sqlite'

import { hashBytes, sha256 } from '../../protocols/wire/index.ts'
import { prepared } from './prepared.ts'

export interface ChainLink {
  /** Counted from 1, without gaps. */
  readonly position: number
  readonly link: Uint8Array
}

export interface ChainEntry extends ChainLink {
  /** Of the statement: `receipt`, `countersignature`, `settlement`, … */
  readonly kind: string
  /** Which row it is: `LEASE/ROLE/SEQUENCE` of the two halves of a receipt, else `MACHINE SIGNER` of a statement. */
  readonly key: string
  /** SHA-256 of the envelope. */
  readonly hash: Uint8Array
  readonly atMs: number
}

/** Of one unit of a text of JavaScript. */
const utf8BytesMax = 3

/** What the first entry follows. */
export const chainBegin: ChainLink = { position: 0, link: new Uint8Array(hashBytes) }

const lastSql = 'SELECT position, link FROM chain ORDER BY position DESC LIMIT 1'
const appendSql = 'INSERT INTO chain (position, kind, key, hash, at_ms, link) VALUES (?, ?, ?, ?, ?, ?)'

export function endOfChain(db: DatabaseSync): ChainLink {
  return (prepared(db, lastSql).get() as ChainLink | undefined) ?? chainBegin
}

/** As part of the change that writes the row itself. */
export function appendToChain(
  db: DatabaseSync,
  kind: string,
  key: string,
  hash: Uint8Array,
  atMs: number,
  end = endOfChain(db),
): void {
  const position = end.position + 1
  prepared(db, appendSql).run(position, kind, key, hash, atMs, linkOf(end.link, { position, kind, key, hash, atMs }))
}

/** SHA-256 of the link before, the position and the time as 8 bytes each (big-endian), the hash, the kind after its length, the key. */
export function linkOf(before: Uint8Array, { position, kind, key, hash, atMs }: Omit<ChainEntry, 'link'>): Uint8Array {
  const bytes = Buffer.allocUnsafe(2 * hashBytes + 17 + utf8BytesMax * (kind.length + key.length))
  bytes.set(before, 0)
  bytes.writeBigUInt64BE(BigInt(position), hashBytes)
  bytes.writeBigInt64BE(BigInt(atMs), hashBytes + 8)
  bytes.set(hash, hashBytes + 16)
  let at = 2 * hashBytes + 16
  const kindBytes = bytes.write(kind, at + 1)
  bytes.writeUInt8(kindBytes, at)
  at += 1 + kindBytes
  at += bytes.write(key, at)
  return sha256(bytes.subarray(0, at))
}

export function entryKeyOf(lease: string, role: string, sequence: number): string {
  return `${lease}/${role}/${sequence}`
}

export function statementKeyOf(machine: string, signer: string): string {
  return `${machine} ${signer}`
}

/** Those after a position, in order. */
export function entriesAfter(db: DatabaseSync, position: number, limit: number): ChainEntry[] {
  return prepared(
    db,
    'SELECT position, kind, key, hash, at_ms AS atMs, link FROM chain WHERE position > ? ORDER BY position LIMIT ?',
  ).all(position, limit) as unknown as ChainEntry[]
}

export function entryAt(db: DatabaseSync, position: number): ChainEntry | undefined {
  const entry = entriesAfter(db, position - 1, 1)[0]
  return entry?.position === position ? entry : undefined
}
