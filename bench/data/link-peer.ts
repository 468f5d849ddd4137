/**
 * One end of a connection in a process of its own, for the bench: a libp2p with one encrypter, that pours bytes and says what it took.
 *
 *     fork('link-peer.ts', [encrypter])   →  { ready: address }
 *     send('usage')                       →  { usage: Usage }
 */
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { links, rawNode, serveRaw, type LinkName } from './raw-stream.ts'

export interface Usage {
  /** Of a processor, since the process began. */
  readonly cpuMs: number
  /** What the process holds once nothing is left to collect. */
  readonly residentBytes: number
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const node = await rawNode(['/ip4/127.0.0.1/tcp/0'], [links[process.argv[2] as LinkName]()])
await serveRaw(node)
process.on('message', () => {
  collect()
  const { user, system } = process.cpuUsage()
  const usage: Usage = { cpuMs: (user + system) / 1_000, residentBytes: process.memoryUsage.rss() }
  process.send!({ usage })
})
process.on('disconnect', () => process.exit(0))
process.send!({ ready: node.getMultiaddrs()[0]!.toString() })
