/**
 * What all files of receipts have in common, of work and of what was kept: JSON with the keys of its form and no others, in which every
 * statement is the base64 of its envelope, and what is said of a file that does not hold.
 */
import { createPublicKey, verify } from 'node:crypto'

import { fromString, toString } from 'uint8arrays'
import { z } from 'zod'

import type { Notary } from '../negotiate/index.ts'
import { Fault, networkPattern } from '../wire/index.ts'

/** Where in the file something is: `receipts.1.countersignature`. */
export type Enter = (where: string) => void

/** One kind of file: how it is read, and what it is called in its verifiable form (credential.ts). */
export interface FileForm<Kind extends string, File, Account> {
  readonly kind: Kind
  readonly credentialType: string
  readonly evidenceType: string
  /** The keys of an account under which its two parties are: who signs receipts, and who countersigns them. */
  readonly parties: readonly [keyof Account & string, keyof Account & string]
  /** Throws a FileError, and says by `enter` where. */
  parse(value: unknown, enter: Enter): File
  /** Throws a Fault or a FileError, and says by `enter` where. */
  check(file: File, enter: Enter): Account
}

/** What every account says. */
export interface Accounted {
  readonly network: string
  /** When the last receipt was issued, in milliseconds since the epoch; null before the first. */
  readonly lastMs: number | null
}

/** What is wrong with a file, where no message of a peer would be wrong so. */
export class FileError extends Error {
  override readonly name = 'FileError'
  readonly code: 'BAD_RECEIPT_FILE' | 'REPLAYED' | 'RESULT_DIFFERS' | 'CLAIM_DIFFERS' | 'NO_RECEIPT'

  constructor(code: FileError['code'], message: string) {
    super(message)
    this.code = code
  }
}

const statementCharsMax = 1_000_000
/** A lease is not billed more often, nor an account of storage asked for; each of them may have been disputed. */
export const receiptsMax = 100_000

/** A half of a pair of surrogates has no UTF-8, so that nothing can be signed over it. */
export const text = z.string().refine((value) => value.isWellFormed(), 'it is no text')
export const networkText = text.regex(networkPattern, 'it is no name of a network')
export const statement = text.max(statementCharsMax)
export const receiptEntries = z
  .array(z.strictObject({ receipt: statement, countersignature: statement.nullable() }))
  .max(receiptsMax)

/** Throws a FileError, and says by `enter` where. */
export function parseAs<File>(schema: z.ZodType<File>, value: unknown, enter: Enter): File {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
  enter([...issue.path, ...unknown].map(String).join('.') || 'the file')
  throw new FileError('BAD_RECEIPT_FILE', wordsOf(issue))
}

function wordsOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return 'there is no such key'
    case 'invalid_value':
      return `it is not ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`
    case 'invalid_type':
      return `it is no ${{ string: 'text', array: 'list' }[issue.expected as string] ?? issue.expected}`
    case 'too_big':
      return issue.origin === 'string'
        ? `it is longer than ${issue.maximum} characters`
        : `it has more than ${issue.maximum} entries`
    default:
      return issue.message
  }
}

/** The decoder takes padding in the middle and other spellings: a file has one. */
export function bytesOf(base64: string): Uint8Array {
  try {
    const bytes = fromString(base64, 'base64pad')
    if (toString(bytes, 'base64pad') === base64) return bytes
  } catch {
    // Falls through: every way of being wrong is the same fault.
  }
  throw new Fault('FRAME_MALFORMED', 'not base64')
}

/** Opens envelopes and signs nothing. */
export function verifierOf(network: string): Notary {
  return {
    network,
    signer: {
      peer: '',
      publicKey: new Uint8Array(32),
      sign: () => {
        throw new Error('a verifier does not sign')
      },
      verify: isSignedBy,
    },
  }
}

/** SubjectPublicKeyInfo of an Ed25519 key (RFC 8410): this prefix, then the 32 bytes. */
const spki = fromString('302a300506032b6570032100', 'hex')

export function isSignedBy(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([spki, publicKey]), format: 'der', type: 'spki' })
  return verify(null, message, key, signature)
}
