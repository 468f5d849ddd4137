/** The text of `pleach help` and of `pleach COMMAND --help`. */
import { commonFlags, type Command, type Flags } from './command.ts'
import { commands } from './commands.ts'

export function overview(): string[] {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const groups = Map.groupBy(Object.entries(commands), ([, { group }]) => group)
  const lines = [...groups].flatMap(([group, entries]) => [
    group,
    ...entries.map(([name, { about }]) => `  ${name.padEnd(width)}  ${about}`),
  ])
  return [
    'pleach: lend a machine, run jobs, keep data among strangers',
    '',
    'usage: pleach COMMAND [flags]        pleach COMMAND --help',
    '',
    ...lines,
    '',
    'No account, no telemetry: a peer talks to the peers of its network and to nobody else.',
  ]
}

export function helpOf(command: Command): string[] {
  return [
    `usage: pleach ${command.usage}`,
    '',
    ...command.about,
    '',
    ...flagLines(command.flags),
    ...flagLines(commonFlags),
  ]
}

function flagLines(flags: Flags): string[] {
  return Object.entries(flags).map(([name, { short, placeholder, about }]) => {
    const shown = `${short === undefined ? '    ' : `-${short}, `}--${name}${placeholder === undefined ? '' : ` ${placeholder}`}`
    return `  ${shown.padEnd(26)}  ${about}`
  })
}
