/** `pleach rm OBJECT`: forget an object and its key. */
import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { span } from './format.ts'

export const command = defineCommand({
  usage: 'rm [flags] OBJECT',
  about: [
    'Forgets the key and takes back what was said of where the shards are. Keepers let them go when their terms are over. Whoever',
    'has the pleach:read:… string may still read it until then. Without the key it cannot be read again from here.',
  ],
  flags: {},
  takes: ['OBJECT'],
  async run(invocation) {
    const { terminal, positionals, signal } = invocation
    const client = await connect(invocation)
    const removed = await client.removeObject(positionals[0]!, signal)
    if (terminal.json) await terminal.printJson(removed)
    else {
      const left = removed.kept ? `, its shards within ${span(Math.max(0, removed.keptUntilMs - Date.now()))}` : ''
      terminal.note(`${safe(removed.name, 40)} is forgotten${left}`)
      await terminal.print(safe(removed.object))
    }
    return exits.ok
  },
})
