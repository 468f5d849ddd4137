/** `pleach statements`: who owes whom, by what both have signed. */
import { exits } from '../config/error.ts'
import type { AccountView, StatementsView, StatementView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { named, shortLease, span } from './format.ts'
import { table } from './table.ts'

export const command = defineCommand({
  usage: 'statements [flags]',
  about: [
    'With each peer that there is a receipt with: what all statements that both have signed come to, who owes it, and what is not settled',
    'yet. Then the statements, newest first. pleach settle makes a new one now; otherwise one is made about once an hour.',
  ],
  flags: {},
  takes: [],
  async run(invocation) {
    const { terminal } = invocation
    const view = await (await connect(invocation)).money.statements()
    if (terminal.json) await terminal.printJson(view)
    else if (terminal.quiet) await terminal.print(...view.statements.map(({ id }) => safe(id)))
    else await terminal.print(...viewLines(view, Date.now()))
    if (view.accounts.length === 0) terminal.note('no accounts yet: there is no receipt with anybody')
    if (view.method === 'none') terminal.note('nothing is settled here: --settlement none')
    return exits.ok
  },
})

export const owesWords: Readonly<Record<AccountView['owes'], string>> = { we: 'we', they: 'they', nobody: '-' }

function viewLines({ accounts, statements }: StatementsView, nowMs: number): string[] {
  return [
    ...(accounts.length === 0 ? [] : accountLines(accounts)),
    ...(statements.length === 0 ? [] : ['', ...statementLines(statements, nowMs)]),
  ]
}

function accountLines(accounts: readonly AccountView[]): string[] {
  return table(
    ['WITH', '>AGREED', 'OWE', '>NOT SETTLED', 'OWE', '>LEASES', 'UNIT', 'STATE'],
    accounts.map((account) => [
      named(account.other),
      safe(account.net, 24),
      owesWords[account.owes],
      safe(account.unsettled, 24),
      owesWords[account.unsettledOwes],
      String(account.unsettledLeases),
      safe(account.unit, 20),
      account.state,
    ]),
  )
}

export function statementLines(statements: readonly StatementView[], nowMs: number): string[] {
  const lines = table(
    ['ID', '>NO', 'WITH', '>PERIOD', '>LEASES', '>EARNED', '>SPENT', '>NET', 'OWE', 'UNIT', '>DISPUTED', '>AGE'],
    statements.map((statement) => [
      shortLease(statement.id),
      String(statement.number),
      named(statement.other),
      statement.fromMs === null ? 'first' : span(Math.max(0, statement.untilMs - statement.fromMs)),
      String(statement.leases),
      safe(statement.earned, 24),
      safe(statement.spent, 24),
      safe(statement.net, 24),
      owesWords[statement.owes],
      safe(statement.unit, 20),
      String(statement.disputed.length),
      span(Math.max(0, nowMs - statement.untilMs)),
    ]),
  )
  for (const { id, unit, disputed, forfeits, shares } of statements) {
    for (const { lease, code, weHold, theyHold } of disputed)
      lines.push(
        `${shortLease(id)}  disputed ${shortLease(lease)} ${safe(code, 40)}: we hold ${safe(weHold, 24)}, they ${safe(theyHold, 24)} ${safe(unit, 20)}`,
      )
    for (const { lease, by, bond } of forfeits)
      lines.push(
        `${shortLease(id)}  bond of ${shortLease(lease)} forfeited by ${by === 'we' ? 'us' : 'them'}: ${safe(bond, 24)} ${safe(unit, 20)}`,
      )
    for (const { owner, amount } of shares)
      lines.push(`${shortLease(id)}  ${safe(owner, 64)}  ${safe(amount, 24)} ${safe(unit, 20)}`)
  }
  return lines
}
