/** One lease and both halves of its account, run by the real machines, and the file that proves it afterwards. */
import assert from 'node:assert/strict'

import { toString } from 'uint8arrays'

import { sealResult, type ResultDocument } from '../../protocols/execute/index.ts'
import type { Award, Lease } from '../../protocols/negotiate/index.ts'
import {
  openAccount,
  openBill,
  stepBill,
  stepPay,
  usageOf,
  type BillState,
  type Billing,
  type Measured,
  type PayState,
  type Usage,
} from '../../protocols/receipt/index.ts'
import type { ReceiptFile } from '../../protocols/receipt/verify.ts'
import { billedLease } from '../../src/market/terms.ts'
import { asker, checkStep, leaseOf, provider, requester, startMs, worker } from '../negotiate/parties.ts'
import { network } from '../support/peers.ts'

/** What the manifest of these leases names: a module of 8 bytes and an input of 3. */
export const inBytes = 11

/** Of a lease as it is here when nothing is said: 64 KiB of memory, no disk and no GPU. */
export const worked = (wallMs: number): Usage =>
  usageOf(
    { memoryBytes: 65_536, diskBytes: 0, gpus: 0 },
    { wallMs, cpuMs: wallMs, gas: wallMs * 1_000, inBytes, outBytes: 0 },
  )

/** What the requester measured when it agrees, with the gas of a result that it holds. */
export const measuredOf = (wallMs: number, over: Partial<Measured> = {}): Measured => ({
  wallMs,
  inBytes,
  gasMax: 0,
  result: null,
  ...over,
})

const noLog = { bytes: 0, sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' }

export function documentOf(lease: Lease, over: Partial<ResultDocument> = {}): ResultDocument {
  const { job, slot, epoch } = lease.award.body
  return {
    v: 1,
    kind: 'result',
    job,
    lease: lease.id,
    slot,
    epoch,
    reason: 'exited',
    exitCode: 0,
    detail: '',
    stdout: noLog,
    stderr: noLog,
    outputs: null,
    outputBytes: 0,
    outputFiles: 0,
    outputsSha256: null,
    image: null,
    usage: { wallMs: 7_000, cpuMs: 7_000, memoryBytesPeak: 1, gas: 7_000_000, inBytes, outBytes: 0 },
    ...over,
  }
}

export const base64 = (bytes: Uint8Array): string => toString(bytes, 'base64pad')

/** Both halves on one clock. Every message arrives at once, unless the test carries it itself. */
export class Account {
  readonly lease: Lease
  readonly result: { readonly cid: string; readonly envelope: Uint8Array }
  readonly receipts: { receipt: Uint8Array; countersignature: Uint8Array | null }[] = []
  readonly disputes: Uint8Array[] = []
  bill: BillState
  pay: PayState

  constructor(over: Partial<Award> = {}) {
    this.lease = leaseOf(over)
    this.result = sealResult(worker, documentOf(this.lease))
    this.bill = openBill(billedLease(this.lease), startMs)
    this.pay = openAccount(billedLease(this.lease))
  }

  /** One wake of the provider: what it says is answered and the answer taken. */
  pays(atMs: number, usage: Usage = worked(atMs)): this {
    return this.#exchange({ is: 'wake', usage }, atMs)
  }

  ends(atMs: number, usage: Usage = worked(atMs)): this {
    return this.#exchange({ is: 'close', usage, result: this.result.cid }, atMs)
  }

  #exchange(input: Parameters<typeof stepBill>[2], atMs: number): this {
    const nowMs = startMs + atMs
    const [asking, effects] = this.#bill(input, nowMs)
    if (asking.at !== 'asking') return this
    const sent = effects.findLast((effect) => effect.do === 'send')
    assert.ok(sent?.do === 'send')
    const answer = this.answer(sent.message, nowMs)
    assert.ok(answer?.say === 'countersignature', answer?.say)
    this.receipts.push({ receipt: asking.receipt.envelope, countersignature: answer.countersignature.envelope })
    this.#bill({ is: 'message', from: requester, message: answer }, nowMs)
    return this
  }

  /** What the requester says to a message of the provider. */
  answer(message: Billing, nowMs: number): Billing | undefined {
    // The result says of its gas what the last receipt does: where they differ is a test of its own.
    const gas = message.say === 'receipt' ? message.receipt.body.usage.gas : 0
    const measured = measuredOf(nowMs - startMs, { result: { cid: this.result.cid, gas, outBytes: 0 } })
    const step = stepPay(asker, this.pay, { is: 'message', from: provider, message, measured }, nowMs)
    checkStep<PayState>(this.pay, step, provider)
    this.pay = step[0]
    const sent = step[1].find((effect) => effect.do === 'send')
    return sent?.do === 'send' ? sent.message : undefined
  }

  #bill(input: Parameters<typeof stepBill>[2], nowMs: number) {
    const step = stepBill(worker, this.bill, input, nowMs)
    this.bill = step[0]
    return step
  }

  file(): ReceiptFile {
    const { award, accept, commit } = this.lease
    return {
      v: 1,
      kind: 'pleach-receipts',
      network,
      lease: { award: base64(award.envelope), accept: base64(accept.envelope), commit: base64(commit.envelope) },
      result: base64(this.result.envelope),
      receipts: this.receipts.map(({ receipt, countersignature }) => ({
        receipt: base64(receipt),
        countersignature: countersignature === null ? null : base64(countersignature),
      })),
      disputes: this.disputes.map(base64),
    }
  }
}
