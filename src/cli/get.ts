/** `pleach get OBJECT -o PATH`: fetch what was put, here or elsewhere. */
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { exits } from '../config/error.ts'
import type { GetView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count, named, size } from './format.ts'
import { usage } from './problem.ts'
import { withProgress } from './progress.ts'
import type { Terminal } from './terminal.ts'

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
      withProgress(client, terminal, safe(object.slice(-8)), async (watched) =>
        client.get({ object, path, ...folder, ...watched }, signal),
      )
    if (output === '-') return toStdout(terminal, async (path) => get(path, { unpack: false }))
    const got = await get(resolve(output), unpack ? { unpack } : {})
    if (terminal.json) await terminal.printJson(got)
    else {
      terminal.note(gotLine(got))
      await terminal.print(safe(terminal.quiet ? got.object : got.path, 4_096))
    }
    return exits.ok
  },
})

/** Nothing is shown that is not verified, so it goes by a file. */
async function toStdout(terminal: Terminal, get: (path: string) => Promise<GetView>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'pleach-get-'))
  try {
    const path = join(folder, 'object')
    const got = await get(path)
    terminal.note(gotLine(got))
    for await (const chunk of createReadStream(path)) await terminal.data(chunk as Buffer)
    return exits.ok
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function gotLine({ bytes, sources, decodedSegments }: GetView): string {
  const from = sources.map((source) => `${named(source.peer)} ${size(source.bytes)}`).join(', ')
  const decoded = decodedSegments === 0 ? '' : `; ${count(decodedSegments, 'segment')} made whole from other shards`
  return `${size(bytes)}  verified  from ${from === '' ? 'this peer alone' : from}${decoded}`
}
