/** The words of a command line against the flags of a command. Unknown ones are answered with the nearest name. */
import { parseArgs } from 'node:util'

import { didYouMean } from '../config/nearest.ts'
import { commonFlags, type Command, type Flags } from './command.ts'
import { usage } from './problem.ts'

export interface ParsedArguments {
  readonly flags: Readonly<Record<string, boolean | string | readonly string[] | undefined>>
  readonly positionals: readonly string[]
  readonly rest: readonly string[]
}

/** Throws a ConfigError USAGE. */
export function parseArguments(name: string, command: Command, args: readonly string[]): ParsedArguments {
  const known: Flags = { ...command.flags, ...commonFlags }
  const help = `pleach ${name} --help`
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(known).map(([flag, { type, short }]) => [
        flag,
        {
          type: type === 'switch' ? ('boolean' as const) : ('string' as const),
          ...(short === undefined ? {} : { short }),
        },
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const flags: Record<string, boolean | string | string[] | undefined> = {}
  for (const [flag, { type }] of Object.entries(known)) {
    flags[flag] = type === 'switch' ? false : type === 'list' ? [] : undefined
  }
  const positionals: string[] = []
  const rest: string[] = []
  let terminated = false
  for (const token of tokens) {
    if (token.kind === 'option-terminator') terminated = true
    else if (token.kind === 'positional') (terminated ? rest : positionals).push(token.value)
    else {
      const flag = Object.hasOwn(known, token.name) ? known[token.name] : undefined
      if (flag === undefined) throw unknownFlag(name, token.rawName, known, help)
      const value = valueOf(token, flag.type, help)
      const before = flags[token.name]
      flags[token.name] = Array.isArray(before) ? [...before, String(value)] : value
    }
  }
  checkCounts(name, command, positionals, rest, flags['help'] === true)
  return { flags, positionals, rest }
}

interface OptionToken {
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

function valueOf(
  { rawName, value, inlineValue }: OptionToken,
  type: Flags[string]['type'],
  help: string,
): boolean | string {
  if (type === 'switch') {
    if (value === undefined) return true
    throw usage(`${rawName} takes no value`, 'it is a switch: given or not', help)
  }
  if (value === undefined) throw usage(`${rawName} needs a value`, 'nothing follows it', help)
  // A forgotten value would otherwise swallow the flag behind it; a lone - is stdin.
  if (inlineValue !== true && value.startsWith('-') && value.length > 1) {
    throw usage(`${rawName} needs a value`, `${value} follows it, which looks like a flag`, `${rawName}=${value}`)
  }
  return value
}

function unknownFlag(name: string, rawName: string, known: Flags, help: string): Error {
  const names = Object.keys(known).map((flag) => `--${flag}`)
  const hint = rawName.startsWith('--') ? didYouMean(rawName, names) : ''
  return usage(`${rawName} is not a flag of pleach ${name}`, `it is not known${hint}`, help)
}

function checkCounts(
  name: string,
  { takes, takesRest }: Command,
  positionals: readonly string[],
  rest: readonly string[],
  isHelp: boolean,
): void {
  if (isHelp) return
  const help = `pleach ${name} --help`
  const missing = takes.slice(positionals.length).find((one) => !one.endsWith('?'))
  if (missing !== undefined) throw usage(`pleach ${name} needs ${missing}`, 'it was not given', help)
  const extra = positionals[takes.length]
  if (extra !== undefined) {
    const cure =
      takesRest === true ? `pleach ${name} ${positionals.slice(0, takes.length).join(' ')} -- ${extra}` : help
    const why = takesRest === true ? 'the arguments of the program stand behind --' : 'it takes no more than that'
    throw usage(`${JSON.stringify(extra)} is one too many for pleach ${name}`, why, cure)
  }
  if (rest.length > 0 && takesRest !== true)
    throw usage(`pleach ${name} takes nothing behind --`, 'it has no use for it', help)
}
