/** What went wrong, as it is shown: what, why, one cure, an exit code. With --json it is the same as an object on stdout. */
import { ConfigError, exits } from '../config/error.ts'
import { ControlError } from '../control/api.ts'
import { safe } from './escape.ts'
import type { Terminal } from './terminal.ts'

export interface Problem {
  readonly code: string
  readonly what: string
  readonly why: string
  readonly cure: string
  readonly exit: number
  /** Lines that take the place of why and cure on a terminal. */
  readonly lines?: readonly string[]
  /** What else the JSON object holds. */
  readonly also?: Readonly<Record<string, unknown>>
}

/** Thrown by a command that knows exactly what it wants to say. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.what)
    this.problem = problem
  }
}

/** A person changed their mind. Nothing is said about it. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

export function usage(what: string, why: string, cure: string): ConfigError {
  return new ConfigError({ code: 'USAGE', what, why, cure, exit: exits.usage })
}

const textCharsMax = 1_000

/** What a peer could not do because of this machine: the errors of src/host, known by their shape. */
interface MachineError {
  readonly code: string
  readonly message: string
  readonly cure: string
  readonly facts: Readonly<Record<string, unknown>>
}

export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof Failure) return thrown.problem
  if (thrown instanceof ConfigError || thrown instanceof ControlError) {
    const { code, message, why, cure, exit } = thrown
    return { code, what: message, why, cure, exit }
  }
  if (isMachineError(thrown)) return machineProblem(thrown)
  const why = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  return {
    code: 'FAULT',
    what: 'pleach failed; this is a mistake in it',
    why,
    cure: 'report it with the lines above',
    exit: exits.fault,
  }
}

export async function showProblem(terminal: Terminal, problem: Problem): Promise<void> {
  const { code, what, why, cure, exit, lines, also } = problem
  if (terminal.json) {
    await terminal.printJson({ v: 1, error: { code, what, why, cure, exit }, ...also })
    return
  }
  const first = `${terminal.style('red', 'error:')} ${safe(what, textCharsMax)} (exit ${exit})`
  terminal.say(first, ...(lines ?? usualLines(why, cure)))
}

function usualLines(why: string, cure: string): string[] {
  // A stack has lines of its own; everything else is one.
  const whyLines =
    why === ''
      ? []
      : why.split('\n').map((line, index) => `${index === 0 ? '  why: ' : '    '}${safe(line.trim(), textCharsMax)}`)
  return [...whyLines, ...(cure === '' ? [] : [`  cure: ${safe(cure, textCharsMax)}`])]
}

function isMachineError(thrown: unknown): thrown is Error & MachineError {
  return thrown instanceof Error && 'code' in thrown && 'cure' in thrown && 'facts' in thrown
}

function machineProblem({ code, message, cure, facts }: MachineError): Problem {
  if (code === 'PORT_IN_USE') {
    const { port, command, pid } = facts
    const owner = typeof command === 'string' ? `${command} (pid ${Number(pid)})` : 'another process'
    const what = `tcp/${Number(port)} is used by ${owner}. Use --port 0 for any free port.`
    return { code, what, why: message, cure: 'pleach up --port 0', exit: exits.localResource, lines: [] }
  }
  const isTyped = code === 'ADDRESS_INVALID' || code === 'NETWORK_INVALID'
  return { code, what: message, why: '', cure, exit: isTyped ? exits.usage : exits.localResource }
}
