/** From the words of a command line to an exit code. */
import { exits, type Env } from '../config/error.ts'
import { didYouMean } from '../config/nearest.ts'
import { parseArguments } from './arguments.ts'
import type { Command } from './command.ts'
import { commands } from './commands.ts'
import { Interrupted, problemOf, showProblem, usage } from './problem.ts'
import { Terminal } from './terminal.ts'

/** Runs the command and ends the process with its code, whatever it may have left open. */
export async function main(args: readonly string[]): Promise<never> {
  const before = args.slice(0, args.includes('--') ? args.indexOf('--') : args.length)
  const terminal = new Terminal(process.stdout, process.stderr, {
    quiet: before.some((arg) => arg === '--quiet' || arg === '-q'),
    json: before.includes('--json'),
  })
  let exit: number
  try {
    exit = await dispatch(args, terminal, process.env)
  } catch (thrown) {
    if (thrown instanceof Interrupted) exit = exits.interrupted
    else {
      const problem = problemOf(thrown)
      await showProblem(terminal, problem)
      exit = problem.exit
    }
  }
  await terminal.flush()
  process.exit(exit)
}

/** Answers with the exit code; throws what main() shows. */
export async function dispatch([name, ...args]: readonly string[], terminal: Terminal, env: Env): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h') return run('help', args, terminal, env)
  if (name === '--version') {
    const { default: manifest } = await import('../../package.json', { with: { type: 'json' } })
    if (terminal.json) await terminal.printJson({ v: 1, version: manifest.version, node: process.versions.node })
    else await terminal.print(`pleach ${manifest.version}`)
    return exits.ok
  }
  if (Object.hasOwn(commands, name)) return run(name, args, terminal, env)
  const shown = JSON.stringify(name.slice(0, 40))
  if (name.startsWith('-'))
    throw usage(`${shown} stands before the command`, 'flags follow it', 'pleach COMMAND [flags]')
  throw usage(`${shown} is not a command`, `it is not known${didYouMean(name, Object.keys(commands))}`, 'pleach help')
}

async function run(name: string, args: readonly string[], terminal: Terminal, env: Env): Promise<number> {
  const command = await commands[name]!.load()
  const { flags, positionals, rest } = parseArguments(name, command, args)
  if (flags['help'] === true) {
    const { helpOf } = await import('./usage.ts')
    await terminal.print(...helpOf(command))
    return exits.ok
  }
  const interrupt = new AbortController()
  if (command.handlesSignals !== true) listenForInterrupt(interrupt)
  const invocation = { flags, positionals, rest, terminal, env, signal: interrupt.signal }
  return command.run(invocation as unknown as Parameters<Command['run']>[0])
}

/** The first Ctrl-C ends what is under way in good order; the second ends us. */
function listenForInterrupt(interrupt: AbortController): void {
  process.once('SIGINT', () => {
    interrupt.abort(new Interrupted('interrupted'))
    process.once('SIGINT', () => process.exit(exits.interrupted))
  })
}
