/** A planted bug: a small patch to the program, which its invariants must catch. The program itself carries no switch for it. */
export interface Edit {
  readonly file: string
  /** Occurs exactly once in the file; a patch that no longer applies fails the run. */
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  readonly name: string
  /** What a programmer forgot. */
  readonly about: string
  readonly edits: readonly Edit[]
  /** Where it is looked for; the default scenario otherwise. */
  readonly scenario?: string
  /** For one that only shows in what all lives together come to: no more lives than this are needed. */
  readonly seedsMax?: number
}
