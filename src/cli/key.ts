/** `pleach key export` and `pleach key import`: the strings that give an object to others, or back to oneself. */
import { text } from 'node:stream/consumers'

import { exits } from '../config/error.ts'
import { didYouMean } from '../config/nearest.ts'
import type { KeyView, ObjectView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { size } from './format.ts'
import { usage } from './problem.ts'

const verbs = ['export', 'import']

export const command = defineCommand({
  usage: 'key export [OBJECT]  |  key import STRING|-',
  about: [
    'export  prints the pleach:read:… string of one object, or of all, a line each with the name behind it: a backup, to be kept as',
    '        carefully as what it opens. --verify prints the string that finds and repairs, and cannot read.',
    'import  takes such strings up, one or (with -, from stdin) the lines of a backup, so that pleach ls and get know them here.',
  ],
  flags: {
    verify: { type: 'switch', about: 'export: the string that cannot read' },
    name: { type: 'text', placeholder: 'TEXT', about: 'import: what to call it here' },
  },
  takes: ['export or import', 'OBJECT or STRING?'],
  async run(invocation) {
    const { terminal, positionals, flags, signal } = invocation
    const [verb = '', what] = positionals
    if (!verbs.includes(verb)) {
      throw usage(
        `pleach key ${JSON.stringify(verb)} is not known`,
        `there are ${verbs.join(' and ')}${didYouMean(verb, verbs)}`,
        'pleach key --help',
      )
    }
    const client = await connect(invocation)
    if (verb === 'export') {
      const wanted = what === undefined ? (await client.objects()).map(({ object }) => object) : [what]
      const keys: KeyView[] = []
      for (const object of wanted) keys.push(await client.exportKey(object))
      if (terminal.json) await terminal.printJson({ v: 1, keys })
      else {
        if (!flags.verify) terminal.note('whoever has a pleach:read:… string reads the object')
        const line = (key: KeyView): string => (flags.verify ? key.verify : key.read)
        await terminal.print(
          ...keys.map((key) => `${safe(line(key), 256)}${terminal.quiet ? '' : `  ${safe(key.name, 80)}`}`),
        )
      }
      return exits.ok
    }
    if (what === undefined)
      throw usage('pleach key import needs a string', 'it was not given', 'pleach key import pleach:read:…')
    const lines = what === '-' ? (await text(process.stdin)).split('\n').filter((line) => line.trim() !== '') : [what]
    const objects: ObjectView[] = []
    for (const line of lines) {
      const [read = '', ...rest] = line.trim().split(/\s+/)
      const name = flags.name ?? (rest.length === 0 ? undefined : rest.join(' '))
      objects.push(await client.importKey({ read, ...(name === undefined ? {} : { name }) }, signal))
    }
    if (terminal.json) await terminal.printJson({ v: 1, objects })
    else {
      terminal.note(...objects.map(({ name, bytes, code }) => `${safe(name, 40)}  ${size(bytes)}  ${code}`))
      await terminal.print(...objects.map(({ object }) => safe(object)))
    }
    return exits.ok
  },
})
