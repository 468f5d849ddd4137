/** `pleach receipts`: what was promised and paid. */
import { exits } from '../config/error.ts'
import { parseDurationMs } from '../config/quantities.ts'
import type { ReceiptView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { named, shortJob, shortLease, size, span } from './format.ts'
import { usage } from './problem.ts'
import { gibHours } from './storage-receipt-lines.ts'
import { table } from './table.ts'

export const command = defineCommand({
  usage: 'receipts [flags]',
  about: [
    'The leases of this peer, newest first, with what is owed and whether both sides have signed it. One of them in full:',
    'pleach receipt show LEASE; with --storage: pleach receipt show ACCOUNT.',
  ],
  flags: {
    job: { type: 'text', placeholder: 'JOB', about: 'only of this job' },
    peer: {
      type: 'text',
      placeholder: 'PEER',
      about: 'only with this peer: its petname, or a part of its id from either end',
    },
    storage: {
      type: 'switch',
      about: 'what was kept instead: for each owner or keeper and month, as both have signed it',
    },
    since: { type: 'text', placeholder: 'TIME', about: 'only what changed since: 2d, 12h, or 2026-11-01' },
  },
  takes: [],
  async run(invocation) {
    const { terminal, flags } = invocation
    const { job, peer, since, storage } = flags
    const nowMs = Date.now()
    const filter = {
      ...(job === undefined ? {} : { job }),
      ...(peer === undefined ? {} : { peer }),
      ...(since === undefined ? {} : { sinceMs: sinceMsOf(since, nowMs) }),
    }
    if (storage) return showStorage(invocation, Object.keys(filter).length > 0)
    const client = await connect(invocation)
    const receipts = await client.receipts(filter)
    if (terminal.json) await terminal.printJson({ v: 1, receipts })
    else if (terminal.quiet) await terminal.print(...receipts.map(({ lease }) => safe(lease)))
    else if (receipts.length === 0)
      terminal.note(Object.keys(filter).length === 0 ? 'no receipts yet' : 'no such receipts; all: pleach receipts')
    else await terminal.print(...receiptLines(receipts, nowMs))
    return exits.ok
  },
})

async function showStorage(invocation: Parameters<typeof connect>[0], isFiltered: boolean): Promise<number> {
  if (isFiltered) throw usage('--storage goes alone', 'what was kept belongs to no job', 'pleach receipts --storage')
  const { terminal } = invocation
  const receipts = await (await connect(invocation)).storageReceipts()
  if (terminal.json) await terminal.printJson({ v: 1, receipts })
  else if (terminal.quiet) await terminal.print(...receipts.map(({ account }) => safe(account)))
  else if (receipts.length === 0)
    terminal.note(
      'no receipts of storage yet: the first come with the second audit, or once a relay has carried something',
    )
  else
    await terminal.print(
      ...table(
        ['ACCOUNT', 'MONTH', 'ROLE', 'WITH', '>RECEIPTS', '>GIB HOURS', '>AUDITS', '>PUT', '>GOT', '>CARRIED'],
        receipts.map(
          ({
            account,
            period,
            role,
            other,
            receipts: count,
            storeMibS,
            auditsPassed,
            inBytes,
            outBytes,
            relayBytes,
          }) => [
            shortLease(account),
            safe(period),
            role,
            named(other),
            String(count),
            gibHours(storeMibS),
            String(auditsPassed),
            size(inBytes),
            size(outBytes),
            size(relayBytes),
          ],
        ),
      ),
    )
  return exits.ok
}

/** A date is a day of UTC, or whatever else of ISO 8601 was written. */
function sinceMsOf(since: string, nowMs: number): number {
  if (/^\d{4}-\d\d-\d\d/.test(since)) {
    const ms = Date.parse(since)
    if (!Number.isNaN(ms)) return Math.max(0, ms)
  } else {
    try {
      return Math.max(0, nowMs - parseDurationMs(since))
    } catch {
      // As below.
    }
  }
  throw usage(`--since ${since} is no time`, 'it takes how long ago, or a date', '--since 2d, --since 2026-11-01')
}

function receiptLines(receipts: readonly ReceiptView[], nowMs: number): string[] {
  return table(
    ['LEASE', 'JOB', 'ROLE', 'WITH', '>RECEIPTS', '>BOTH SIGNED', '>AMOUNT', 'UNIT', 'STATE', '>AGE'],
    receipts.map((receipt) => [
      shortLease(receipt.lease),
      shortJob(receipt.job),
      receipt.role,
      named(receipt.other),
      String(receipt.receipts),
      String(receipt.bothSigned),
      safe(receipt.amount, 20),
      safe(receipt.unit, 20),
      receipt.disputed === '' ? (receipt.final ? 'final' : 'open') : `disputed ${safe(receipt.disputed, 40)}`,
      span(nowMs - receipt.updatedMs),
    ]),
  )
}
