/** `pleach ls`: the objects whose keys are here. */
import { exits } from '../config/error.ts'
import type { ObjectView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { size, span } from './format.ts'
import { table } from './table.ts'

export const command = defineCommand({
  usage: 'ls [flags]',
  about: [
    'The objects that this peer put, or was given the key of, newest first. HEALTHY is of the last audit; LOSSES is how many keepers',
    'may be lost, whichever they are, as far as they keep their word.',
  ],
  flags: {},
  takes: [],
  async run(invocation) {
    const { terminal } = invocation
    const objects = await (await connect(invocation)).objects()
    if (terminal.json) await terminal.printJson({ v: 1, objects })
    else if (terminal.quiet) await terminal.print(...objects.map(({ object }) => safe(object)))
    else if (objects.length === 0) terminal.note('no objects yet; pleach put PATH keeps one')
    else await terminal.print(...objectLines(objects, Date.now()))
    return exits.ok
  },
})

function objectLines(objects: readonly ObjectView[], nowMs: number): string[] {
  return table(
    ['OBJECT', 'NAME', '>SIZE', 'CODE', '>KEEPERS', '>LOSSES', 'HEALTHY', '>KEPT FOR', '>AGE'],
    objects.map((object) => [
      safe(object.object.slice(-8)),
      `${safe(object.name, 40)}${object.folder ? '/' : ''}`,
      size(object.bytes),
      object.code,
      String(object.keepers),
      object.lossesBorne < 0 ? '-' : String(object.lossesBorne),
      object.healthy === null ? 'not audited' : `${object.healthy} of ${object.n}`,
      object.kept ? span(Math.max(0, object.keptUntilMs - nowMs)) : 'by others',
      span(nowMs - object.createdMs),
    ]),
  )
}
