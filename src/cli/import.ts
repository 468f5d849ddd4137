/** `pleach import FILE.car STRING`: take up what `pleach export` wrote, and keep it with other peers. */
import { resolve } from 'node:path'

import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { showKept } from './kept.ts'
import { goingOn, progressName, withProgress } from './progress.ts'
import { spoolStdin } from './stdin-file.ts'

export const command = defineCommand({
  usage: 'import [flags] FILE.car|- [STRING]',
  about: [
    'Takes an object up from a file that pleach export wrote, verifies all of it, and places it with other peers, as pleach put does. It',
    'has the id it had. STRING is its pleach:read:… string, needed where its key is not known. Nothing is kept of a file that is not',
    'whole and right.',
  ],
  flags: {
    name: { type: 'text', placeholder: 'TEXT', about: 'what to call it (default: the name of the file)' },
  },
  takes: ['FILE', 'STRING?'],
  async run(invocation) {
    const { terminal, positionals, flags, signal } = invocation
    const [file, read] = positionals as [string, string?]
    const { name } = flags
    const client = await connect(invocation)
    const spooled = file === '-' ? await spoolStdin(signal) : undefined
    const input = {
      path: spooled?.path ?? resolve(file),
      ...(read === undefined ? {} : { read }),
      ...(name === undefined ? {} : { name }),
    }
    try {
      const kept = await goingOn(async () =>
        withProgress(client, terminal, progressName(name ?? file), async (watched) =>
          client.importCar({ ...input, ...watched }, signal),
        ),
      )
      await showKept(terminal, kept)
      return exits.ok
    } finally {
      await spooled?.remove()
    }
  },
})
