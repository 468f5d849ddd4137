/** `pleach export OBJECT -o FILE.car`: an object as a file that other programs can verify. */
import { resolve } from 'node:path'

import { exits } from '../config/error.ts'
import type { CarView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { size, sourcesText } from './format.ts'
import { usage } from './problem.ts'
import { withProgress } from './progress.ts'
import { toStdout } from './stdout-file.ts'

export const command = defineCommand({
  usage: 'export [flags] OBJECT -o FILE.car|-',
  about: [
    'Writes an object to a file as it is with its keepers, encrypted: a CAR, whose blocks other programs can list and verify. The key is',
    'not in it: the pleach:read:… string that is printed opens it, with pleach import, here or anywhere. A pleach:verify:… string is',
    'enough to export. -o - writes to stdout.',
  ],
  flags: {
    output: { type: 'text', short: 'o', placeholder: 'FILE', about: 'the file to write; - is stdout' },
  },
  takes: ['OBJECT'],
  async run(invocation) {
    const { terminal, positionals, flags, signal } = invocation
    const { output } = flags
    const object = positionals[0]!
    if (output === undefined)
      throw usage('pleach export needs -o FILE', 'the file to write was not given', 'pleach export OBJECT -o FILE.car')
    const client = await connect(invocation)
    const write = async (path: string): Promise<CarView> =>
      withProgress(client, terminal, safe(object.slice(-8)), async (watched) =>
        client.exportCar({ object, path, ...watched }, signal),
      )
    if (output === '-') {
      await toStdout(terminal, async (path) => terminal.note(...writtenLines(await write(path))))
      return exits.ok
    }
    const written = await write(resolve(output))
    if (terminal.json) await terminal.printJson(written)
    else {
      terminal.note(...writtenLines(written))
      await terminal.print(safe(terminal.quiet ? written.object : written.path, 4_096))
    }
    return exits.ok
  },
})

function writtenLines({ name, bytes, sources, read }: CarView): string[] {
  return [
    `${safe(name, 40)}  ${size(bytes)}  verified, encrypted  from ${sourcesText(sources)}`,
    read === null
      ? 'the key is not known here: who is to read it needs its pleach:read:… string'
      : `read    ${safe(read, 256)}   (whoever has it and the file reads)`,
  ]
}
