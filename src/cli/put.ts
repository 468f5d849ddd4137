/** `pleach put PATH`: keep a file with other peers, so that some of them may vanish. */
import { resolve } from 'node:path'

import { exits } from '../config/error.ts'
import type { PutView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count, named, size } from './format.ts'

export const command = defineCommand({
  usage: 'put [--code K+M] [flags] PATH',
  about: [
    'Encrypts a file, cuts it into K + M shards of which any K are enough, and places them with other peers. Returns when',
    'the shards are acknowledged, and prints the id under which pleach get finds it. The key stays with this peer.',
  ],
  flags: {
    code: { type: 'text', placeholder: 'K+M', about: 'such as 4+8, or small, ship, keep, deep (default keep)' },
    name: { type: 'text', placeholder: 'TEXT', about: 'what to call it (default: the name of the file)' },
  },
  takes: ['PATH'],
  async run(invocation) {
    const { terminal, positionals, flags, signal } = invocation
    const client = await connect(invocation)
    const { code, name } = flags
    const input = {
      path: resolve(positionals[0]!),
      ...(code === undefined ? {} : { code }),
      ...(name === undefined ? {} : { name }),
    }
    const kept = await client.put(input, signal)
    if (terminal.json) await terminal.printJson(kept)
    else {
      terminal.note(...keptLines(kept))
      await terminal.print(safe(kept.object))
    }
    return exits.ok
  },
})

function keptLines({ k, n, bytes, keepers, name, object }: PutView): string[] {
  return [
    `${safe(name)}  ${size(bytes)}`,
    `${count(n, 'shard')}, any ${k} enough -> ${count(keepers.length, 'peer')}: ${keepers.map(named).join(', ')}`,
    `any ${n - k} shards may vanish`,
    `the key is kept here   pleach get ${safe(object.slice(-8))} -o ${safe(name)}`,
  ]
}
