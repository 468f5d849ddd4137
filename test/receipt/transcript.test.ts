/**
 * Paying as one goes as plays: test/vectors/receipt-transcript.txt. Whoever changes a machine reads the difference, and writes it
 * anew with `node --test --test-update-snapshots` only when every changed line is meant.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import {
  amountOwed,
  billWakeAtMs,
  decodeBilling,
  encodeBilling,
  openAccount,
  openBill,
  sealReceipt,
  stepBill,
  stepPay,
  type BillEvent,
  type BillInput,
  type BillState,
  type Billing,
  type PayEvent,
  type PayInput,
  type PayState,
  type Receipt,
} from '../../protocols/receipt/index.ts'
import { sha256, type FaultCode } from '../../protocols/wire/index.ts'
import { billedLease } from '../../src/market/terms.ts'
import { asker, leaseOf, provider, requester, startMs, worker } from '../negotiate/parties.ts'
import { Play, lose, playText, type Fate, type Language, type Role } from '../support/play.ts'
import { Account, measuredOf, worked } from './accounts.ts'

const lease = billedLease(leaseOf())
const result = new Account().result.cid

const language: Language<Billing> = {
  encode: encodeBilling,
  decode: (bytes) => decodeBilling(asker, bytes),
  wordOf: (message) => {
    switch (message.say) {
      case 'receipt': {
        const { sequence, final } = message.receipt.body
        return `RECEIPT ${sequence}${final ? ' final' : ''}`
      }
      case 'countersignature':
        return `COUNTERSIGNATURE ${message.countersignature.body.sequence}`
      case 'dispute':
        return `DISPUTE ${message.dispute.body.refusal.code}`
      default:
        return message satisfies never
    }
  },
}

interface Plan {
  readonly fate?: Fate
  /** How long the program runs. */
  readonly workMs?: number
  /** The provider's clock is so far ahead. */
  readonly skewMs?: number
  /** The provider's meter counts so many milliseconds a millisecond. */
  readonly pace?: number
  /** When the requester has verified the result. */
  readonly verifiedMs?: number
  readonly direct?: (play: Play<Billing>) => void
}

function play({ fate, workMs = 4_500, skewMs = 0, pace = 1, verifiedMs = 0, direct }: Plan) {
  const stage = new Play(language, startMs, fate)
  const meter = (nowMs: number) => worked(Math.min(nowMs - startMs - skewMs, workMs) * pace)
  const billing: Role<BillState, BillInput, Billing, BillEvent> = {
    peer: provider,
    other: requester,
    step: (state, input, nowMs) => stepBill(worker, state, input, nowMs),
    wakeAtMs: billWakeAtMs,
    wake: (nowMs) => ({ is: 'wake', usage: meter(nowMs) }),
    hear: (message, from) => ({ is: 'message', from, message }),
    restarted: { is: 'restarted' },
    skewMs,
  }
  const paying: Role<PayState, PayInput, Billing, PayEvent> = {
    peer: requester,
    other: provider,
    step: (state, input, nowMs) => stepPay(asker, state, input, nowMs),
    hear: (message, from, nowMs) => ({
      is: 'message',
      from,
      message,
      measured: measuredOf(nowMs - startMs, {
        result: nowMs - startMs >= verifiedMs ? { cid: result, gas: worked(workMs * pace).gas, outBytes: 0 } : null,
      }),
    }),
  }
  const bill = stage.enter('provider', 0, 'begins to count', billing, (nowMs) => [openBill(lease, nowMs), []])
  const pay = stage.enter('requester', 0, 'has an account', paying, () => [openAccount(lease), []])
  bill.input(workMs, 'work is over', { is: 'close', usage: worked(workMs * pace), result })
  direct?.(stage)
  stage.run()
  return {
    lines: stage.lines,
    faults: stage.faults.map(({ code }) => code),
    ends: [bill.state()!.at, pay.state()!.at],
    amounts: [bill.state()!.usage.wallMs, pay.state()!.usage.wallMs],
  }
}

/** A receipt that the provider's machine never made. */
const forged = (over: Partial<Receipt>): Billing => ({
  say: 'receipt',
  receipt: sealReceipt(worker, {
    lease: lease.id,
    job: lease.job,
    slot: lease.slot,
    epoch: lease.epoch,
    requester,
    sequence: 1,
    previous: Buffer.from(lease.id, 'hex'),
    usage: worked(900),
    unit: lease.unit,
    amountMicro: amountOwed(lease, worked(900)),
    final: false,
    result: '',
    issuedMs: startMs,
    ...over,
  }),
})

const scenes: readonly {
  title: string
  plan: Plan
  ends: readonly [string, string]
  faults?: readonly FaultCode[]
}[] = [
  { title: 'nothing is lost: the interval doubles', plan: { workMs: 12_000 }, ends: ['settled', 'settled'] },
  { title: 'work that is shorter than the first interval', plan: { workMs: 300 }, ends: ['settled', 'settled'] },
  { title: 'a receipt is lost: it is repeated', plan: { fate: lose('RECEIPT', 2) }, ends: ['settled', 'settled'] },
  {
    title: 'a countersignature is lost: the same receipt gets the same one again',
    plan: { fate: lose('COUNTERSIGNATURE', 1) },
    ends: ['settled', 'settled'],
  },
  {
    title: 'the last countersignature never comes: the requester owes it, and the provider has no proof of it',
    plan: { workMs: 500, fate: lose('COUNTERSIGNATURE', 99) },
    ends: ['unpaid', 'settled'],
  },
  { title: 'every message comes twice', plan: { fate: () => [10, 15] }, ends: ['settled', 'settled'] },
  {
    title: 'receipts out of order: the first comes again when the second is paid',
    plan: { fate: (say, count) => (say === 'RECEIPT' && count === 1 ? [10, 2_300] : [10]) },
    ends: ['settled', 'settled'],
  },
  {
    title: 'a countersignature comes again when the next receipt is under way',
    plan: { fate: (say, count) => (say === 'COUNTERSIGNATURE' && count === 1 ? [10, 2_015] : [10]) },
    ends: ['settled', 'settled'],
  },
  {
    title: 'the work ends while a receipt is under way: the last one waits for its answer',
    plan: { workMs: 1_005 },
    ends: ['settled', 'settled'],
  },
  {
    title: 'the last receipt waits until the result is verified',
    plan: { workMs: 500, verifiedMs: 3_200 },
    ends: ['settled', 'settled'],
  },
  {
    title: 'a dispute: the meter runs twenty times as fast as the clock',
    plan: { pace: 20, workMs: 30_000 },
    ends: ['unpaid', 'paying'],
  },
  {
    title: 'a dispute that heals: the clock of the requester catches up',
    plan: { pace: 4, workMs: 2_000 },
    ends: ['settled', 'settled'],
  },
  {
    title: 'nobody answers: the provider stops after the one interval that it risked',
    plan: { fate: lose('RECEIPT', 99), workMs: 30_000 },
    ends: ['unpaid', 'paying'],
  },
  {
    title: 'a fork of the chain: another receipt with a number that is paid, proved by two signatures',
    plan: { direct: (stage) => stage.say(1_500, provider, requester, () => forged({})) },
    ends: ['settled', 'settled'],
    faults: ['EQUIVOCATION'],
  },
  {
    title: 'a receipt that does not follow',
    plan: {
      direct: (stage) =>
        stage.say(1_500, provider, requester, () => forged({ sequence: 2, previous: sha256(Uint8Array.of(1)) })),
    },
    ends: ['settled', 'settled'],
    faults: ['CHAIN_BROKEN'],
  },
  {
    title: 'a receipt that asks for more than the lease gives',
    plan: { direct: (stage) => stage.say(500, provider, requester, () => forged({ amountMicro: 999 })) },
    ends: ['settled', 'settled'],
    faults: ['OVERCHARGED'],
  },
  {
    title: 'the provider is restarted between two receipts, and while it asks',
    plan: {
      fate: lose('RECEIPT', 1),
      direct: (stage) => stage.restart(400, 'provider').restart(1_300, 'provider'),
    },
    ends: ['settled', 'settled'],
  },
  {
    title: 'the requester is restarted when it has countersigned and its answer is lost',
    plan: { fate: lose('COUNTERSIGNATURE', 1), direct: (stage) => stage.restart(1_100, 'requester') },
    ends: ['settled', 'settled'],
  },
  {
    title: 'both are restarted, again and again',
    plan: {
      fate: lose('COUNTERSIGNATURE', 2),
      direct: (stage) =>
        [1_005, 1_015, 2_500, 3_500].forEach((atMs) => stage.restart(atMs, 'provider').restart(atMs, 'requester')),
    },
    ends: ['settled', 'settled'],
  },
  {
    title: 'the clock of the provider is an hour behind: only durations count',
    plan: { skewMs: -3_600_000 },
    ends: ['settled', 'settled'],
  },
]

test('the plays of paying as one goes are the ones that were reviewed', (t) => {
  const acts = scenes.map(({ title, plan, ends, faults = [] }) => {
    const played = play(plan)
    const text = `${title}\n${played.lines.join('\n')}`
    assert.deepEqual(played.ends, ends, text)
    assert.deepEqual(played.faults, faults, text)
    if (ends[0] === 'settled') assert.equal(played.amounts[0], played.amounts[1], text)
    return { title, lines: played.lines }
  })
  t.assert.fileSnapshot(playText(acts), join(import.meta.dirname, '..', 'vectors', 'receipt-transcript.txt'), {
    serializers: [(value: unknown) => value as string],
  })
})
