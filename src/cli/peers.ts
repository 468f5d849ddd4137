/** `pleach peers`: whom the peer is connected to. */
import { exits } from '../config/error.ts'
import type { PeersView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { shortPeer, span } from './format.ts'
import { table } from './table.ts'

export const command = defineCommand({
  usage: 'peers [flags]',
  about: ['The peers that this one is connected to, and what it has seen of them.'],
  flags: {},
  takes: [],
  async run(invocation) {
    const { terminal } = invocation
    const client = await connect(invocation)
    const view = await client.peers()
    if (terminal.json) await terminal.printJson(view)
    else if (terminal.quiet) await terminal.print(...view.peers.map(({ peer }) => safe(peer)))
    else if (view.peers.length === 0) terminal.note('no peer is connected; pleach join ADDRESS connects to one')
    else await terminal.print(...peerLines(view))
    return exits.ok
  },
})

export function peerLines({ peers }: PeersView): string[] {
  return table(
    ['NAME', 'PEER', 'DIRECTION', 'ENCRYPTION', '>OPEN', 'STANDING', 'ADDRESS'],
    peers.map(({ petname, peer, direction, encrypter, openMs, standing, address }) => [
      safe(petname, 40),
      shortPeer(peer),
      direction,
      safe(encrypter, 12),
      span(openMs),
      safe(standing),
      safe(address, 200),
    ]),
  )
}
