/** `pleach receipt show LEASE` and `pleach receipt verify FILE|-|LEASE`. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'

import { exits } from '../config/error.ts'
import { didYouMean } from '../config/nearest.ts'
import { defineCommand } from './command.ts'
import { connect, type Connecting } from './connect.ts'
import { safe } from './escape.ts'
import { count, shortJob, shortLease, shortPeer } from './format.ts'
import { Failure, usage } from './problem.ts'

const verbs = ['show', 'verify']

export const command = defineCommand({
  usage: 'receipt show LEASE  |  receipt verify FILE|-|LEASE',
  about: [
    'show    prints the file with the lease and all its receipts, to be kept or given to others',
    'verify  checks such a file (- is stdin) with nothing but the file: no peer and no network are needed. A LEASE that is',
    '        no file is asked of the running peer, and checked here just the same. Exit 3 when it does not hold.',
  ],
  flags: {},
  takes: ['show or verify', 'LEASE or FILE'],
  async run(invocation) {
    const { terminal, positionals } = invocation
    const [verb = '', what = ''] = positionals
    if (!verbs.includes(verb)) {
      throw usage(
        `pleach receipt ${JSON.stringify(verb)} is not known`,
        `there are ${verbs.join(' and ')}${didYouMean(verb, verbs)}`,
        'pleach receipt --help',
      )
    }
    if (verb === 'show') {
      const client = await connect(invocation)
      // A file to be kept: laid out for reading, the same with --json or without.
      await terminal.printJson(await client.receiptFile(what), 2)
      return exits.ok
    }
    const { verifyReceiptFile } = await import('../../protocols/receipt/verify.ts')
    const verdict = verifyReceiptFile(await receiptFile(what, invocation))
    if (!verdict.ok) {
      const { problem, at } = verdict
      throw new Failure({
        code: 'NOT_VERIFIED',
        what: 'the receipts do not hold',
        why: `at ${at}: ${problem}`,
        cure: 'believe nothing that it says; ask whoever gave it to you for another',
        exit: exits.unverified,
        also: { verdict: { ok: false, problem, at } },
      })
    }
    if (terminal.json) await terminal.printJson({ v: 1, ...verdict })
    else if (terminal.quiet) await terminal.print(safe(verdict.lease))
    else {
      const { lease, job, provider, requester, receipts, bothSigned, final, amount, unit, result } = verdict
      const owed = `${safe(amount)} ${safe(unit)}`
      await terminal.print(
        `verified  lease ${shortLease(lease)}  job ${shortJob(job)}  ${final ? 'final' : 'not final'}`,
        `  ${shortPeer(provider)} worked for ${shortPeer(requester)}: ${owed}`,
        `  ${count(receipts, 'receipt')} signed by the provider, ${bothSigned} by both`,
        `  result ${result === '' ? 'not named' : safe(result)}`,
      )
    }
    return exits.ok
  },
})

async function receiptFile(what: string, connecting: Connecting): Promise<unknown> {
  if (what !== '-' && !existsSync(what)) {
    // An id of a lease or of a job is a word of letters and digits; anything else was meant as a file.
    if (/^[0-9a-z]{2,80}$/.test(what)) return (await connect(connecting)).receiptFile(what)
    throw usage(`${what} cannot be read`, 'there is no such file', 'pleach receipts')
  }
  try {
    return JSON.parse(what === '-' ? await text(process.stdin) : await readFile(what, 'utf8')) as unknown
  } catch (error) {
    throw new Failure({
      code: 'NOT_VERIFIED',
      what: `${what === '-' ? 'stdin' : what} is not a receipt file`,
      why: (error as Error).message.replaceAll(/\s+/g, ' '),
      cure: 'pleach receipt show LEASE > FILE',
      exit: exits.unverified,
    })
  }
}
