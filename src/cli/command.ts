/** What a command is: the flags it knows, what it takes, what it does. One file each, loaded when it is asked for. */
import type { Env } from '../config/error.ts'
import type { Terminal } from './terminal.ts'

export interface Flag {
  /** A switch is given or not; a text has one value, and the last one counts; a list may be given many times. */
  readonly type: 'switch' | 'text' | 'list'
  readonly short?: string
  /** What stands for the value in help. */
  readonly placeholder?: string
  readonly about: string
}

export type Flags = Readonly<Record<string, Flag>>

export type FlagValues<Known extends Flags> = {
  readonly [Name in keyof Known]: Known[Name]['type'] extends 'switch'
    ? boolean
    : Known[Name]['type'] extends 'list'
      ? readonly string[]
      : string | undefined
}

/** Flags of every command. */
export const commonFlags = {
  json: { type: 'switch', about: 'machine-readable output on stdout, errors too' },
  quiet: { type: 'switch', short: 'q', about: 'say nothing but errors; print ids only' },
  profile: { type: 'text', placeholder: 'NAME', about: 'another peer of yours, with its own key, lock and socket' },
  help: { type: 'switch', short: 'h', about: 'show this' },
} as const satisfies Flags

export interface Invocation<Known extends Flags> {
  readonly flags: FlagValues<Known & typeof commonFlags>
  readonly positionals: readonly string[]
  /** What came after `--`. */
  readonly rest: readonly string[]
  readonly terminal: Terminal
  readonly env: Env
  /** Fires at the first Ctrl-C, unless the command handles signals itself. */
  readonly signal: AbortSignal
}

export interface CommandOf<Known extends Flags> {
  /** After `pleach `: `logs [flags] JOB`. */
  readonly usage: string
  /** What it does, for `--help`: a few lines. */
  readonly about: readonly string[]
  readonly flags: Known
  /** Names of what it takes; one that ends in `?` may be left out. */
  readonly takes: readonly string[]
  /** Whether anything may follow `--`. */
  readonly takesRest?: boolean
  /** Whether Ctrl-C and SIGTERM are its own business. */
  readonly handlesSignals?: boolean
  /** Answers with the exit code. */
  readonly run: (invocation: Invocation<Known>) => Promise<number>
}

/** A command whatever its flags; only the parser and the help look inside. */
export type Command = CommandOf<Flags>

export function defineCommand<const Known extends Flags>(command: CommandOf<Known>): Command {
  // The parser makes the values from these same flags, so that they fit.
  return command as unknown as Command
}
