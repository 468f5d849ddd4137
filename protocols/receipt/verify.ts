/**
 * Checks a receipt file with nothing but the file: who promised what to whom, that every receipt follows from the lease and
 * from the one before, and who signed. No peer, no network, no clock.
 *
 * The file is JSON: `{ v: 1, kind: "pleach-receipts", network, lease: { award, accept, commit }, result,
 * receipts: [{ receipt, countersignature }] }`; every statement is the base64 of the envelope's bytes, `countersignature` and
 * `result` may be null.
 */
import { createPublicKey, verify } from 'node:crypto'

import { equals, fromString, toString } from 'uint8arrays'
import { z } from 'zod'

import { openResult } from '../execute/result.ts'
import { leaseIdOf, openAccept, openAward, openCommit, type Notary } from '../negotiate/codec.ts'
import { Fault, formatMicro, sha256 } from '../wire/index.ts'
import { openCountersignature, openReceipt } from './codec.ts'
import { amountOwed, noUsage, usageNames, type Receipt } from './messages.ts'

const statement = z.string().max(1_000_000)

export const receiptFileSchema = z.object({
  v: z.literal(1),
  kind: z.literal('pleach-receipts'),
  network: z.string().max(64),
  lease: z.object({ award: statement, accept: statement, commit: statement }),
  result: statement.nullable(),
  receipts: z.array(z.object({ receipt: statement, countersignature: statement.nullable() })).max(100_000),
})

export type ReceiptFile = z.infer<typeof receiptFileSchema>

export type ReceiptVerdict =
  | {
      readonly ok: true
      readonly lease: string
      readonly job: string
      readonly provider: string
      readonly requester: string
      readonly receipts: number
      readonly bothSigned: number
      readonly final: boolean
      readonly amount: string
      readonly unit: string
      readonly result: string
    }
  | { readonly ok: false; readonly problem: string; readonly at: string }

export function verifyReceiptFile(parsed: unknown): ReceiptVerdict {
  const file = receiptFileSchema.safeParse(parsed)
  if (!file.success) {
    const issue = file.error.issues[0]!
    return { ok: false, problem: issue.message, at: issue.path.map(String).join('.') || 'the file' }
  }
  let at = 'lease'
  try {
    return check(file.data, (where) => {
      at = where
    })
  } catch (error) {
    if (error instanceof Fault) return { ok: false, problem: error.message, at }
    throw error
  }
}

function check(file: ReceiptFile, enter: (where: string) => void): ReceiptVerdict {
  const notary = verifierOf(file.network)
  const wrong = (problem: string): never => {
    throw new Fault('FIELD_INVALID', problem)
  }
  enter('lease.award')
  const award = openAward(notary, bytesOf(file.lease.award))
  const lease = leaseIdOf(award.envelope)
  const { provider, job, slot, epoch, unit } = award.body
  const requester = award.by
  enter('lease.accept')
  const accept = openAccept(notary, bytesOf(file.lease.accept))
  if (accept.by !== provider) wrong('the ACCEPT is not signed by the provider that the AWARD names')
  if (toString(accept.body.lease, 'hex') !== lease) wrong('the ACCEPT is of another lease')
  enter('lease.commit')
  const commit = openCommit(notary, bytesOf(file.lease.commit))
  if (commit.by !== requester) wrong('the COMMIT is not signed by the requester')
  if (toString(commit.body.lease, 'hex') !== lease) wrong('the COMMIT is of another lease')
  if (!equals(commit.body.accept, sha256(accept.envelope))) wrong('the COMMIT is of another ACCEPT')
  enter('result')
  const result = file.result === null ? null : openResult(notary, bytesOf(file.result))
  if (result !== null && (result.by !== provider || result.body.lease !== lease))
    wrong('the result is of another lease')

  let previous: Uint8Array = fromString(lease, 'hex')
  let last: Receipt | undefined
  let bothSigned = 0
  for (const [index, entry] of file.receipts.entries()) {
    enter(`receipts.${index}.receipt`)
    const receipt = openReceipt(notary, bytesOf(entry.receipt))
    const { body } = receipt
    if (receipt.by !== provider) wrong('the receipt is not signed by the provider')
    if (
      body.lease !== lease ||
      body.job !== job ||
      body.slot !== slot ||
      body.epoch !== epoch ||
      body.requester !== requester ||
      body.unit !== unit
    ) {
      wrong('the receipt is of another lease')
    }
    if (last?.final === true) wrong('a receipt follows the final one')
    if (body.sequence !== index + 1 || !equals(body.previous, previous))
      wrong('the receipt does not follow the one before it')
    const before = last?.usage ?? noUsage
    if (usageNames.some((name) => body.usage[name] < before[name]))
      wrong('the receipt states less than the one before it')
    if (body.amountMicro !== amountOwed(award.body, body.usage))
      wrong('the amount does not follow from the lease and the usage')
    if (body.final && result !== null && body.result !== result.cid) wrong('the final receipt names another result')
    previous = sha256(receipt.envelope)
    if (entry.countersignature !== null) {
      enter(`receipts.${index}.countersignature`)
      const counter = openCountersignature(notary, bytesOf(entry.countersignature))
      if (counter.by !== requester) wrong('the countersignature is not by the requester')
      if (
        counter.body.lease !== lease ||
        counter.body.sequence !== body.sequence ||
        !equals(counter.body.receipt, previous)
      ) {
        wrong('the countersignature is of another receipt')
      }
      bothSigned++
    }
    last = body
  }
  return {
    ok: true,
    lease,
    job,
    provider,
    requester,
    receipts: file.receipts.length,
    bothSigned,
    final: last?.final ?? false,
    amount: formatMicro(last?.amountMicro ?? 0),
    unit,
    result: last?.result ?? '',
  }
}

/** The decoder takes padding in the middle and other spellings: a file has one. */
function bytesOf(base64: string): Uint8Array {
  try {
    const bytes = fromString(base64, 'base64pad')
    if (toString(bytes, 'base64pad') === base64) return bytes
  } catch {
    // Falls through: every way of being wrong is the same fault.
  }
  throw new Fault('FRAME_MALFORMED', 'not base64')
}

/** Opens envelopes and signs nothing. */
export function verifierOf(network: string): Notary {
  // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410): this prefix, then the 32 bytes.
  const spki = fromString('302a300506032b6570032100', 'hex')
  return {
    network,
    signer: {
      peer: '',
      publicKey: new Uint8Array(32),
      sign: () => {
        throw new Error('a verifier does not sign')
      },
      verify: (publicKey, message, signature) =>
        verify(
          null,
          message,
          createPublicKey({ key: Buffer.concat([spki, publicKey]), format: 'der', type: 'spki' }),
          signature,
        ),
    },
  }
}
