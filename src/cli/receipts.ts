/** `pleach receipts`: what was promised and paid. */
import { exits } from '../config/error.ts'
import type { ReceiptView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { named, shortJob, shortLease, span } from './format.ts'
import { table } from './table.ts'

export const command = defineCommand({
  usage: 'receipts [flags]',
  about: ['The leases of this peer, newest first, with what is owed and whether both sides have signed it.'],
  flags: {},
  takes: [],
  async run(invocation) {
    const { terminal } = invocation
    const client = await connect(invocation)
    const receipts = await client.receipts()
    if (terminal.json) await terminal.printJson({ v: 1, receipts })
    else if (terminal.quiet) await terminal.print(...receipts.map(({ lease }) => safe(lease)))
    else if (receipts.length === 0) terminal.note('no receipts yet')
    else await terminal.print(...receiptLines(receipts, Date.now()))
    return exits.ok
  },
})

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
      receipt.final ? 'final' : 'open',
      span(nowMs - receipt.updatedMs),
    ]),
  )
}
