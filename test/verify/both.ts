/** The two verifiers, side by side: whatever is given to them, they must say the same. */
import assert from 'node:assert/strict'

import { verifyAnyFile, type AnyVerdict } from '../../protocols/storage/verify.ts'
import { verifyReceipts } from '../../verify/index.ts'

/** What both say: where it is wrong and its code, or all of the account. The words may differ: libraries have their own. */
export async function bothSay(file: unknown, what = '', network?: string): Promise<AnyVerdict> {
  const [one, other] = [verifyAnyFile(file, network), await verifyReceipts(file, { network })]
  if (one.ok || other.ok) assert.deepEqual(other, one, what)
  else {
    assert.deepEqual([other.code, other.at], [one.code, one.at], `${what}: ${one.problem}; ${other.problem}`)
    assert.ok(one.problem !== '' && other.problem !== '', what)
  }
  return one
}

/** In short: `ok`, or `CODE at place`. */
export async function verdictOf(file: unknown, what = '', network?: string): Promise<string> {
  const verdict = await bothSay(file, what, network)
  return verdict.ok ? 'ok' : `${verdict.code} at ${verdict.at}`
}

export type Tree = Record<string, unknown>

export function valueAt(tree: unknown, path: string): unknown {
  return path.split('.').reduce((at, step) => (at as Tree)[step], tree)
}

/** A copy in which one value is another; `undefined` takes the key out. */
export function withValue<Whole>(tree: Whole, path: string, value: unknown): Whole {
  const copy = structuredClone(tree)
  const steps = path.split('.')
  const last = steps.pop()!
  const holder = steps.reduce<Tree>((at, step) => at[step] as Tree, copy as Tree)
  if (value !== undefined) holder[last] = value
  else if (Array.isArray(holder)) holder.splice(Number(last), 1)
  else delete holder[last]
  return copy
}

/** Every place in a tree, the outer ones first. */
export function placesOf(tree: unknown, path = ''): string[] {
  const inside =
    typeof tree === 'object' && tree !== null
      ? Object.entries(tree).flatMap(([key, value]) => placesOf(value, path === '' ? key : `${path}.${key}`))
      : []
  return path === '' ? inside : [path, ...inside]
}
