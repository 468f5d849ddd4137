/**
 * Checks a receipt file with nothing but the file: who promised what to whom, that every receipt follows from the lease and from the
 * one before, and who signed. No peer, no network, no clock. README.md beside this file says what a file holds.
 */
import { equals, fromString, toString } from 'uint8arrays'
import { z } from 'zod'

import { openResult } from '../execute/result.ts'
import { leaseIdOf, openAccept, openAward, openCommit, type Award, type Notary } from '../negotiate/index.ts'
import { Fault, formatMicro, hashOfEnvelope, tariffOf, type Facts, type Signed, type Tariff } from '../wire/index.ts'
import { openCountersignature, openDispute, openReceipt } from './codec.ts'
import {
  FileError,
  bytesOf,
  networkText,
  parseAs,
  receiptEntries,
  receiptsMax,
  statement,
  verifierOf,
  type Enter,
  type FileForm,
} from './form.ts'
import { amountOwed, noUsage, usageNames, type Receipt, type Usage } from './messages.ts'

const receiptFileSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('pleach-receipts'),
  network: networkText,
  lease: z.strictObject({ award: statement, accept: statement, commit: statement }),
  result: statement.nullable(),
  receipts: receiptEntries,
  disputes: z.array(statement).max(receiptsMax),
})

/** Statements are the base64 of envelopes. */
export type ReceiptFile = z.infer<typeof receiptFileSchema>

/** What a file that holds says. Amounts are decimal text in `unit`, times milliseconds since the epoch. */
export interface Account {
  readonly network: string
  /** Hex. */
  readonly lease: string
  readonly job: string
  readonly slot: number
  readonly epoch: number
  readonly provider: string
  readonly requester: string
  readonly agreedMs: number
  /** When the last receipt was issued; null before the first. */
  readonly lastMs: number | null
  readonly unit: string
  readonly tariff: Tariff
  readonly cpuMilli: number
  readonly ceiling: string
  readonly receipts: number
  readonly bothSigned: number
  /** Of the last receipt that both have signed: what is owed. */
  readonly payable: string
  readonly usage: Usage
  /** Of the last receipt of all, which the provider alone may have signed. */
  readonly claimed: { readonly amount: string; readonly usage: Usage }
  readonly final: boolean
  /** CID of the result document; empty while no receipt names one. */
  readonly result: string
  /** From the result document, when it is in the file. */
  readonly ended: { readonly reason: string; readonly exitCode: number | null } | null
  readonly disputes: readonly DisputeOf[]
}

export interface DisputeOf {
  readonly sequence: number
  readonly code: string
  readonly facts: Facts
  readonly issuedMs: number
  /** Both have signed that receipt, or a later one. */
  readonly resolved: boolean
}

interface Lease {
  readonly id: string
  readonly requester: string
  readonly award: Award
}

/** Throws a Fault or a FileError, and says by `enter` where. */
export function checkFile(file: ReceiptFile, enter: Enter): Account {
  const notary = verifierOf(file.network)
  const lease = checkLease(notary, file, enter)
  const { provider, job, slot, epoch, unit, cpuMilli, ceilingMicro, issuedMs } = lease.award
  enter('result')
  const result = file.result === null ? null : openResult(notary, bytesOf(file.result))
  if (result !== null && !(result.by === provider && isSamePlace(result.body, { ...lease.award, lease: lease.id })))
    throw new Fault('FIELD_INVALID', 'the result is of another lease')

  const chain: Signed<Receipt>[] = []
  let payable: Receipt | undefined
  let bothSigned = 0
  for (const [index, entry] of file.receipts.entries()) {
    enter(`receipts.${index}.receipt`)
    const receipt = openReceipt(notary, bytesOf(entry.receipt))
    checkNext(lease, chain, receipt)
    if (receipt.body.final && result !== null && receipt.body.result !== result.cid)
      throw new FileError('RESULT_DIFFERS', 'the final receipt names another result')
    chain.push(receipt)
    if (entry.countersignature === null) continue
    enter(`receipts.${index}.countersignature`)
    const counter = openCountersignature(notary, bytesOf(entry.countersignature))
    if (counter.by !== lease.requester)
      throw new Fault('SIGNER_UNEXPECTED', 'the countersignature is not by the requester')
    if (!isOf(counter.body, receipt)) throw new Fault('CHAIN_BROKEN', 'the countersignature is of another receipt')
    payable = receipt.body
    bothSigned++
  }
  const disputes = file.disputes.map((one, index) => {
    enter(`disputes.${index}`)
    return checkDispute(notary, lease, chain, payable?.sequence ?? 0, bytesOf(one))
  })
  const last = chain.at(-1)?.body
  return {
    network: file.network,
    lease: lease.id,
    job,
    slot,
    epoch,
    provider,
    requester: lease.requester,
    agreedMs: issuedMs,
    lastMs: last?.issuedMs ?? null,
    unit,
    tariff: tariffOf(lease.award),
    cpuMilli,
    ceiling: formatMicro(ceilingMicro),
    receipts: chain.length,
    bothSigned,
    payable: formatMicro(payable?.amountMicro ?? 0),
    usage: payable?.usage ?? noUsage,
    claimed: { amount: formatMicro(last?.amountMicro ?? 0), usage: last?.usage ?? noUsage },
    final: last?.final ?? false,
    result: last?.result ?? '',
    ended: result === null ? null : { reason: result.body.reason, exitCode: result.body.exitCode },
    disputes,
  }
}

function checkLease(notary: Notary, { lease: statements }: ReceiptFile, enter: Enter): Lease {
  enter('lease.award')
  const award = openAward(notary, bytesOf(statements.award))
  const id = leaseIdOf(award.envelope)
  enter('lease.accept')
  const accept = openAccept(notary, bytesOf(statements.accept))
  if (accept.by !== award.body.provider)
    throw new Fault('SIGNER_UNEXPECTED', 'the ACCEPT is not signed by the provider that the AWARD names')
  if (toString(accept.body.lease, 'hex') !== id) throw new Fault('FIELD_INVALID', 'the ACCEPT is of another lease')
  enter('lease.commit')
  const commit = openCommit(notary, bytesOf(statements.commit))
  if (commit.by !== award.by) throw new Fault('SIGNER_UNEXPECTED', 'the COMMIT is not signed by the requester')
  if (toString(commit.body.lease, 'hex') !== id) throw new Fault('FIELD_INVALID', 'the COMMIT is of another lease')
  if (!equals(commit.body.accept, hashOfEnvelope(accept.envelope)))
    throw new Fault('FIELD_INVALID', 'the COMMIT is of another ACCEPT')
  return { id, requester: award.by, award: award.body }
}

function checkNext({ id, requester, award }: Lease, chain: readonly Signed<Receipt>[], receipt: Signed<Receipt>): void {
  const { body } = receipt
  const last = chain.at(-1)
  if (receipt.by !== award.provider) throw new Fault('SIGNER_UNEXPECTED', 'the receipt is not signed by the provider')
  const isOfLease =
    isSamePlace(body, { ...award, lease: id }) && body.requester === requester && body.unit === award.unit
  if (!isOfLease) throw new Fault('FIELD_INVALID', 'the receipt is of another lease')
  const known = chain[body.sequence - 1]
  if (known !== undefined) {
    throw equals(known.envelope, receipt.envelope)
      ? new FileError('REPLAYED', 'a receipt that came before comes again')
      : new Fault('EQUIVOCATION', 'two different receipts with one number')
  }
  if (last?.body.final === true) throw new Fault('OUT_OF_TURN', 'a receipt follows the final one')
  if (body.sequence !== chain.length + 1) throw new Fault('SEQUENCE_GAP', 'a receipt before this one is missing')
  const previous = last === undefined ? fromString(id, 'hex') : hashOfEnvelope(last.envelope)
  if (!equals(body.previous, previous)) throw new Fault('CHAIN_BROKEN', 'the receipt does not name the one before it')
  const before = last?.body.usage ?? noUsage
  if (usageNames.some((name) => body.usage[name] < before[name]))
    throw new Fault('USAGE_FELL', 'the receipt states less than the one before it')
  if (body.amountMicro !== amountOwed(award, body.usage))
    throw new Fault('OVERCHARGED', 'the amount does not follow from the lease and the usage')
}

function checkDispute(
  notary: Notary,
  lease: Lease,
  chain: readonly Signed<Receipt>[],
  signedUpTo: number,
  envelope: Uint8Array,
): DisputeOf {
  const { by, body } = openDispute(notary, envelope)
  if (by !== lease.requester) throw new Fault('SIGNER_UNEXPECTED', 'the dispute is not by the requester')
  const disputed = chain[body.sequence - 1]
  if (disputed === undefined || !isOf(body, disputed))
    throw new Fault('CHAIN_BROKEN', 'the dispute is of a receipt that is not here')
  const { sequence, refusal, issuedMs } = body
  return { sequence, ...refusal, issuedMs, resolved: signedUpTo >= sequence }
}

interface Place {
  readonly lease: string
  readonly job: string
  readonly slot: number
  readonly epoch: number
}

function isSamePlace(one: Place, other: Place): boolean {
  return one.lease === other.lease && one.job === other.job && one.slot === other.slot && one.epoch === other.epoch
}

/** Whether a countersignature or a dispute names this receipt. */
function isOf(
  answer: { readonly lease: string; readonly sequence: number; readonly receipt: Uint8Array },
  receipt: Signed<Receipt>,
): boolean {
  return (
    answer.lease === receipt.body.lease &&
    answer.sequence === receipt.body.sequence &&
    equals(answer.receipt, hashOfEnvelope(receipt.envelope))
  )
}

export const workFile: FileForm<'pleach-receipts', ReceiptFile, Account> = {
  kind: 'pleach-receipts',
  credentialType: 'PleachReceiptCredential',
  evidenceType: 'PleachReceiptFile',
  parties: ['provider', 'requester'],
  parse: (value, enter) => parseAs(receiptFileSchema, value, enter),
  check: checkFile,
}
