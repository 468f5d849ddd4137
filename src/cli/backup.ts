/** `pleach backup FILE`: the key, the ledger and the settings of the peer in one file, while it runs. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'

import { defaultProfile, directoriesOf } from '../config/directories.ts'
import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect, profileOf } from './connect.ts'
import { safe } from './escape.ts'
import { count, shortPeer, size } from './format.ts'

/** The control interface takes bodies of 1 MiB. */
const configCharsMax = 65_536

export const command = defineCommand({
  usage: 'backup [flags] FILE',
  about: [
    'Writes what makes the peer this peer to one file, while it runs: its key, its ledger with the keys of its objects, and config.yaml.',
    'Whoever has the file is this peer: keep it as you keep a key (its mode is 0600). Shards are not in it. pleach restore puts it back.',
  ],
  flags: {},
  takes: ['FILE'],
  async run(invocation) {
    const { terminal, positionals, env, signal } = invocation
    const client = await connect(invocation)
    const { configFile } = directoriesOf(env, profileOf(invocation) ?? defaultProfile)
    const config = await readFile(configFile, 'utf8').catch(() => undefined)
    const isKept = config !== undefined && config.length <= configCharsMax
    const path = resolve(positionals[0]!)
    const written = await client.backup({ path, ...(isKept ? { config } : {}) }, signal)
    if (terminal.json) await terminal.printJson(written)
    else {
      terminal.note(
        `${shortPeer(written.peer)}  ${count(written.receipts, 'receipt')}  ${size(written.bytes)}   (whoever has the file is this peer)`,
      )
      await terminal.print(safe(written.path, 4_096))
    }
    return exits.ok
  },
})
