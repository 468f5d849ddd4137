/** `pleach help [COMMAND]`. */
import { exits } from '../config/error.ts'
import { didYouMean } from '../config/nearest.ts'
import { defineCommand } from './command.ts'
import { commands } from './commands.ts'
import { usage } from './problem.ts'
import { helpOf, overview } from './usage.ts'

export const command = defineCommand({
  usage: 'help [COMMAND]',
  about: ['Shows what there is, or how one command is used.'],
  flags: {},
  takes: ['COMMAND?'],
  async run({ positionals: [name], terminal }) {
    if (name === undefined) {
      if (terminal.json) {
        const listed = Object.entries(commands).map(([one, { about }]) => ({ name: one, about }))
        await terminal.printJson({ v: 1, commands: listed })
      } else await terminal.print(...overview())
      return exits.ok
    }
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (entry === undefined) {
      throw usage(
        `${JSON.stringify(name)} is not a command`,
        `it is not known${didYouMean(name, Object.keys(commands))}`,
        'pleach help',
      )
    }
    await terminal.print(...helpOf(await entry.load()))
    return exits.ok
  },
})
