/** `pleach explain [CODE]`: what a code means, why it happens, and what can be done. Asks nobody. */
import { exits } from '../config/error.ts'
import { didYouMean } from '../config/nearest.ts'
import { meaningOf, meanings, type Meaning } from '../control/codes.ts'
import { defineCommand } from './command.ts'
import { usage } from './problem.ts'

export const command = defineCommand({
  usage: 'explain [CODE]',
  about: [
    'What a code means that pleach has shown: of a refusal, a fault, the end of a job, an error. Asks no peer. Without CODE it',
    'lists them all.',
  ],
  flags: {},
  takes: ['CODE?'],
  async run({ positionals: [typed], terminal }) {
    if (typed === undefined) {
      if (terminal.json) await terminal.printJson({ v: 1, codes: meanings })
      else if (terminal.quiet) await terminal.print(...meanings.map(({ code }) => code))
      else await terminal.print(...listLines())
      return exits.ok
    }
    const meaning = meaningOf(typed)
    if (meaning === undefined) {
      const known = meanings.map(({ code }) => code)
      const near = didYouMean(typed.toUpperCase().replaceAll('-', '_'), known)
      const why = `pleach shows no such code; another program, or a later version, may${near}`
      throw usage(`${JSON.stringify(typed.slice(0, 60))} is not a code`, why, 'pleach explain')
    }
    if (terminal.json) await terminal.printJson({ v: 1, ...meaning })
    else await terminal.print(...meaningLines(meaning))
    return exits.ok
  },
})

function meaningLines({ code, kind, means, why, cure }: Meaning): string[] {
  return [`${code}  (${kind})`, `  what: ${means}`, `  why:  ${why}`, `  cure: ${cure}`]
}

function listLines(): string[] {
  const width = Math.max(...meanings.map(({ code }) => code.length))
  const lines = [...Map.groupBy(meanings, ({ kind }) => kind)].flatMap(([kind, codes]) => [
    kind,
    ...codes.map(({ code, means }) => `  ${code.padEnd(width)}  ${means}`),
  ])
  return [...lines, '', 'pleach explain CODE   says why, and what can be done']
}
