/** What is wrong with a file: a code that `pleach explain` knows, and the rest in words. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** Where something is wrong in the file: `receipts.1.countersignature`. */
export type Enter = (where: string) => void

export function need(holds: boolean, code: string, message: string): asserts holds {
  if (!holds) throw new Problem(code, message)
}
