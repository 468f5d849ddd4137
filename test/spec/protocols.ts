/** What the tests of the specification are about. A new protocol is a word here, and its machines in states.test.ts. */
export const protocolsWithReadme = [
  'bid',
  'capability',
  'discover',
  'erasure',
  'evidence',
  'execute',
  'forward',
  'inquire',
  'negotiate',
  'placement',
  'receipt',
  'references',
  'settle',
  'storage',
  'transfer',
  'voucher',
  'wire',
]

/** What each README answers, in this order. */
export const sectionsInOrder: readonly RegExp[] = [
  /\*\*Purpose\.\*\*/,
  /speaks first/,
  /^## Messages$/m,
  /^## States$/m,
  /^## Limits$/m,
  /^## Misbehaviour$/m,
  /^## Fixed$/m,
]

/** Sources whose constants are no limits of the agreement: how this program computes fast. */
export const valuesElsewhere = [
  'protocols/erasure/code-rows.ts',
  'protocols/erasure/coder.ts',
  'protocols/erasure/coefficients.ts',
  'protocols/erasure/loom.ts',
  'protocols/erasure/scalar-kernel.ts',
  'protocols/erasure/strip-memory.ts',
]

/**
 * The memory of the process: how much of what can be computed again is remembered, and in what pieces memory is taken. Of no concern to
 * anybody else.
 */
export const memories = ['namesMax', 'networksMax', 'poolBytes', 'pooledBytesMax', 'pieceBytes']
