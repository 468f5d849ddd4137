/**
 * Checks a file of receipts of storage with nothing but the file: whose account it is, that every receipt follows the one before, and who
 * signed. No peer, no network, no clock. README.md beside this file says what a file holds.
 */
import { equals, fromString } from 'uint8arrays'
import { z } from 'zod'

import type { Notary } from '../negotiate/index.ts'
import { sealCredentialOf, type Credential } from '../receipt/credential.ts'
import {
  FileError,
  bytesOf,
  networkText,
  parseAs,
  receiptEntries,
  text,
  verifierOf,
  type Enter,
  type FileForm,
} from '../receipt/form.ts'
import { Fault, hashOfEnvelope, publicKeyOf, type Signed } from '../wire/index.ts'
import { openStorageCountersignature, openStorageReceipt, periodPattern } from './codec.ts'
import {
  noStorage,
  storageAccount,
  storageUsageNames,
  type StorageAccount,
  type StorageReceipt,
  type StorageUsage,
} from './messages.ts'

/** The name of an Ed25519 key has 52 characters. */
const peer = text.max(64)

const storageFileSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('pleach-storage-receipts'),
  network: networkText,
  owner: peer,
  keeper: peer,
  period: text.regex(periodPattern, 'it is no month'),
  receipts: receiptEntries,
})

/** Statements are the base64 of envelopes. */
export type StorageFile = z.infer<typeof storageFileSchema>

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
  readonly usage: StorageUsage
  /** Of the last receipt of all, which the keeper alone may have signed. */
  readonly claimed: StorageUsage
}

/** Throws a Fault or a FileError, and says by `enter` where. */
function checkFile(file: StorageFile, enter: Enter): KeptAccount {
  const { network, owner, keeper, period } = file
  const notary = verifierOf(network)
  for (const party of ['owner', 'keeper'] as const) {
    enter(party)
    publicKeyOf(file[party])
  }
  const account = storageAccount(owner, keeper, period, network)
  const chain: Signed<StorageReceipt>[] = []
  let signed: StorageReceipt | undefined
  let bothSigned = 0
  for (const [index, entry] of file.receipts.entries()) {
    enter(`receipts.${index}.receipt`)
    const receipt = openStorageReceipt(notary, bytesOf(entry.receipt))
    checkNext(account, chain, receipt)
    chain.push(receipt)
    if (entry.countersignature === null) continue
    enter(`receipts.${index}.countersignature`)
    const { by, body } = openStorageCountersignature(notary, bytesOf(entry.countersignature))
    if (by !== owner) throw new Fault('SIGNER_UNEXPECTED', 'the countersignature is not by the owner')
    const isOfReceipt =
      body.account === account.id &&
      body.sequence === receipt.body.sequence &&
      equals(body.receipt, hashOfEnvelope(receipt.envelope))
    if (!isOfReceipt) throw new Fault('CHAIN_BROKEN', 'the countersignature is of another receipt')
    signed = receipt.body
    bothSigned++
  }
  enter('receipts')
  const last = chain.at(-1)?.body
  // The parties are names that anybody can write: without a receipt nobody has said anything.
  if (last === undefined) throw new FileError('NO_RECEIPT', 'there is no receipt in it')
  return {
    network,
    account: account.id,
    owner,
    keeper,
    period,
    lastMs: last.issuedMs,
    receipts: chain.length,
    bothSigned,
    signedMs: signed?.issuedMs ?? null,
    usage: signed?.usage ?? noStorage,
    claimed: last.usage,
  }
}

function checkNext(
  account: StorageAccount,
  chain: readonly Signed<StorageReceipt>[],
  { by, body, envelope }: Signed<StorageReceipt>,
): void {
  const last = chain.at(-1)
  if (by !== account.keeper) throw new Fault('SIGNER_UNEXPECTED', 'the receipt is not signed by the keeper')
  if (body.account !== account.id) throw new Fault('FIELD_INVALID', 'the receipt is of another account')
  const known = chain[body.sequence - 1]
  if (known !== undefined) {
    throw equals(known.envelope, envelope)
      ? new FileError('REPLAYED', 'a receipt that came before comes again')
      : new Fault('EQUIVOCATION', 'two different receipts with one number')
  }
  if (body.sequence !== chain.length + 1) throw new Fault('SEQUENCE_GAP', 'a receipt before this one is missing')
  const previous = last === undefined ? fromString(account.id, 'hex') : hashOfEnvelope(last.envelope)
  if (!equals(body.previous, previous)) throw new Fault('CHAIN_BROKEN', 'the receipt does not name the one before it')
  const before = last?.body.usage ?? noStorage
  if (storageUsageNames.some((name) => body.usage[name] < before[name]))
    throw new Fault('USAGE_FELL', 'the receipt states less than the one before it')
}

export const storageFile: FileForm<'pleach-storage-receipts', StorageFile, KeptAccount> = {
  kind: 'pleach-storage-receipts',
  credentialType: 'PleachStorageReceiptCredential',
  evidenceType: 'PleachStorageReceiptFile',
  parties: ['keeper', 'owner'],
  parse: (value, enter) => parseAs(storageFileSchema, value, enter),
  check: checkFile,
}

/** By the keeper or the owner. Throws a Fault or a FileError when the file does not hold. */
export function sealStorageCredential(notary: Notary, file: StorageFile, nowMs: number): Credential {
  return sealCredentialOf(storageFile, notary, file, nowMs)
}
