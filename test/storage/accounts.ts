/** Both halves of an account of storage, run by the real machines, and the file that proves it afterwards. */
import assert from 'node:assert/strict'

import type { StorageFile } from '../../protocols/storage/file.ts'
import {
  openKeep,
  openOwn,
  receiptGapMsMin,
  spanOf,
  stepKeep,
  stepOwn,
  storageAccount,
  type KeepState,
  type OwnState,
  type StorageAccount,
  type StorageMessage,
  type StorageUsage,
} from '../../protocols/storage/index.ts'
import type { Effect, Statement } from '../../protocols/wire/index.ts'
import { asker, provider, requester, worker } from '../negotiate/parties.ts'
import { base64 } from '../receipt/accounts.ts'
import { network } from '../support/peers.ts'

/** The asker owns, the worker keeps. */
export class KeptAccount {
  readonly account: StorageAccount
  readonly receipts: { receipt: Uint8Array; countersignature: Uint8Array | null }[] = []
  own: OwnState
  keep: KeepState
  nowMs: number

  constructor(period = '2026-03') {
    this.account = storageAccount(requester, provider, period, network)
    this.own = openOwn(this.account)
    this.keep = openKeep(this.account)
    this.nowMs = spanOf(period).fromMs
  }

  /** An hour later, and so much more by the counts of both: one more receipt. `isHeard`: the owner's answer comes back. */
  counts(more: Partial<StorageUsage> = {}, isHeard = true): this {
    this.nowMs += 60 * receiptGapMsMin
    const shown = { storeMibS: 3_600, auditsPassed: 1, inBytes: 0, outBytes: 65_536, relayBytes: 0, ...more }
    this.#own({ is: 'shown', more: shown })
    this.#keep({ is: 'carried', bytes: shown.relayBytes })
    const stated = this.#own({ is: 'ask' })
    const receipt = this.#keep({ is: 'message', from: requester, message: stated!, keptMibS: shown.storeMibS })
    assert.ok(receipt?.say === 'receipt', receipt?.say)
    const entry = { receipt: receipt.receipt.envelope, countersignature: null as Uint8Array | null }
    this.receipts.push(entry)
    if (!isHeard) return this
    const answer = this.#own({ is: 'message', from: provider, message: receipt })
    assert.ok(answer?.say === 'countersignature', answer?.say)
    entry.countersignature = answer.countersignature.envelope
    const signed = this.#keep({ is: 'message', from: requester, message: answer, keptMibS: 0 })
    this.#own({ is: 'message', from: provider, message: signed! })
    return this
  }

  file(): StorageFile {
    const { owner, keeper, period } = this.account
    const receipts = this.receipts.map(({ receipt, countersignature }) => ({
      receipt: base64(receipt),
      countersignature: countersignature === null ? null : base64(countersignature),
    }))
    return { v: 1, kind: 'pleach-storage-receipts', network, owner, keeper, period, receipts }
  }

  /** As the ledger of either has them. */
  statements(): Statement[] {
    return this.receipts.flatMap(({ receipt, countersignature }) => [
      { kind: 'storage-receipt', by: provider, envelope: receipt },
      ...(countersignature === null
        ? []
        : [{ kind: 'storage-countersignature', by: requester, envelope: countersignature }]),
    ])
  }

  #own(input: Parameters<typeof stepOwn>[2]): StorageMessage | undefined {
    const [next, effects] = stepOwn(asker, this.own, input, this.nowMs)
    this.own = next
    return saidIn(effects)
  }

  #keep(input: Parameters<typeof stepKeep>[2]): StorageMessage | undefined {
    const [next, effects] = stepKeep(worker, this.keep, input, this.nowMs)
    this.keep = next
    return saidIn(effects)
  }
}

function saidIn(effects: readonly Effect<StorageMessage, unknown>[]): StorageMessage | undefined {
  const blamed = effects.find((effect) => effect.do === 'blame')
  assert.equal(blamed, undefined)
  const sent = effects.find((effect) => effect.do === 'send')
  return sent?.do === 'send' ? sent.message : undefined
}
