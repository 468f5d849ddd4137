/** `pleach join ADDRESS`: connect to a peer that somebody named. */
import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count } from './format.ts'
import { peerLines } from './peers.ts'

export const command = defineCommand({
  usage: 'join [flags] ADDRESS',
  about: ['Connects the running peer to the one at ADDRESS, such as /ip4/203.0.113.7/tcp/4117/p2p/12D3KooW…'],
  flags: {},
  takes: ['ADDRESS'],
  async run(invocation) {
    const { terminal, signal, positionals } = invocation
    const client = await connect(invocation)
    const view = await client.join(positionals[0]!, signal)
    if (terminal.json) await terminal.printJson(view)
    else if (terminal.quiet) await terminal.print(...view.peers.map(({ peer }) => safe(peer)))
    else {
      terminal.note(`joined: connected to ${count(view.peers.length, 'peer')}`)
      await terminal.print(...peerLines(view))
    }
    return exits.ok
  },
})
