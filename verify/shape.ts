/** The form of a receipt file, before anything in it is believed: these keys, of these kinds, and no others. */
import { Problem, need } from './problem.ts'
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

/** Throws a Problem, and says by `enter` where. */
type Shape = (value: unknown, where: string, enter: (where: string) => void) => void

const badForm = 'BAD_RECEIPT_FILE'
const statementCharsMax = 1_000_000
const receiptsMax = 100_000

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
const fileShape = objectShape({
  v: literal(1),
  kind: literal('pleach-receipts'),
  network: (value, where, enter) => {
    enter(where)
    need(typeof value === 'string' && networkPattern.test(value), badForm, 'it is no name of a network')
  },
  lease: objectShape({ award: statement, accept: statement, commit: statement }),
  result: nullable(statement),
  receipts: listShape(receiptsMax, objectShape({ receipt: statement, countersignature: nullable(statement) })),
  disputes: listShape(receiptsMax, statement),
})

export function checkedFile(value: unknown, enter: (where: string) => void): ReceiptFile {
  fileShape(value, '', enter)
  return value as ReceiptFile
}
