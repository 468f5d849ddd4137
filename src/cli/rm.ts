/** `pleach rm OBJECT`: forget an object and its key. */
import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count, span } from './format.ts'

export const command = defineCommand({
  usage: 'rm [flags] OBJECT',
  about: [
    'Forgets the key, takes back what was said of where the shards are, and tells the keepers to let them go; who is away does when the',
    'term is over. Whoever has the pleach:read:… string may still read what is left. Without the key it cannot be read again from here.',
  ],
  flags: {},
  takes: ['OBJECT'],
  async run(invocation) {
    const { terminal, positionals, signal } = invocation
    const client = await connect(invocation)
    const removed = await client.removeObject(positionals[0]!, signal)
    if (terminal.json) await terminal.printJson(removed)
    else {
      const { name, kept, shardsPlaced, shardsReleased, keptUntilMs } = removed
      const term = span(Math.max(0, keptUntilMs - Date.now()))
      const rest = shardsReleased === shardsPlaced ? '' : `, the others go within ${term}`
      const gone = kept ? `; ${shardsReleased} of ${count(shardsPlaced, 'shard')} are gone${rest}` : ''
      terminal.note(`${safe(name, 40)} is forgotten${gone}`)
      await terminal.print(safe(removed.object))
    }
    return exits.ok
  },
})
