/** `pleach repair OBJECT`: make lost shards again, and place them with others. */
import { exits } from '../config/error.ts'
import type { RepairView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count, named } from './format.ts'
import { withProgress } from './progress.ts'

export const command = defineCommand({
  usage: 'repair [flags] OBJECT',
  about: [
    'Audits an object, makes the shards again that nobody has, from any K that are left, and places them with other keepers. Needs',
    'no key: OBJECT is an id of pleach ls, or a pleach:read:… or pleach:verify:… string. The id of the object stays. Exit 4 when',
    'some found no keeper.',
  ],
  flags: {},
  takes: ['OBJECT'],
  async run(invocation) {
    const { terminal, positionals, signal } = invocation
    const client = await connect(invocation)
    const object = positionals[0]!
    const repaired = await withProgress(client, terminal, safe(object.slice(-8)), async (watched) =>
      client.repair({ object, ...watched }, signal),
    )
    if (terminal.json) await terminal.printJson(repaired)
    else {
      terminal.note(...repairLines(repaired))
      await terminal.print(safe(repaired.object))
    }
    return repaired.missing.length > 0 ? exits.noMatch : exits.ok
  },
})

function repairLines({
  name,
  n,
  healthyBefore,
  healthyAfter,
  repaired,
  missing,
  why,
  lossesBorne,
}: RepairView): string[] {
  if (healthyBefore === n) return [`${safe(name, 40)}  all ${n} shards are healthy; nothing to do`]
  const placed = repaired.map(({ shard, keeper }) => `${shard} at ${named(keeper)}`).join(', ')
  return [
    `${safe(name, 40)}  ${healthyBefore} of ${n} shards were healthy, now ${healthyAfter}; any ${count(lossesBorne, 'keeper')} may be lost`,
    ...(placed === '' ? [] : [`made again: ${placed}`]),
    ...(missing.length === 0 ? [] : [`! ${count(missing.length, 'shard')} found no keeper: ${safe(why, 400)}`]),
  ]
}
