/** Receipts, countersignatures and disputes (protocols/receipt/README.md). */
import { hexOf } from './bytes.ts'
import { keyOfPeer } from './keys.ts'
import { need } from './problem.ts'
import type { Message, Schema } from './protobuf.ts'
import { checkedCid, checkedHash, checkedNumber, checkedText, openMessage } from './statement.ts'
import { countedNumber, readUsage, usageSchema, type Usage } from './tariff.ts'

export interface Receipt {
  readonly by: string
  readonly hash: Uint8Array
  readonly lease: string
  readonly job: string
  readonly slot: number
  readonly epoch: number
  readonly requester: string
  readonly sequence: number
  readonly previous: Uint8Array
  readonly usage: Usage
  readonly unit: string
  readonly amountMicro: number
  readonly final: boolean
  readonly result: string
  readonly issuedMs: number
}

/** What names a receipt: a countersignature or a dispute of it. */
export interface Answer {
  readonly by: string
  readonly lease: string
  readonly sequence: number
  readonly receipt: Uint8Array
  readonly issuedMs: number
}

export type Facts = Record<string, string | number | boolean>

export interface Dispute extends Answer {
  readonly code: string
  readonly facts: Facts
}

const factsMax = 16
const factCharsMax = 200
const codePattern = /^[A-Z][A-Z0-9_]{1,47}$/

const receiptSchema: Schema = {
  1: 'bytes',
  2: 'string',
  3: 'uint32',
  4: 'uint32',
  5: 'string',
  6: 'uint64',
  7: 'bytes',
  8: usageSchema,
  9: 'string',
  10: 'uint64',
  11: 'bool',
  12: 'string',
  13: 'uint64',
}
const countersignatureSchema: Schema = { 1: 'bytes', 2: 'uint64', 3: 'bytes', 4: 'uint64' }
const factSchema: Schema = { 1: 'string', 2: 'string', 3: 'sint64', 4: 'bool' }
const refusalSchema: Schema = { 1: 'string', 2: [factSchema] }
const disputeSchema: Schema = { 1: 'bytes', 2: 'uint64', 3: 'bytes', 4: refusalSchema, 5: 'uint64' }

export async function openReceipt(network: string, bytes: Uint8Array): Promise<Receipt> {
  const { by, body, hash } = await openMessage(network, 'receipt/1', receiptSchema, bytes)
  keyOfPeer(body.text(5))
  const isFinal = body.flag(11)
  const receipt: Receipt = {
    by,
    hash,
    lease: hexOf(checkedHash(body.bytes(1), 'lease')),
    job: checkedCid(body.text(2), 'job'),
    slot: checkedNumber(body.number(3), 'slot'),
    epoch: checkedNumber(body.number(4), 'epoch'),
    requester: body.text(5),
    sequence: countedNumber(body.number(6), 'sequence'),
    previous: checkedHash(body.bytes(7), 'previous'),
    usage: readUsage(body.inner(8)),
    unit: checkedText(body.text(9), 'unit'),
    amountMicro: countedNumber(body.number(10), 'amount_micro'),
    final: isFinal,
    result: isFinal ? checkedCid(body.text(12), 'result') : checkedText(body.text(12), 'result', 0),
    issuedMs: countedNumber(body.number(13), 'issued_ms'),
  }
  need(receipt.sequence > 0, 'FIELD_INVALID', 'receipts are counted from 1')
  return receipt
}

export async function openCountersignature(network: string, bytes: Uint8Array): Promise<Answer> {
  const { by, body } = await openMessage(network, 'countersignature/1', countersignatureSchema, bytes)
  return { by, ...answerOf(body), issuedMs: countedNumber(body.number(4), 'issued_ms') }
}

export async function openDispute(network: string, bytes: Uint8Array): Promise<Dispute> {
  const { by, body } = await openMessage(network, 'receipt-dispute/1', disputeSchema, bytes)
  return {
    by,
    ...answerOf(body),
    ...refusalOf(body.inner(4)),
    issuedMs: countedNumber(body.number(5), 'issued_ms'),
  }
}

function answerOf(body: Message): Pick<Answer, 'lease' | 'sequence' | 'receipt'> {
  return {
    lease: hexOf(checkedHash(body.bytes(1), 'lease')),
    sequence: countedNumber(body.number(2), 'sequence'),
    receipt: checkedHash(body.bytes(3), 'receipt'),
  }
}

function refusalOf(refusal: Message | undefined): Pick<Dispute, 'code' | 'facts'> {
  need(refusal !== undefined && codePattern.test(refusal.text(1)), 'FIELD_INVALID', 'a refusal needs a code')
  const said = refusal.list(2)
  need(said.length <= factsMax, 'FIELD_INVALID', 'a refusal has too many facts')
  const facts: Facts = {}
  for (const fact of said) {
    const name = checkedText(fact.text(1), 'fact name', factCharsMax)
    const field = fact.lastOf([2, 3, 4])
    if (field === 2) facts[name] = checkedText(fact.text(2), name, factCharsMax)
    else if (field === 3) facts[name] = signedNumber(fact.number(3), name)
    else if (field === 4) facts[name] = fact.flag(4)
  }
  return { code: refusal.text(1), facts }
}

function signedNumber(value: bigint, name: string): number {
  return value < 0n ? -checkedNumber(-value, name) : checkedNumber(value, name)
}
