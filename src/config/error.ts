/**
 * What is wrong with a setting, a file that a person wrote, or a place on this machine: what, why, one cure, and the exit
 * code. The same fields as the control interface's errors, so that the command line shows both alike.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code: string
  readonly why: string
  readonly cure: string
  readonly exit: number

  constructor(fields: { code: string; what: string; why: string; cure: string; exit: number }) {
    super(fields.what)
    this.code = fields.code
    this.why = fields.why
    this.cure = fields.cure
    this.exit = fields.exit
  }
}

/** Exit codes, as the README of the command line lists them. */
export const exits = {
  ok: 0,
  fault: 1,
  usage: 2,
  unverified: 3,
  noMatch: 4,
  unreachable: 5,
  localResource: 6,
  clock: 7,
  budget: 8,
  interrupted: 130,
} as const

/** The environment of a process, passed in so that tests can bring another. */
export type Env = Readonly<Record<string, string | undefined>>
