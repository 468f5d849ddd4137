/** `pleach pause [FOR]`. */
import { exits } from '../config/error.ts'
import { parseDurationMs } from '../config/quantities.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { quantityFlag } from './quantity-flag.ts'
import { tellResting } from './resting.ts'

export const command = defineCommand({
  usage: 'pause [flags] [FOR]',
  about: [
    'Takes no new work for others, for a while (30m, 2h) or until pleach resume, also after a restart of the peer. What runs is held',
    'at once, and handed back when it has been held for two minutes: its time goes on, and whoever asked for it waits.',
  ],
  flags: { now: { type: 'switch', about: 'hand back at once what runs' } },
  takes: ['FOR?'],
  async run(invocation) {
    const { flags, positionals, terminal } = invocation
    const forMs = quantityFlag('FOR', positionals[0], parseDurationMs)
    const client = await connect(invocation)
    const { resting } = await client.pause({ ...(forMs === undefined ? {} : { forMs }), now: flags.now })
    await tellResting(terminal, resting)
    return exits.ok
  },
})
