/** `pleach put PATH`: keep a file or a folder with other peers, so that some of them may vanish. */
import { resolve } from 'node:path'

import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { showKept } from './kept.ts'
import { goingOn, progressName, withProgress } from './progress.ts'
import { spoolStdin } from './stdin-file.ts'

export const command = defineCommand({
  usage: 'put [--code K+M] [flags] PATH|-',
  about: [
    'Encrypts a file, a folder (as a tar) or - (stdin), cuts it into K + M shards of which any K are enough, and places them with',
    'other peers. Returns when the shards are acknowledged, and prints the id under which pleach get finds it here. Others get it',
    'with the pleach:read:… string, and repair it with pleach:verify:…, which cannot read. While this peer is up it looks after it:',
    'shards that are lost are made again, and terms renewed. A put that broke off goes on when the same is put again within a day.',
  ],
  flags: {
    code: { type: 'text', placeholder: 'K+M', about: 'such as 4+8, or small, ship, keep, deep (default keep)' },
    name: { type: 'text', placeholder: 'TEXT', about: 'what to call it (default: the name of the file)' },
    convergent: {
      type: 'switch',
      about: 'put again by this peer it is the same object; keepers see that it is',
    },
  },
  takes: ['PATH'],
  async run(invocation) {
    const { terminal, positionals, flags, signal } = invocation
    const client = await connect(invocation)
    const { code, name, convergent } = flags
    const spooled = positionals[0] === '-' ? await spoolStdin(signal) : undefined
    const input = {
      path: spooled?.path ?? resolve(positionals[0]!),
      ...(code === undefined ? {} : { code }),
      ...(name === undefined ? {} : { name }),
      ...(convergent ? { convergent } : {}),
    }
    try {
      const kept = await goingOn(async () =>
        withProgress(client, terminal, progressName(name ?? positionals[0]!), async (watched) =>
          client.put({ ...input, ...watched }, signal),
        ),
      )
      await showKept(terminal, kept)
      return exits.ok
    } finally {
      await spooled?.remove()
    }
  },
})
