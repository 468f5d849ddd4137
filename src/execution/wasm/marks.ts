/** What is put before the byte at an offset. */
export const mark = {
  charge: 0,
  /** A charge, and a look whether gas is left. */
  check: 1,
  /** Before a bulk operation: the operand on the top of the stack, shifted right by `amount`, is charged too. */
  bulk: 2,
  /** Before memory.grow: the operand on the top of the stack is charged per page. */
  grow: 3,
  /** After memory.grow: a refusal below the memory's maximum is the machine's fault, not the program's. */
  grown: 4,
  /** After an operation on floats: a NaN becomes the one canonical NaN. */
  float32: 5,
  float64: 6,
  float32x4: 7,
  float64x2: 8,
  /** The first charge of a function, at its entry: with a look, and without. */
  entryCheck: 9,
  entry: 10,
  /** Before others may see the counter: a call, an exit, a trap. */
  flush: 11,
  /** After a call. */
  reload: 12,
} as const

export const noMark = -1
