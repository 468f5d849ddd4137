/** `pleach receipt show|verify|export`: the receipts of one lease, or of one account of storage, to be read, checked or given to others. */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'

import { exits } from '../config/error.ts'
import { didYouMean } from '../config/nearest.ts'
import type { HoldsView, StorageHoldsView } from '../control/api.ts'
import { defineCommand, type Invocation } from './command.ts'
import { connect, type Connecting } from './connect.ts'
import { safe } from './escape.ts'
import { Failure, usage } from './problem.ts'
import { accountLines, verifiedLines } from './receipt-lines.ts'
import { storageAccountLines, verifiedStorageLines } from './storage-receipt-lines.ts'

const verbs = ['show', 'verify', 'export']
const forms = ['json', 'vc']
const fileBytesMax = 256 * 2 ** 20

const flags = {
  network: {
    type: 'text',
    placeholder: 'NAME',
    about: 'of verify: the network whose receipts count; those of any other do not hold',
  },
  as: {
    type: 'text',
    placeholder: 'FORM',
    about: 'of export: json, the receipt file; or vc, a W3C verifiable credential with the file inside',
  },
  output: {
    type: 'text',
    short: 'o',
    placeholder: 'FILE',
    about: 'of export: the file to write; left out, or -, is stdout',
  },
} as const

type Given = Invocation<typeof flags>

export const command = defineCommand({
  usage: 'receipt show ID  |  receipt verify ID|FILE|- [--network NAME]  |  receipt export ID [--as json|vc] [-o FILE]',
  about: [
    "ID is the beginning of the id of a lease, a job or a receipt, or the end of a job's, as other commands show it; or of an",
    'account of pleach receipts --storage: who kept and carried how much for whom in a month. Nothing is owed by that.',
    'show    who did what for whom, when; what was used, at which prices, what it comes to; what is signed and what disputed',
    'verify  checks the receipts with nothing but the file (- is stdin): no peer and no network are needed. An ID that is no',
    '        file is asked of the running peer, and checked here just the same. Exit 3 when it does not hold.',
    'export  the file with the lease and all its receipts, to be kept or given to others; anybody can check it, in a browser',
    '        too (examples/verify.html). --as vc: signed once more, by this peer, in the form that wallets of credentials read.',
  ],
  flags,
  takes: ['show, verify or export', 'ID or FILE'],
  async run(invocation) {
    const [verb = '', what = ''] = invocation.positionals
    const { as, output } = invocation.flags
    if (!verbs.includes(verb)) {
      throw usage(
        `pleach receipt ${JSON.stringify(verb)} is not known`,
        `there are ${verbs.join(', ')}${didYouMean(verb, verbs)}`,
        'pleach receipt --help',
      )
    }
    if (verb !== 'export' && (as !== undefined || output !== undefined))
      throw usage(`pleach receipt ${verb} writes no file`, '--as and -o are of export', `pleach receipt export ${what}`)
    if (verb !== 'verify' && invocation.flags.network !== undefined)
      throw usage(`pleach receipt ${verb} compares nothing`, '--network is of verify', `pleach receipt verify ${what}`)
    if (verb === 'show') return show(invocation, what)
    return verb === 'verify' ? verifyAndTell(invocation, what) : exportReceipts(invocation, what)
  },
})

/** What is in the ledger is checked before it is shown: a disk may have changed it. */
async function show(invocation: Given, id: string): Promise<number> {
  const { terminal } = invocation
  const client = await connect(invocation)
  const account = await verified(await client.receiptFile(id))
  if (account.kind === 'pleach-storage-receipts') return showStorage(invocation, account)
  const [view] = await client.receipts({ lease: account.lease })
  const { billOf } = await import('../../protocols/receipt/verify.ts')
  const bill = billOf(account)
  if (terminal.json) {
    const names = { role: view?.role ?? null, other: view?.other ?? null }
    await terminal.printJson({ v: 1, ...names, ...account, bill })
  } else if (terminal.quiet) await terminal.print(safe(account.lease))
  else await terminal.print(...accountLines(account, bill, view))
  return exits.ok
}

async function showStorage(invocation: Given, held: StorageHoldsView): Promise<number> {
  const { terminal } = invocation
  const views = await (await connect(invocation)).storageReceipts()
  const view = views.find(({ account }) => account === held.account)
  if (terminal.json) {
    await terminal.printJson({ v: 1, role: view?.role ?? null, other: view?.other ?? null, ...held })
  } else if (terminal.quiet) await terminal.print(safe(held.account))
  else await terminal.print(...storageAccountLines(held, view))
  return exits.ok
}

async function verifyAndTell(invocation: Given, what: string): Promise<number> {
  const { terminal } = invocation
  const verdict = await verified(await receiptFile(what, invocation), invocation.flags.network)
  const isOfStorage = verdict.kind === 'pleach-storage-receipts'
  if (terminal.json) await terminal.printJson({ v: 1, ...verdict })
  else if (terminal.quiet) await terminal.print(safe(isOfStorage ? verdict.account : verdict.lease))
  else await terminal.print(...(isOfStorage ? verifiedStorageLines(verdict) : verifiedLines(verdict)))
  return exits.ok
}

async function exportReceipts(invocation: Given, id: string): Promise<number> {
  const { terminal, flags: given } = invocation
  const { as = 'json', output = '-' } = given
  if (!forms.includes(as))
    throw usage(`--as ${as} is not known`, `there are ${forms.join(' and ')}${didYouMean(as, forms)}`, '--as vc')
  const client = await connect(invocation)
  const made = as === 'vc' ? await client.receiptCredential(id) : await client.receiptFile(id)
  if (output === '-') {
    // A file to be kept: laid out for reading, the same with --json or without.
    await terminal.printJson(made, 2)
    return exits.ok
  }
  const path = resolve(output)
  try {
    await writeFile(path, `${JSON.stringify(made, null, 2)}\n`, { flag: 'wx' })
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw usage(
      `${output} cannot be written`,
      isThere ? 'something is there, and nothing is overwritten' : (error as Error).message,
      `pleach receipt export ${id} -o ANOTHER-FILE`,
    )
  }
  if (terminal.json) await terminal.printJson({ v: 1, path, form: as })
  else {
    terminal.note(`written; whoever has it can check it: pleach receipt verify ${safe(output, 4_096)}`)
    await terminal.print(safe(path, 4_096))
  }
  return exits.ok
}

async function verified(file: unknown, network?: string): Promise<HoldsView | StorageHoldsView> {
  const { verifyAnyFile } = await import('../../protocols/storage/verify.ts')
  const verdict = verifyAnyFile(file, network)
  if (verdict.ok) return verdict
  const { code, problem, at } = verdict
  throw new Failure({
    code: 'NOT_VERIFIED',
    what: 'the receipts do not hold',
    why: `at ${at}: ${problem} (${code})`,
    cure: `believe nothing that they say; what that is: pleach explain ${code}`,
    exit: exits.unverified,
    also: { verdict },
  })
}

async function receiptFile(what: string, connecting: Connecting): Promise<unknown> {
  if (what !== '-' && !existsSync(what)) {
    // An id is a word of letters and digits; anything else was meant as a file.
    if (/^[0-9a-z]{2,80}$/.test(what)) return (await connect(connecting)).receiptFile(what)
    throw usage(`${what} cannot be read`, 'there is no such file', 'pleach receipts')
  }
  const name = what === '-' ? 'stdin' : what
  let read: string
  try {
    read = what === '-' ? await text(process.stdin) : await readFile(what, 'utf8')
  } catch (error) {
    throw usage(`${name} cannot be read`, (error as Error).message, 'pleach receipts')
  }
  try {
    if (read.length > fileBytesMax) throw new RangeError(`it is over ${fileBytesMax} bytes`)
    return JSON.parse(read) as unknown
  } catch (error) {
    const why = read.trim() === '' ? 'it is empty' : (error as Error).message.replaceAll(/\s+/g, ' ')
    throw new Failure({
      code: 'NOT_VERIFIED',
      what: `${name} is not a receipt file`,
      why,
      cure: 'pleach receipt export ID -o FILE',
      exit: exits.unverified,
    })
  }
}
