/** The two machines of paying as one goes, and whatever may be said to them. */
import {
  amountOwed,
  billWakeAtMs,
  openAccount,
  openBill,
  sealCountersignature,
  sealDispute,
  sealReceipt,
  stepBill,
  stepPay,
  type BillInput,
  type BillState,
  type Billing,
  type Countersignature,
  type Dispute,
  type PayInput,
  type PayState,
  type Receipt,
  type Usage,
} from '../../protocols/receipt/index.ts'
import { cidOfDocument, sha256, type Signed } from '../../protocols/wire/index.ts'
import { billedLease } from '../../src/market/terms.ts'
import { asker, leaseOf, nobody, other, provider, requester, startMs, stranger, worker } from '../negotiate/parties.ts'
import { measuredOf, worked } from '../receipt/accounts.ts'
import { passedOn, walk, type Machine } from './walk.ts'

const lease = billedLease(leaseOf())
const result = cidOfDocument(Uint8Array.of(1))
const refusal = { code: passedOn, facts: {} }
const nowhere = sha256(Uint8Array.of(9))

/** A receipt as the provider of this lease signs it. */
const receiptOf = (usage: Usage, over: Partial<Receipt> = {}, by = worker): Signed<Receipt> =>
  sealReceipt(by, {
    lease: lease.id,
    job: lease.job,
    slot: lease.slot,
    epoch: lease.epoch,
    requester: lease.requester,
    sequence: 1,
    previous: Buffer.from(lease.id, 'hex'),
    usage,
    unit: lease.unit,
    amountMicro: amountOwed(lease, usage),
    final: false,
    result: '',
    issuedMs: startMs,
    ...over,
  })

const countersignatureOf = (over: Partial<Countersignature>, by = asker): Billing => ({
  say: 'countersignature',
  countersignature: sealCountersignature(by, {
    lease: lease.id,
    sequence: 1,
    receipt: nowhere,
    issuedMs: startMs,
    ...over,
  }),
})

const disputeOf = (over: Partial<Dispute>, by = asker): Billing => ({
  say: 'dispute',
  dispute: sealDispute(by, { lease: lease.id, sequence: 1, receipt: nowhere, refusal, issuedMs: startMs, ...over }),
})

const bill: Machine<BillState, BillInput> = {
  protocol: 'receipt',
  name: 'stepBill',
  begins: [{ on: 'openBill', step: [openBill(lease, startMs), []], atMs: startMs }],
  nameOf: ({ at }) => at,
  keyOf: (state) =>
    state.at === 'asking'
      ? `${state.receipt.body.final} ${state.thenFinal === null} ${Math.min(state.sequence, 1)} ${state.disputed === null}`
      : `${Math.min(state.sequence, 1)}`,
  *inputs(state, nowMs) {
    const sequence = state.sequence + 1
    const answers: Billing[] = [
      countersignatureOf({ sequence: state.sequence }),
      disputeOf({ sequence: state.sequence }),
      disputeOf({ sequence: state.sequence }, stranger),
    ]
    if (state.last !== null) answers.push({ say: 'countersignature', countersignature: state.last })
    if (state.at === 'asking') {
      const honest = { sequence, receipt: sha256(state.receipt.envelope) }
      answers.push(
        countersignatureOf(honest),
        countersignatureOf(honest, stranger),
        countersignatureOf({ ...honest, lease: '0'.repeat(64) }),
        countersignatureOf({ ...honest, receipt: nowhere }),
        countersignatureOf({ ...honest, sequence: sequence + 1 }),
        disputeOf(honest),
        disputeOf({ ...honest, refusal: { code: 'WALL_TIME', facts: {} } }),
        disputeOf({ ...honest, lease: '0'.repeat(64) }),
        disputeOf({ sequence }),
        disputeOf({ ...honest, sequence: sequence + 1 }),
        disputeOf(honest, stranger),
        { say: 'receipt', receipt: state.receipt },
      )
    }
    for (const message of answers)
      for (const from of [requester, nobody]) yield [message.say, { is: 'message', from, message }]
    const usage = worked(nowMs - startMs)
    yield ['wake', { is: 'wake', usage }]
    yield ['restarted', { is: 'restarted' }]
    yield ['close', { is: 'close', usage, result }]
  },
  step: (state, input, nowMs) => stepBill(worker, state, input, nowMs),
  wakeAtMs: billWakeAtMs,
  wake: { is: 'wake', usage: worked(0) },
  final: ['settled', 'unpaid'],
  other: requester,
}

/** What follows, what comes again, and what no honest provider signs. */
function receiptsTo(state: PayState): Signed<Receipt>[] {
  const more = worked(state.usage.wallMs + 1_000)
  const next = { sequence: state.sequence + 1, previous: state.previous }
  return [
    receiptOf(more, next),
    receiptOf(more, { ...next, final: true, result }),
    receiptOf(more, next, stranger),
    receiptOf(more, { ...next, lease: '0'.repeat(64) }),
    receiptOf(more, { ...next, epoch: 2 }),
    receiptOf(more, { ...next, job: other.job }),
    receiptOf(more, { ...next, sequence: state.sequence + 2 }),
    receiptOf(more, { ...next, previous: nowhere }),
    receiptOf(worked(0), state.sequence === 0 ? { ...next, previous: nowhere } : next),
    receiptOf(more, { ...next, amountMicro: amountOwed(lease, more) + 1 }),
    receiptOf(worked(9_000_000), next),
    receiptOf(more, { ...next, issuedMs: startMs + 60_000 }),
    receiptOf(more, { ...next, issuedMs: startMs + 2 * 24 * 3_600_000 }),
    receiptOf({ ...more, memMibS: more.memMibS + 1 }, next),
    receiptOf({ ...more, gpuMs: 1 }, next),
    receiptOf({ ...more, storeMibS: 1 }, next),
    receiptOf({ ...more, inBytes: more.inBytes + 1 }, next),
    receiptOf({ ...more, outBytes: 1 }, next),
    receiptOf({ ...more, gas: 10 ** 15 }, next),
    receiptOf({ ...more, gas: more.gas + 1 }, { ...next, final: true, result }),
    // The ones before, and a fork of them.
    receiptOf(worked(1_000)),
    receiptOf(worked(1_000), { final: true, result }),
    receiptOf(more, { sequence: Math.max(1, state.sequence), previous: nowhere }),
  ]
}

const pay: Machine<PayState, PayInput> = {
  protocol: 'receipt',
  name: 'stepPay',
  begins: [{ on: 'openAccount', step: [openAccount(lease), []], atMs: startMs }],
  nameOf: ({ at }) => at,
  *inputs(state, nowMs) {
    const messages: Billing[] = [
      ...receiptsTo(state).map((receipt) => ({ say: 'receipt' as const, receipt })),
      countersignatureOf({}),
      disputeOf({}),
    ]
    const gas = worked(state.usage.wallMs + 1_000).gas
    for (const message of messages)
      for (const from of [provider, nobody])
        for (const cid of [null, result, other.job]) {
          const measured = measuredOf(nowMs - startMs, { result: cid === null ? null : { cid, gas, outBytes: 0 } })
          yield [message.say, { is: 'message', from, message, measured }]
        }
  },
  step: (state, input, nowMs) => stepPay(asker, state, input, nowMs),
  final: ['settled'],
  other: provider,
}

export const receiptMachines = [() => walk(bill), () => walk(pay)]
