/** `pleach get OBJECT -o PATH`: fetch what was put, here or elsewhere. */
import { resolve } from 'node:path'

import { exits } from '../config/error.ts'
import type { GetView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count, size, sourcesText } from './format.ts'
import { usage } from './problem.ts'
import { goingOn, withProgress } from './progress.ts'
import { toStdout } from './stdout-file.ts'

export const command = defineCommand({
  usage: 'get [flags] OBJECT -o PATH|-',
  about: [
    'OBJECT is an id that pleach ls shows, or a pleach:read:… string that somebody gave. Every block is verified, and the file',
    'appears when all of it is there. -o - writes to stdout, once all of it is verified.',
  ],
  flags: {
    output: { type: 'text', short: 'o', placeholder: 'PATH', about: 'the file or folder to write; - is stdout' },
    unpack: { type: 'switch', about: 'make a folder of it: it was put as one by somebody else' },
  },
  takes: ['OBJECT'],
  async run(invocation) {
    const { terminal, positionals, flags, signal } = invocation
    const { output, unpack } = flags
    if (output === undefined)
      throw usage('pleach get needs -o PATH', 'the file to write was not given', 'pleach get OBJECT -o PATH')
    if (output === '-' && unpack) throw usage('a folder cannot be written to stdout', '--unpack makes one', '-o FOLDER')
    const client = await connect(invocation)
    const object = positionals[0]!
    const get = async (path: string, folder: { readonly unpack?: boolean }): Promise<GetView> =>
      goingOn(async () =>
        withProgress(client, terminal, safe(object.slice(-8)), async (watched) =>
          client.get({ object, path, ...folder, ...watched }, signal),
        ),
      )
    if (output === '-') {
      await toStdout(terminal, async (path) => terminal.note(gotLine(await get(path, { unpack: false }))))
      return exits.ok
    }
    const got = await get(resolve(output), unpack ? { unpack } : {})
    if (terminal.json) await terminal.printJson(got)
    else {
      terminal.note(gotLine(got))
      await terminal.print(safe(terminal.quiet ? got.object : got.path, 4_096))
    }
    return exits.ok
  },
})

function gotLine({ bytes, sources, decodedSegments }: GetView): string {
  const decoded = decodedSegments === 0 ? '' : `; ${count(decodedSegments, 'segment')} made whole from other shards`
  return `${size(bytes)}  verified  from ${sourcesText(sources)}${decoded}`
}
