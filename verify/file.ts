/** A receipt file: who promised what to whom, that every receipt follows from the lease and from the one before, and who signed. */
import { fromBase64, isSame } from './bytes.ts'
import { openLease, type Lease } from './lease.ts'
import { need, type Enter } from './problem.ts'
import { openCountersignature, openDispute, openReceipt, type Facts, type Receipt } from './receipt.ts'
import { openResult } from './result.ts'
import { checkedFile, type FileForm, type ReceiptFile } from './shape.ts'
import { amountOwed, formatMicro, noUsage, usageNames, type Tariff, type Usage } from './tariff.ts'

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
  readonly disputes: readonly {
    readonly sequence: number
    readonly code: string
    readonly facts: Facts
    readonly issuedMs: number
    /** Both have signed that receipt, or a later one. */
    readonly resolved: boolean
  }[]
}

export const workForm: FileForm<'pleach-receipts', ReceiptFile, Account> = {
  kind: 'pleach-receipts',
  credentialType: 'PleachReceiptCredential',
  evidenceType: 'PleachReceiptFile',
  parties: ['provider', 'requester'],
  parse: checkedFile,
  check: checkFile,
}

/** Throws a Problem, and says by `enter` where. */
async function checkFile(file: ReceiptFile, enter: Enter): Promise<Account> {
  const { network } = file
  const lease = await openLease(network, (name) => fromBase64(file.lease[name]), enter)
  enter('result')
  const result = file.result === null ? null : await openResult(network, fromBase64(file.result))
  const isOfLease = result === null || (result.by === lease.provider && isSamePlace(result, lease))
  need(isOfLease, 'FIELD_INVALID', 'the result is of another lease')

  const chain: Receipt[] = []
  let payable: Receipt | undefined
  let bothSigned = 0
  for (const [index, entry] of file.receipts.entries()) {
    enter(`receipts.${index}.receipt`)
    const receipt = await openReceipt(network, fromBase64(entry.receipt))
    checkNext(lease, chain, receipt)
    const isResult = !receipt.final || result === null || receipt.result === result.cid
    need(isResult, 'RESULT_DIFFERS', 'the final receipt names another result')
    chain.push(receipt)
    if (entry.countersignature === null) continue
    enter(`receipts.${index}.countersignature`)
    await checkCountersignature(network, lease, receipt, fromBase64(entry.countersignature))
    payable = receipt
    bothSigned++
  }
  const disputes: Account['disputes'][number][] = []
  for (const [index, text] of file.disputes.entries()) {
    enter(`disputes.${index}`)
    disputes.push(await checkDispute(network, lease, chain, payable?.sequence ?? 0, fromBase64(text)))
  }
  const last = chain.at(-1)
  return {
    network,
    lease: lease.id,
    job: lease.job,
    slot: lease.slot,
    epoch: lease.epoch,
    provider: lease.provider,
    requester: lease.requester,
    agreedMs: lease.issuedMs,
    lastMs: last?.issuedMs ?? null,
    unit: lease.unit,
    tariff: lease.tariff,
    cpuMilli: lease.cpuMilli,
    ceiling: formatMicro(lease.ceilingMicro),
    receipts: chain.length,
    bothSigned,
    payable: formatMicro(payable?.amountMicro ?? 0),
    usage: payable?.usage ?? noUsage,
    claimed: { amount: formatMicro(last?.amountMicro ?? 0), usage: last?.usage ?? noUsage },
    final: last?.final ?? false,
    result: last?.result ?? '',
    ended: result === null ? null : { reason: result.reason, exitCode: result.exitCode },
    disputes,
  }
}

function checkNext(lease: Lease, chain: readonly Receipt[], receipt: Receipt): void {
  const last = chain.at(-1)
  need(receipt.by === lease.provider, 'SIGNER_UNEXPECTED', 'the receipt is not signed by the provider')
  const isOfLease = isSamePlace(receipt, lease) && receipt.requester === lease.requester && receipt.unit === lease.unit
  need(isOfLease, 'FIELD_INVALID', 'the receipt is of another lease')
  const known = chain[receipt.sequence - 1]
  if (known !== undefined) {
    need(isSame(known.hash, receipt.hash), 'EQUIVOCATION', 'two different receipts with one number')
    need(false, 'REPLAYED', 'a receipt that came before comes again')
  }
  need(last?.final !== true, 'OUT_OF_TURN', 'a receipt follows the final one')
  need(receipt.sequence === chain.length + 1, 'SEQUENCE_GAP', 'a receipt before this one is missing')
  need(
    isSame(receipt.previous, last?.hash ?? lease.idBytes),
    'CHAIN_BROKEN',
    'the receipt does not name the one before it',
  )
  const before = last?.usage ?? noUsage
  const grows = usageNames.every((name) => receipt.usage[name] >= before[name])
  need(grows, 'USAGE_FELL', 'the receipt states less than the one before it')
  const owed = amountOwed(lease.tariff, lease.cpuMilli, receipt.usage, lease.ceilingMicro)
  need(receipt.amountMicro === owed, 'OVERCHARGED', 'the amount does not follow from the lease and the usage')
}

function isSamePlace(
  statement: { readonly lease: string; readonly job: string; readonly slot: number; readonly epoch: number },
  { id, job, slot, epoch }: Lease,
): boolean {
  return statement.lease === id && statement.job === job && statement.slot === slot && statement.epoch === epoch
}

async function checkCountersignature(
  network: string,
  lease: Lease,
  receipt: Receipt,
  bytes: Uint8Array,
): Promise<void> {
  const counter = await openCountersignature(network, bytes)
  need(counter.by === lease.requester, 'SIGNER_UNEXPECTED', 'the countersignature is not by the requester')
  const isOfReceipt =
    counter.lease === lease.id && counter.sequence === receipt.sequence && isSame(counter.receipt, receipt.hash)
  need(isOfReceipt, 'CHAIN_BROKEN', 'the countersignature is of another receipt')
}

async function checkDispute(
  network: string,
  lease: Lease,
  chain: readonly Receipt[],
  signedUpTo: number,
  bytes: Uint8Array,
): Promise<Account['disputes'][number]> {
  const { by, sequence, receipt, code, facts, issuedMs, ...dispute } = await openDispute(network, bytes)
  need(by === lease.requester, 'SIGNER_UNEXPECTED', 'the dispute is not by the requester')
  const disputed = chain[sequence - 1]
  const isOfReceipt = dispute.lease === lease.id && disputed !== undefined && isSame(receipt, disputed.hash)
  need(isOfReceipt, 'CHAIN_BROKEN', 'the dispute is of a receipt that is not here')
  return { sequence, code, facts, issuedMs, resolved: signedUpTo >= sequence }
}
