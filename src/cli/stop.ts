/** `pleach stop`: what Ctrl-C in the peer's own terminal does. */
import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'

export const command = defineCommand({
  usage: 'stop [flags]',
  about: ['Asks the running peer to stop bidding, hand back or finish its work, and end; it has 10 s for that.'],
  flags: {},
  takes: [],
  async run(invocation) {
    const client = await connect(invocation)
    await client.stop()
    if (invocation.terminal.json) await invocation.terminal.printJson({ v: 1 })
    else invocation.terminal.note('stopping')
    return exits.ok
  },
})
