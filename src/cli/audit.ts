/** `pleach audit OBJECT`: whether its keepers still have what they promised. */
import { exits } from '../config/error.ts'
import type { AuditView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count, named, span } from './format.ts'
import { operatorLines } from './kept.ts'
import { table } from './table.ts'

export const command = defineCommand({
  usage: 'audit [flags] OBJECT',
  about: [
    'Asks each keeper for 32 blocks of its shard, picked by chance, with their proofs. OBJECT is an id of pleach ls, or a',
    'pleach:read:… or pleach:verify:… string. absent: the keeper did not answer, which says nothing of the shard. Exit 3 when too',
    'few shards are there to read it.',
  ],
  flags: {},
  takes: ['OBJECT'],
  async run(invocation) {
    const { terminal, positionals, signal } = invocation
    const client = await connect(invocation)
    const audit = await client.audit(positionals[0]!, signal)
    if (terminal.json) await terminal.printJson(audit)
    else if (terminal.quiet) await terminal.print(safe(audit.object))
    else {
      await terminal.print(...auditLines(audit, Date.now()))
      terminal.note(...verdictLines(audit), ...operatorLines(audit.operatorsBorne))
    }
    return audit.healthy < audit.k ? exits.unverified : exits.ok
  },
})

function auditLines({ results }: AuditView, nowMs: number): string[] {
  return table(
    ['>SHARD', 'KEEPER', 'VERDICT', 'WHY', '>KEPT FOR'],
    results.map(({ shard, keeper, verdict, reason, keptUntilMs }) => [
      String(shard),
      named(keeper),
      verdict,
      reason === '' ? '-' : safe(reason, 60),
      span(Math.max(0, keptUntilMs - nowMs)),
    ]),
  )
}

function verdictLines({ healthy, k, n, missing, repairAt, lossesBorne, object, name }: AuditView): string[] {
  const repair = `pleach repair ${safe(object.slice(-8))}`
  const head = `${safe(name, 40)}  ${healthy} of ${n} shards healthy, any ${k} enough`
  if (healthy === n) return [`${head}; any ${count(lossesBorne, 'keeper')} may be lost`]
  const lost = `missing ${missing.join(', ')}`
  if (healthy < k) return [`${head}: it cannot be read now; ${lost}`]
  const when = healthy <= repairAt ? 'now' : `it begins by itself at ${repairAt}`
  return [
    `${head}; ${lost}; any ${count(lossesBorne, 'keeper')} more may be lost`,
    `${repair}   makes them again (${when})`,
  ]
}
