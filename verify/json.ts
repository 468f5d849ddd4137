/** JSON in its one form, and where two values of it differ. */

/** RFC 8785: keys in the order of their UTF-16 units, no spaces. Throws a TypeError for what JSON has no word for. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${(value as unknown[]).map(canonicalJson).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const object = value as Readonly<Record<string, unknown>>
    const keys = Object.keys(object).sort()
    return `{${keys.map((key) => `${wellFormed(key)}:${canonicalJson(object[key])}`).join(',')}}`
  }
  if (typeof value === 'string') return wellFormed(value)
  if (value === null || typeof value === 'boolean' || Number.isFinite(value)) return JSON.stringify(value)
  throw new TypeError('not a value of JSON')
}

function wellFormed(text: string): string {
  // A half of a pair of surrogates has no UTF-8.
  if (/\p{Surrogate}/u.test(text)) throw new TypeError('text that is no Unicode')
  return JSON.stringify(text)
}

/** `credentialSubject.usage.gas`; undefined when they are the same. */
export function whereDifferent(one: unknown, other: unknown, where = ''): string | undefined {
  const [a, b] = [one, other]
  const areObjects = typeof a === 'object' && a !== null && typeof b === 'object' && b !== null
  if (!areObjects || Array.isArray(a) !== Array.isArray(b)) return Object.is(a, b) || a === b ? undefined : where
  const [left, right] = [a, b] as [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>]
  for (const key of new Set([...Object.keys(right), ...Object.keys(left)])) {
    const at = where === '' ? key : `${where}.${key}`
    if (!Object.hasOwn(left, key) || !Object.hasOwn(right, key)) return at
    const found = whereDifferent(left[key], right[key], at)
    if (found !== undefined) return found
  }
  return undefined
}
