/** `pleach get OBJECT -o PATH`: fetch what was put. */
import { resolve } from 'node:path'

import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count, named, size } from './format.ts'
import { usage } from './problem.ts'

export const command = defineCommand({
  usage: 'get [flags] OBJECT -o PATH',
  about: ['OBJECT is an id that pleach put printed, or a pleach:read:… that somebody gave. Every block is verified.'],
  flags: { output: { type: 'text', short: 'o', placeholder: 'PATH', about: 'the file to write' } },
  takes: ['OBJECT'],
  async run(invocation) {
    const { terminal, positionals, flags, signal } = invocation
    const { output } = flags
    if (output === undefined)
      throw usage('pleach get needs -o PATH', 'the file to write was not given', 'pleach get OBJECT -o PATH')
    const client = await connect(invocation)
    const got = await client.get({ object: positionals[0]!, path: resolve(output) }, signal)
    if (terminal.json) await terminal.printJson(got)
    else {
      const sources = got.sources.map((source) => `${named(source.peer)} ${size(source.bytes)}`).join(', ')
      const decoded =
        got.decodedSegments === 0 ? '' : `; ${count(got.decodedSegments, 'segment')} made whole from other shards`
      terminal.note(`${size(got.bytes)}  verified  from ${sources === '' ? 'this peer alone' : sources}${decoded}`)
      await terminal.print(safe(terminal.quiet ? got.object : got.path, 4_096))
    }
    return exits.ok
  },
})
