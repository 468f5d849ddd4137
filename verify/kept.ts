/** A file of receipts of what was kept and carried: whose account it is, that every receipt follows the one before, and who signed. */
import { fromBase64, hexOf, isSame, utf8Of } from './bytes.ts'
import { keyOfPeer, sha256 } from './keys.ts'
import { need, type Enter } from './problem.ts'
import type { Message, Schema } from './protobuf.ts'
import { checkedKeptFile, monthPattern, type FileForm, type KeptFile } from './shape.ts'
import { checkedHash, openMessage } from './statement.ts'
import { countedNumber } from './tariff.ts'

/** In the order of their field numbers. Cumulative since the month began. */
const keptNames = ['storeMibS', 'auditsPassed', 'inBytes', 'outBytes', 'relayBytes'] as const
export type KeptUsage = Record<(typeof keptNames)[number], number>
const nothingKept = Object.fromEntries(keptNames.map((name) => [name, 0])) as KeptUsage

/** What a file that holds says. Times are in milliseconds since the epoch. */
export interface KeptAccount {
  readonly network: string
  /** Hex. */
  readonly account: string
  readonly owner: string
  readonly keeper: string
  /** A month of UTC: `2026-03`. */
  readonly period: string
  /** When the last receipt was issued. */
  readonly lastMs: number
  readonly receipts: number
  readonly bothSigned: number
  /** When the last receipt that both have signed was issued; null when there is none. */
  readonly signedMs: number | null
  /** Of that receipt: what was kept and carried by the word of both. */
  readonly usage: KeptUsage
  /** Of the last receipt of all, which the keeper alone may have signed. */
  readonly claimed: KeptUsage
}

interface KeptReceipt {
  readonly by: string
  readonly hash: Uint8Array
  readonly account: string
  readonly sequence: number
  readonly previous: Uint8Array
  readonly usage: KeptUsage
  readonly issuedMs: number
}

const keptUsageSchema: Schema = Object.fromEntries(keptNames.map((_, index) => [index + 1, 'uint64']))
const keptReceiptSchema: Schema = {
  1: 'bytes',
  2: 'string',
  3: 'string',
  4: 'uint64',
  5: 'bytes',
  6: keptUsageSchema,
  7: 'uint64',
}
const keptCountersignatureSchema: Schema = { 1: 'bytes', 2: 'uint64', 3: 'bytes', 4: 'uint64' }

export const keptForm: FileForm<'pleach-storage-receipts', KeptFile, KeptAccount> = {
  kind: 'pleach-storage-receipts',
  credentialType: 'PleachStorageReceiptCredential',
  evidenceType: 'PleachStorageReceiptFile',
  parties: ['keeper', 'owner'],
  parse: checkedKeptFile,
  check: checkKept,
}

/** Throws a Problem, and says by `enter` where. */
async function checkKept(file: KeptFile, enter: Enter): Promise<KeptAccount> {
  const { network, owner, keeper, period } = file
  enter('owner')
  keyOfPeer(owner)
  enter('keeper')
  keyOfPeer(keeper)
  const account = await accountHash(network, owner, keeper, period)
  const chain: KeptReceipt[] = []
  let signed: KeptReceipt | undefined
  let bothSigned = 0
  for (const [index, entry] of file.receipts.entries()) {
    enter(`receipts.${index}.receipt`)
    const receipt = await openKept(network, fromBase64(entry.receipt))
    need(receipt.by === keeper, 'SIGNER_UNEXPECTED', 'the receipt is not signed by the keeper')
    need(receipt.account === hexOf(account), 'FIELD_INVALID', 'the receipt is of another account')
    checkFollows(account, chain, receipt)
    chain.push(receipt)
    if (entry.countersignature === null) continue
    enter(`receipts.${index}.countersignature`)
    await checkSignedBy(network, owner, receipt, fromBase64(entry.countersignature))
    signed = receipt
    bothSigned++
  }
  enter('receipts')
  const last = chain.at(-1)
  // The parties are names that anybody can write: without a receipt nobody has said anything.
  need(last !== undefined, 'NO_RECEIPT', 'there is no receipt in it')
  return {
    network,
    account: hexOf(account),
    owner,
    keeper,
    period,
    lastMs: last.issuedMs,
    receipts: chain.length,
    bothSigned,
    signedMs: signed?.issuedMs ?? null,
    usage: signed?.usage ?? nothingKept,
    claimed: last.usage,
  }
}

async function accountHash(network: string, owner: string, keeper: string, period: string): Promise<Uint8Array> {
  return sha256(utf8Of(['pleach/storage-account/1', owner, keeper, period, network].join('\n')))
}

async function openKept(network: string, bytes: Uint8Array): Promise<KeptReceipt> {
  const { by, body, hash } = await openMessage(network, 'storage-receipt/1', keptReceiptSchema, bytes)
  const [owner, period] = [body.text(2), body.text(3)]
  keyOfPeer(owner)
  const account = checkedHash(body.bytes(1), 'account')
  need(monthPattern.test(period), 'FIELD_INVALID', 'a period is a month, as in 2026-03')
  const receipt: KeptReceipt = {
    by,
    hash,
    account: hexOf(account),
    sequence: countedNumber(body.number(4), 'sequence'),
    previous: checkedHash(body.bytes(5), 'previous'),
    usage: keptUsageOf(body.inner(6)),
    issuedMs: countedNumber(body.number(7), 'issued_ms'),
  }
  const isTheirs = isSame(account, await accountHash(network, owner, by, period))
  need(isTheirs, 'FIELD_INVALID', 'the account is not that of its owner, keeper and period')
  need(receipt.sequence > 0, 'FIELD_INVALID', 'receipts are counted from 1')
  return receipt
}

function keptUsageOf(usage: Message | undefined): KeptUsage {
  need(usage !== undefined, 'FIELD_INVALID', 'usage is missing')
  return Object.fromEntries(
    keptNames.map((name, index) => [name, countedNumber(usage.number(index + 1), name)]),
  ) as KeptUsage
}

function checkFollows(account: Uint8Array, chain: readonly KeptReceipt[], receipt: KeptReceipt): void {
  const known = chain[receipt.sequence - 1]
  if (known !== undefined) {
    need(isSame(known.hash, receipt.hash), 'EQUIVOCATION', 'two different receipts with one number')
    need(false, 'REPLAYED', 'a receipt that came before comes again')
  }
  need(receipt.sequence === chain.length + 1, 'SEQUENCE_GAP', 'a receipt before this one is missing')
  const last = chain.at(-1)
  const isNext = isSame(receipt.previous, last?.hash ?? account)
  need(isNext, 'CHAIN_BROKEN', 'the receipt does not name the one before it')
  const before = last?.usage ?? nothingKept
  const grows = keptNames.every((name) => receipt.usage[name] >= before[name])
  need(grows, 'USAGE_FELL', 'the receipt states less than the one before it')
}

async function checkSignedBy(network: string, owner: string, receipt: KeptReceipt, bytes: Uint8Array): Promise<void> {
  const type = 'storage-countersignature/1'
  const { by, body } = await openMessage(network, type, keptCountersignatureSchema, bytes)
  const account = hexOf(checkedHash(body.bytes(1), 'account'))
  const sequence = countedNumber(body.number(2), 'sequence')
  const hash = checkedHash(body.bytes(3), 'receipt')
  countedNumber(body.number(4), 'issued_ms')
  need(by === owner, 'SIGNER_UNEXPECTED', 'the countersignature is not by the owner')
  const isOfReceipt = account === receipt.account && sequence === receipt.sequence && isSame(hash, receipt.hash)
  need(isOfReceipt, 'CHAIN_BROKEN', 'the countersignature is of another receipt')
}
