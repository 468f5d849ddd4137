/** `pleach pin OBJECT`: look after an object, whoever put it. */
import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count, span } from './format.ts'

export const command = defineCommand({
  usage: 'pin [flags] OBJECT',
  about: [
    'Makes the terms of its shards as long as they can be, and from then on, while this peer is up, renews them, audits the keepers',
    'and makes again what is lost. OBJECT is an id of pleach ls, or a pleach:read:… string. What this peer put is pinned already.',
  ],
  flags: {},
  takes: ['OBJECT'],
  async run(invocation) {
    const { terminal, positionals, signal } = invocation
    const client = await connect(invocation)
    const pinned = await client.pin(positionals[0]!, signal)
    if (terminal.json) await terminal.printJson(pinned)
    else {
      const { name, keepers, keptUntilMs, object } = pinned
      const kept = span(Math.max(0, keptUntilMs - Date.now()))
      terminal.note(`${safe(name, 40)}  kept for ${kept} at ${count(keepers, 'keeper')}, renewed while this peer is up`)
      await terminal.print(safe(object))
    }
    return exits.ok
  },
})
