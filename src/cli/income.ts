/** What both have signed, added up by job, by day or by peer, for `pleach earnings` and `pleach cost`. Units are never added up. */
import { exits } from '../config/error.ts'
import { parseDurationMs } from '../config/quantities.ts'
import type { IncomeGroup, IncomeView } from '../control/api.ts'
import { defineCommand, type Command } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count, named, shortJob, span } from './format.ts'
import { usage } from './problem.ts'
import { quantityFlag } from './quantity-flag.ts'
import { table } from './table.ts'

const incomeGroups = ['job', 'day', 'peer'] as const satisfies IncomeGroup[]

/** `role`: the side that this peer had in the leases. */
export function incomeCommand(name: string, role: IncomeView['role'], about: readonly string[]): Command {
  return defineCommand({
    usage: `${name} [flags]`,
    about: [...about, 'A day is one of UTC; a job that is worked over midnight is in both, with its part.'],
    flags: {
      by: { type: 'text', placeholder: 'WHAT', about: `${incomeGroups.join(', ')} (default day)` },
      since: {
        type: 'text',
        placeholder: 'TIME',
        about: 'only what came in this time, such as 7d or 12h (default: all)',
      },
    },
    takes: [],
    async run(invocation) {
      const { flags, terminal } = invocation
      const by = incomeGroups.find((one) => one === (flags.by ?? 'day'))
      if (by === undefined) {
        const cure = `pleach ${name} --by day`
        throw usage(`--by ${safe(flags.by ?? '', 40)} is not one`, `it is one of ${incomeGroups.join(', ')}`, cure)
      }
      const forMs = quantityFlag('--since', flags.since, parseDurationMs)
      const client = await connect(invocation)
      const view = await client.money.income({
        role,
        by,
        sinceMs: forMs === undefined ? 0 : Math.max(0, Date.now() - forMs),
      })
      if (terminal.json) await terminal.printJson(view)
      else if (terminal.quiet) await terminal.print(...view.rows.map(({ key }) => safe(key)))
      else if (view.rows.length === 0) terminal.note(role === 'provider' ? 'nothing earned yet' : 'nothing spent yet')
      else await terminal.print(...incomeLines(view, Date.now()))
      return exits.ok
    },
  })
}

const headings: Readonly<Record<IncomeGroup, string>> = { job: 'JOB', day: 'DAY', peer: 'WITH' }

function incomeLines({ by, rows, totals }: IncomeView, nowMs: number): string[] {
  const lines = table(
    [headings[by], '>AMOUNT', 'UNIT', '>LEASES', '>AGE'],
    rows.map((row) => [
      row.other !== null ? named(row.other) : by === 'job' ? shortJob(row.key) : safe(row.key),
      safe(row.amount, 24),
      safe(row.unit, 20),
      String(row.leases),
      span(Math.max(0, nowMs - row.lastMs)),
    ]),
  )
  for (const { amount, unit, shares } of totals) {
    lines.push(
      '',
      `${safe(amount, 24)} ${safe(unit, 20)} in all, ${count(rows.filter((row) => row.unit === unit).length, by)}`,
    )
    for (const { owner, amount: part } of shares)
      lines.push(`  ${safe(owner, 64)}  ${safe(part, 24)} ${safe(unit, 20)}`)
  }
  return lines
}
