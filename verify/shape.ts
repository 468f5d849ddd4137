/** The form of receipt files, before anything in them is believed: these keys, of these kinds, and no others. */
import { Problem, need, type Enter } from './problem.ts'
import { networkPattern } from './statement.ts'

export interface ReceiptFile {
  readonly v: 1
  readonly kind: 'pleach-receipts'
  readonly network: string
  readonly lease: { readonly award: string; readonly accept: string; readonly commit: string }
  readonly result: string | null
  readonly receipts: readonly { readonly receipt: string; readonly countersignature: string | null }[]
  readonly disputes: readonly string[]
}

export interface KeptFile {
  readonly v: 1
  readonly kind: 'pleach-storage-receipts'
  readonly network: string
  readonly owner: string
  readonly keeper: string
  readonly period: string
  readonly receipts: ReceiptFile['receipts']
}

/** One kind of file: how it is read, and what it is called in its verifiable form (credential.ts). */
export interface FileForm<Kind extends string, File, Account> {
  readonly kind: Kind
  readonly credentialType: string
  readonly evidenceType: string
  /** The keys of an account under which its two parties are: who signs receipts, and who countersigns them. */
  readonly parties: readonly [keyof Account & string, keyof Account & string]
  /** Throws a Problem, and says by `enter` where; as `check` does. */
  parse(value: unknown, enter: Enter): File
  check(file: File, enter: Enter): Promise<Account>
}

/** Throws a Problem, and says by `enter` where. */
type Shape = (value: unknown, where: string, enter: Enter) => void

const badForm = 'BAD_RECEIPT_FILE'
const statementCharsMax = 1_000_000
const receiptsMax = 100_000
const peerCharsMax = 64
export const monthPattern = /^[0-9]{4}-(0[1-9]|1[0-2])$/

const literal =
  (wanted: string | number): Shape =>
  (value, where, enter) => {
    enter(where)
    need(value === wanted, badForm, `it is not ${JSON.stringify(wanted)}`)
  }
const textShape =
  (charsMax: number): Shape =>
  (value, where, enter) => {
    enter(where)
    // A half of a pair of surrogates has no UTF-8, so that nothing can be signed over it.
    need(typeof value === 'string' && !/\p{Surrogate}/u.test(value), badForm, 'it is no text')
    need(value.length <= charsMax, badForm, `it is longer than ${charsMax} characters`)
  }
const nullable =
  (shape: Shape): Shape =>
  (value, where, enter) => {
    if (value !== null) shape(value, where, enter)
  }
const listShape =
  (itemsMax: number, shape: Shape): Shape =>
  (value, where, enter) => {
    enter(where)
    need(Array.isArray(value), badForm, 'it is no list')
    need(value.length <= itemsMax, badForm, `it has more than ${itemsMax} entries`)
    for (const [index, item] of (value as unknown[]).entries()) shape(item, `${where}.${index}`, enter)
  }
const objectShape =
  (shapes: Readonly<Record<string, Shape>>): Shape =>
  (value, where, enter) => {
    enter(where === '' ? 'the file' : where)
    need(typeof value === 'object' && value !== null && !Array.isArray(value), badForm, 'it is no object')
    const at = (key: string): string => (where === '' ? key : `${where}.${key}`)
    const object = value as Readonly<Record<string, unknown>>
    for (const [key, shape] of Object.entries(shapes))
      shape(Object.hasOwn(object, key) ? object[key] : undefined, at(key), enter)
    const unknown = Object.keys(object).find((key) => !Object.hasOwn(shapes, key))
    if (unknown === undefined) return
    enter(at(unknown))
    throw new Problem(badForm, 'there is no such key')
  }

const statement = textShape(statementCharsMax)
const patternShape =
  (pattern: RegExp, problem: string): Shape =>
  (value, where, enter) => {
    enter(where)
    need(typeof value === 'string' && pattern.test(value), badForm, problem)
  }
const networkShape = patternShape(networkPattern, 'it is no name of a network')
const receiptsShape = listShape(receiptsMax, objectShape({ receipt: statement, countersignature: nullable(statement) }))
const fileShape = objectShape({
  v: literal(1),
  kind: literal('pleach-receipts'),
  network: networkShape,
  lease: objectShape({ award: statement, accept: statement, commit: statement }),
  result: nullable(statement),
  receipts: receiptsShape,
  disputes: listShape(receiptsMax, statement),
})
const keptFileShape = objectShape({
  v: literal(1),
  kind: literal('pleach-storage-receipts'),
  network: networkShape,
  owner: textShape(peerCharsMax),
  keeper: textShape(peerCharsMax),
  period: patternShape(monthPattern, 'it is no month'),
  receipts: receiptsShape,
})

export function checkedFile(value: unknown, enter: Enter): ReceiptFile {
  fileShape(value, '', enter)
  return value as ReceiptFile
}

export function checkedKeptFile(value: unknown, enter: Enter): KeptFile {
  keptFileShape(value, '', enter)
  return value as KeptFile
}
