/** How the vectors are put together: bytes and their meaning, or bytes and the fault that they are. */
import { toString } from 'uint8arrays'

import { verifyAnyFile } from '../../../protocols/storage/verify.ts'
import { kinds, toJson, type Context } from './kinds.ts'

export interface Case {
  readonly name: string
  readonly kind: string
  readonly context?: Context
  readonly hex: string
  readonly meaning?: unknown
  readonly fault?: string
}

/** The receipts of one account, in the order in which they come: all are countersigned, or the last one is a fault. */
export interface ChainCase {
  readonly name: string
  readonly kind: 'chain'
  readonly receipts: readonly string[]
  readonly fault?: string
}

/** The agreed statements of one account as they come to both: all follow, or the last one is a fault. */
export interface SettlementsCase {
  readonly name: string
  readonly kind: 'settlements'
  readonly settlements: readonly { readonly statement: string; readonly agreement: string }[]
  readonly meaning?: unknown
  readonly fault?: string
}

/** A file of receipts or its verifiable form, as `pleach receipt verify` reads it. `at` is where a bad one is wrong, and `code` how. */
export interface FileCase {
  readonly name: string
  readonly kind: 'receipt-file'
  readonly file: unknown
  readonly meaning?: unknown
  readonly at?: string
  readonly code?: string
}

export interface VectorFile {
  readonly what: string
  readonly cases: readonly (Case | ChainCase | FileCase | SettlementsCase)[]
}

const hexOf = (bytes: Uint8Array): string => toString(bytes, 'hex')

export function good(kind: string, name: string, bytes: Uint8Array, context?: Context): Case {
  const meaning = toJson(kinds[kind]!.decode(bytes, context ?? {}))
  return { name, kind, ...(context === undefined ? {} : { context }), hex: hexOf(bytes), meaning }
}

/** A file of receipts with what is said of it. */
export function fileCase(name: string, file: unknown): FileCase {
  const verdict = verifyAnyFile(file)
  if (!verdict.ok) return { name, kind: 'receipt-file', file, at: verdict.at, code: verdict.code }
  const { ok: _, ...meaning } = verdict
  return { name, kind: 'receipt-file', file, meaning }
}

/** That it is this fault is for the test to see. */
export function bad(kind: string, name: string, fault: string, bytes: Uint8Array, context?: Context): Case {
  return { name, kind, ...(context === undefined ? {} : { context }), hex: hexOf(bytes), fault }
}
