/** `pleach voucher ls`, `show ID`, `export ID FILE` and `verify FILE|-`. */
import { readFile, writeFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'

import { exits } from '../config/error.ts'
import { didYouMean } from '../config/nearest.ts'
import type { VoucherView } from '../control/api.ts'
import { defineCommand, type Invocation } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { named, shortLease, shortPeer, span } from './format.ts'
import { Failure, usage } from './problem.ts'
import { table } from './table.ts'

type NoFlags = Readonly<Record<string, never>>

const verbs = ['ls', 'show', 'export', 'verify']

export const command = defineCommand({
  usage: 'voucher ls  |  voucher show ID  |  voucher export ID FILE  |  voucher verify FILE|-',
  about: [
    'What peers have promised each other in a form that an external system can redeem (up --settlement vouchers --reward-address 0x…).',
    'ls      of each account the last voucher, which is worth all before it',
    'show    prints it as a file: typed data (EIP-712) and its signature; export writes that to FILE',
    'verify  checks such a file with nothing but the file; exit 3 when it does not hold',
  ],
  flags: {},
  takes: ['ls, show, export or verify', 'ID or FILE?', 'FILE?'],
  async run(invocation) {
    const [verb = '', what, path] = invocation.positionals
    const help = 'pleach voucher --help'
    if (!verbs.includes(verb))
      throw usage(
        `pleach voucher ${JSON.stringify(verb)} is not known`,
        `there are ${verbs.join(', ')}${didYouMean(verb, verbs)}`,
        help,
      )
    const given = [what, path].filter((one) => one !== undefined).length
    const wanted = { ls: 0, show: 1, export: 2, verify: 1 }[verb] ?? 0
    if (given !== wanted) throw usage(`pleach voucher ${verb} takes ${wanted} words`, `${given} were given`, help)
    if (verb === 'ls') return list(invocation)
    if (verb === 'verify') return verify(invocation, what ?? '')
    const file = await (await connect(invocation)).money.voucherFile(what ?? '')
    if (path === undefined) await invocation.terminal.printJson(file, 2)
    else await write(invocation, path, file)
    return exits.ok
  },
})

async function list(invocation: Invocation<NoFlags>): Promise<number> {
  const { terminal } = invocation
  const view = await (await connect(invocation)).money.vouchers()
  if (terminal.json) await terminal.printJson(view)
  else if (terminal.quiet) await terminal.print(...view.vouchers.map(({ id }) => safe(id)))
  else if (view.vouchers.length === 0)
    terminal.note(view.method === 'vouchers' ? 'no vouchers yet' : 'no vouchers here: pleach up --settlement vouchers')
  else await terminal.print(...voucherLines(view.vouchers, Date.now()))
  return exits.ok
}

function voucherLines(vouchers: readonly VoucherView[], nowMs: number): string[] {
  return table(
    ['ID', 'WAY', 'WITH', '>AMOUNT', 'UNIT', '>NO', 'MADE OUT TO', 'TAKEN', '>EXPIRES IN'],
    vouchers.map((one) => [
      shortLease(one.id),
      one.way,
      named(one.other),
      safe(one.amount, 24),
      safe(one.unit, 20),
      String(one.sequence),
      safe(one.payee, 42),
      one.acknowledged ? 'yes' : 'not yet',
      span(Math.max(0, one.expiresMs - nowMs)),
    ]),
  )
}

async function write({ terminal }: Invocation<NoFlags>, path: string, file: unknown): Promise<void> {
  try {
    await writeFile(path, `${JSON.stringify(file, undefined, 2)}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    throw new Failure({
      code: 'PATH_UNUSABLE',
      what: `${path} cannot be written`,
      why: (error as Error).message,
      cure: 'choose another path',
      exit: exits.usage,
    })
  }
  terminal.note(
    `written to ${path}: whoever has it can redeem it for the address that it is made out to, and for no other`,
  )
}

async function verify({ terminal }: Invocation<NoFlags>, what: string): Promise<number> {
  const { verifyVoucherFile } = await import('../../protocols/voucher/file.ts')
  const verdict = verifyVoucherFile(await voucherFile(what))
  if (!verdict.ok) {
    const { problem, at } = verdict
    throw new Failure({
      code: 'NOT_VERIFIED',
      what: 'the voucher does not hold',
      why: `at ${at}: ${problem}`,
      cure: 'believe nothing that it says; ask whoever gave it to you for another',
      exit: exits.unverified,
      also: { verdict: { ok: false, problem, at } },
    })
  }
  if (terminal.json) await terminal.printJson({ v: 1, ...verdict })
  else if (terminal.quiet) await terminal.print(safe(verdict.digest))
  else {
    const { peer, payer, payee, amount, unit, sequence, expiresMs } = verdict
    const isOver = expiresMs <= Date.now()
    await terminal.print(
      `verified  voucher ${sequence}: ${safe(amount)} ${safe(unit)} in all${isOver ? '  EXPIRED' : ''}`,
      `  ${safe(payer, 42)} of ${shortPeer(peer)} promises it to ${safe(payee, 42)}`,
      `  until ${new Date(expiresMs).toISOString()}`,
    )
  }
  return exits.ok
}

async function voucherFile(what: string): Promise<unknown> {
  try {
    return JSON.parse(what === '-' ? await text(process.stdin) : await readFile(what, 'utf8')) as unknown
  } catch (error) {
    throw new Failure({
      code: 'NOT_VERIFIED',
      what: `${what === '-' ? 'stdin' : safe(what, 200)} is not a voucher file`,
      why: (error as Error).message.replaceAll(/\s+/g, ' '),
      cure: 'pleach voucher export ID FILE',
      exit: exits.unverified,
    })
  }
}
