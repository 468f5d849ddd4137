/** JSON in its one form (RFC 8785), and where two values of it differ. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * Keys in the order of their UTF-16 units, no spaces, numbers and text as ECMAScript writes them. Throws a TypeError for what JSON has no
 * word for: text with half a pair of surrogates, numbers that are none.
 */
export function canonicalJson(value: Json): string {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw new TypeError('text that is no Unicode')
      return JSON.stringify(value)
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError('a number that JSON does not have')
      return JSON.stringify(value)
    case 'boolean':
      return String(value)
    case 'object': {
      if (value === null) return 'null'
      if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`
      const entries = Object.keys(value)
        .toSorted()
        .map((key) => `${canonicalJson(key)}:${canonicalJson(value[key]!)}`)
      return `{${entries.join(',')}}`
    }
    default:
      return value satisfies never
  }
}

/** The place of the first difference, such as `credentialSubject.usage.gas`; undefined when there is none. */
export function whereDifferent(one: Json, other: Json, where: readonly string[] = []): string | undefined {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return one === other ? undefined : where.join('.')
  if (isList(one) !== isList(other)) return where.join('.')
  const [left, right] = [one, other].map((value) => new Map(Object.entries(value as { readonly [key: string]: Json })))
  for (const key of new Set([...right!.keys(), ...left!.keys()])) {
    const [before, after] = [left!.get(key), right!.get(key)]
    const at = [...where, key]
    if (before === undefined || after === undefined) return at.join('.')
    const found = whereDifferent(before, after, at)
    if (found !== undefined) return found
  }
  return undefined
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
