/** Both halves of paying as one goes, row by row of protocols/receipt/README.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { provesEquivocation } from '../../protocols/evidence/index.ts'
import { EquivocationFault } from '../../protocols/negotiate/index.ts'
import {
  amountOwed,
  billWakeAtMs,
  decodeBilling,
  encodeBilling,
  openAccount,
  openBill,
  openDispute,
  openReceipt,
  receiptLimits,
  sealCountersignature,
  sealDispute,
  sealReceipt,
  stepBill,
  stepPay,
  usageNames,
  usageOf,
  type BillInput,
  type BillState,
  type Billing,
  type Countersignature,
  type Dispute,
  type Measured,
  type PayState,
  type Receipt,
  type Usage,
} from '../../protocols/receipt/index.ts'
import { freeTariff, microMax, sha256, type Signed } from '../../protocols/wire/index.ts'
import { billedLease } from '../../src/market/terms.ts'
import {
  asker,
  checkStep,
  deeds,
  faultOf,
  flipped,
  leaseOf,
  messageOf,
  nobody,
  other,
  provider,
  requester,
  startMs,
  stranger,
  worker,
} from '../negotiate/parties.ts'
import { Account, inBytes, measuredOf, worked } from './accounts.ts'

const lease = billedLease(leaseOf())
const counting = openBill(lease, startMs)
const wakes = (atMs: number): BillInput => ({ is: 'wake', usage: worked(atMs) })
const [asking] = stepBill(worker, counting, wakes(1_000), startMs + 1_000)
assert.ok(asking.at === 'asking')
const first = asking.receipt
const result = new Account().result.cid

const signs = (over: Partial<Countersignature> = {}, by = asker, receipt = first): Billing => ({
  say: 'countersignature',
  countersignature: sealCountersignature(by, {
    lease: lease.id,
    sequence: receipt.body.sequence,
    receipt: sha256(receipt.envelope),
    issuedMs: startMs,
    ...over,
  }),
})
const disputes = (over: Partial<Dispute> = {}, code = 'RESULT_DIFFERS', by = asker): Billing => ({
  say: 'dispute',
  dispute: sealDispute(by, {
    lease: lease.id,
    sequence: 1,
    receipt: sha256(first.envelope),
    refusal: { code, facts: {} },
    issuedMs: startMs,
    ...over,
  }),
})
const heard = (message: Billing, from = requester): BillInput => ({ is: 'message', from, message })
const close: BillInput = { is: 'close', usage: worked(1_500), result }

const [again] = stepBill(worker, asking, heard(signs()), startMs + 1_010)
const [last] = stepBill(worker, again, close, startMs + 1_500)
assert.ok(last.at === 'asking')
const [settled] = stepBill(worker, last, heard(signs({}, asker, last.receipt)), startMs + 1_510)
const [unpaid] = stepBill(worker, asking, heard(disputes()), startMs + 1_010)
const [healing] = stepBill(worker, asking, heard(disputes({}, 'WALL_TIME')), startMs + 1_010)

const onBill = (state: BillState, input: BillInput, atMs: number) => {
  const step = stepBill(worker, state, input, startMs + atMs)
  if (!deeds(step[1]).includes('tell countersigned')) checkStep<BillState>(state, step, requester)
  return [step[0].at, ...deeds(step[1])]
}
const asks = ['asking', 'record receipt', 'save', 'send RECEIPT']
const gaveUp = ['unpaid', 'save', 'tell unpaid']
const disputed = ['unpaid', 'record receipt-dispute', 'save', 'tell unpaid']
const counted = ['counting', 'record countersignature', 'save', 'tell countersigned']

const billRows: readonly [string, BillState, BillInput, number, readonly string[]][] = [
  ['counting: nothing before the interval is over', counting, wakes(999), 999, ['counting']],
  ['counting: a receipt when it is over', counting, wakes(1_000), 1_000, asks],
  ['counting: the last receipt at once when the work is over', counting, close, 200, asks],
  ['counting: a restart is nothing', counting, { is: 'restarted' }, 500, ['counting']],
  ['counting: a countersignature is nothing', counting, heard(signs()), 500, ['counting']],
  ['counting: a dispute is nothing', counting, heard(disputes()), 500, ['counting']],
  ['asking: the countersignature', asking, heard(signs()), 1_010, counted],
  ['asking: nothing before it is time to repeat', asking, wakes(1_999), 1_999, ['asking']],
  ['asking: the same receipt is repeated', asking, wakes(2_000), 2_000, ['asking', 'send RECEIPT']],
  ['asking: still repeated in the last moment', asking, wakes(15_999), 15_999, ['asking', 'send RECEIPT']],
  ['asking: unpaid after 15 s', asking, wakes(16_000), 16_000, gaveUp],
  ['asking: repeated after a restart', asking, { is: 'restarted' }, 1_100, ['asking', 'send RECEIPT']],
  ['asking: unpaid on a dispute', asking, heard(disputes()), 1_010, disputed],
  [
    'asking: a dispute that time may heal is kept, and asked for on',
    asking,
    heard(disputes({}, 'WALL_TIME')),
    1_010,
    ['asking', 'record receipt-dispute', 'save'],
  ],
  ['asking: the same dispute again is nothing', healing, heard(disputes({}, 'WALL_TIME')), 1_020, ['asking']],
  ['asking: a disputed receipt is repeated', healing, wakes(2_000), 2_000, ['asking', 'send RECEIPT']],
  ['asking: a dispute that healed', healing, heard(signs()), 3_000, counted],
  ['asking: a dispute that did not heal', healing, wakes(16_000), 16_000, gaveUp],
  [
    'asking: a dispute by another peer',
    asking,
    heard(disputes({}, 'WALL_TIME', stranger)),
    1_010,
    ['asking', 'blame SIGNER_UNEXPECTED'],
  ],
  [
    'asking: a dispute of a receipt that was never given',
    asking,
    heard(disputes({ receipt: sha256(Uint8Array.of(1)) })),
    1_010,
    ['asking', 'blame CHAIN_BROKEN'],
  ],
  [
    'counting: a second countersignature of what was signed',
    again,
    heard(signs({ issuedMs: startMs + 1 })),
    1_100,
    ['counting', 'blame EQUIVOCATION'],
  ],
  ['counting: the same countersignature again is lawful', again, heard(signs()), 1_100, ['counting']],
  [
    'settled: a second countersignature of the last receipt',
    settled,
    heard(signs({ issuedMs: startMs + 1 }, asker, last.receipt)),
    1_600,
    ['settled', 'blame EQUIVOCATION'],
  ],
  ['asking: a dispute of an earlier receipt is nothing', asking, heard(disputes({ sequence: 0 })), 1_010, ['asking']],
  [
    'asking: a dispute of another lease is nothing',
    asking,
    heard(disputes({ lease: '0'.repeat(64) })),
    1_010,
    ['asking'],
  ],
  ['asking: the end waits for the answer', asking, close, 1_500, ['asking', 'save']],
  ['asking: a message of another peer is nothing', asking, heard(signs(), nobody), 1_010, ['asking']],
  ['asking: a receipt is nothing', asking, heard({ say: 'receipt', receipt: first }), 1_010, ['asking']],
  [
    'asking: a countersignature by another peer',
    asking,
    heard(signs({}, stranger)),
    1_010,
    ['asking', 'blame SIGNER_UNEXPECTED'],
  ],
  [
    'asking: a countersignature of a receipt that was never given',
    asking,
    heard(signs({ receipt: sha256(Uint8Array.of(1)) })),
    1_010,
    ['asking', 'blame CHAIN_BROKEN'],
  ],
  [
    'asking: a countersignature of a number that was never given',
    asking,
    heard(signs({ sequence: 2 })),
    1_010,
    ['asking', 'blame CHAIN_BROKEN'],
  ],
  ['asking: a countersignature of an earlier number is lawful', last, heard(signs()), 1_510, ['asking']],
  [
    'asking: a countersignature of another lease is nothing',
    asking,
    heard(signs({ lease: '0'.repeat(64) })),
    1_010,
    ['asking'],
  ],
  [
    'asking: the last countersignature settles it',
    last,
    heard(signs({}, asker, last.receipt)),
    1_510,
    ['settled', 'record countersignature', 'save', 'tell countersigned'],
  ],
  ['settled: a countersignature twice is lawful', settled, heard(signs({}, asker, last.receipt)), 1_600, ['settled']],
  ['settled: a dispute is too late', settled, heard(disputes({ sequence: 2 })), 1_600, ['settled']],
  ['settled: a restart is nothing', settled, { is: 'restarted' }, 1_600, ['settled']],
  ['settled: nothing more is asked', settled, wakes(99_000), 99_000, ['settled']],
  ['settled: there is one end', settled, close, 1_600, ['settled']],
  ['unpaid: a countersignature comes too late', unpaid, heard(signs()), 2_000, ['unpaid']],
  ['unpaid: nothing more is asked', unpaid, wakes(99_000), 99_000, ['unpaid']],
  ['unpaid: a restart is nothing', unpaid, { is: 'restarted' }, 99_000, ['unpaid']],
  ['unpaid: there is no last receipt', unpaid, close, 2_000, ['unpaid']],
]

for (const [row, state, input, atMs, expected] of billRows)
  test(`provider, ${row}`, () => assert.deepEqual(onBill(state, input, atMs), expected))

test('what the provider waits for can be read off its state', () => {
  assert.deepEqual(
    [counting, asking, again, settled, unpaid].map((state) => billWakeAtMs(state)),
    [startMs + 1_000, startMs + 2_000, startMs + 1_010 + 2_000, undefined, undefined],
  )
})

test('each countersignature doubles the interval, up to the longest', () => {
  const account = new Account()
  const intervals: number[] = []
  let atMs = 0
  for (let round = 0; round < 5; round++) {
    const wakeMs = billWakeAtMs(account.bill)! - startMs
    intervals.push(wakeMs - atMs)
    atMs = wakeMs
    account.pays(atMs)
  }
  assert.deepEqual(intervals, [1_000, 2_000, 4_000, 4_000, 4_000])
})

test('each receipt names the one before it, and the first the lease', () => {
  const account = new Account().pays(1_000).pays(3_000).pays(7_000).ends(8_000)
  let previous = Buffer.from(account.lease.id, 'hex') as Uint8Array
  for (const [index, { receipt }] of account.receipts.entries()) {
    const { body } = openReceipt(asker, receipt)
    assert.equal(body.sequence, index + 1)
    assert.deepEqual(Buffer.from(body.previous), Buffer.from(previous))
    assert.equal(body.final, index === 3)
    assert.equal(body.result, index === 3 ? account.result.cid : '')
    previous = sha256(receipt)
  }
  assert.deepEqual([account.bill.at, account.pay.at], ['settled', 'settled'])
  assert.equal(account.pay.amountMicro, Math.ceil((8_000 * 1_000_000) / 3_600_000))
})

test('an end that had to wait follows the answer at once, and is the end', () => {
  const [waiting] = stepBill(worker, asking, close, startMs + 1_500)
  const [next, effects] = stepBill(worker, waiting, heard(signs()), startMs + 1_600)
  assert.deepEqual(deeds(effects), [
    'record countersignature',
    'save',
    'tell countersigned',
    'record receipt',
    'save',
    'send RECEIPT',
  ])
  assert.ok(next.at === 'asking' && next.receipt.body.final && next.receipt.body.sequence === 2)
  assert.deepEqual(next.receipt.body.usage, worked(1_500))
})

test('a meter that began anew does not make the chain go down', () => {
  const [next] = stepBill(worker, again, { is: 'wake', usage: worked(10) }, startMs + 9_000)
  assert.ok(next.at === 'asking')
  assert.deepEqual(next.receipt.body.usage, worked(1_000))
})

test('a restart gives the requester the whole time again', () => {
  const [after] = stepBill(worker, asking, { is: 'restarted' }, startMs + 15_000)
  assert.deepEqual(onBill(after, wakes(29_999), 29_999), ['asking', 'send RECEIPT'])
  assert.deepEqual(onBill(after, wakes(30_000), 30_000), gaveUp)
})

// The requester's half.
const account0 = openAccount(lease)
const pay = (
  state: PayState,
  receipt: Signed<Receipt>,
  { from = provider, ...over }: Partial<Measured> & { from?: string } = {},
) => {
  const { usage } = receipt.body
  const agreed = { cid: result, gas: usage.gas, outBytes: 0 }
  const message: Billing = { say: 'receipt', receipt }
  const measured = measuredOf(usage.wallMs, { result: agreed, ...over })
  const step = stepPay(asker, state, { is: 'message', from, message, measured }, startMs + 1_020)
  checkStep<PayState>(state, step, provider)
  return step
}
const onPay = (...args: Parameters<typeof pay>) => {
  const [state, effects] = pay(...args)
  return [state.at, state.sequence, ...deeds(effects)]
}
const resealed = (over: Partial<Receipt>, by = worker, from = first) => sealReceipt(by, { ...from.body, ...over })
const countersigns = [
  'record receipt',
  'record countersignature',
  'save',
  'send COUNTERSIGNATURE',
  'tell countersigned',
]
const disputing = ['record receipt', 'record receipt-dispute', 'save', 'send DISPUTE', 'tell disputed']
const [account1] = pay(account0, first)
const second = resealed({
  sequence: 2,
  previous: sha256(first.envelope),
  usage: worked(3_000),
  amountMicro: amountOwed(lease, worked(3_000)),
})
const final = resealed({ final: true, result }, worker, second)

test('receipt and countersignature are written down before the answer is sent', () => {
  assert.deepEqual(onPay(account0, first), ['paying', 1, ...countersigns])
  assert.deepEqual(onPay(account1, second), ['paying', 2, ...countersigns])
  assert.deepEqual(onPay(account1, final), ['settled', 2, ...countersigns])
})

test('a receipt that comes again gets the same countersignature, byte for byte', () => {
  const [, original] = pay(account0, first)
  const sent = messageOf(original[3]!)
  for (const state of [account1, pay(account1, final)[0]]) {
    const repeated = state === account1 ? first : final
    const [after, effects] = pay(state, repeated, { result: null, wallMs: 0 })
    assert.equal(after, state)
    assert.deepEqual(deeds(effects), ['send COUNTERSIGNATURE'])
    if (state === account1) assert.deepEqual(messageOf(effects[0]!), sent)
  }
})

test('what no honest provider signs is a fault, and is not countersigned', () => {
  const rows: readonly [string, PayState, Signed<Receipt>, string][] = [
    ['a number skipped', account0, second, 'SEQUENCE_GAP'],
    ['another predecessor', account1, resealed({ previous: sha256(Uint8Array.of(1)) }, worker, second), 'CHAIN_BROKEN'],
    ['the first that names no lease', account0, resealed({ previous: new Uint8Array(32) }), 'CHAIN_BROKEN'],
    ['a fork', account1, resealed({ issuedMs: startMs }), 'EQUIVOCATION'],
    ['a fork that asks for less', account1, resealed({ usage: worked(0), amountMicro: 0 }), 'EQUIVOCATION'],
    ['another signer', account0, resealed({}, stranger), 'SIGNER_UNEXPECTED'],
    ['a fork by another signer', account1, resealed({ issuedMs: 1 }, stranger), 'SIGNER_UNEXPECTED'],
    ['another job', account0, resealed({ job: other.job }), 'FIELD_INVALID'],
    ['another slot', account0, resealed({ slot: 1 }), 'FIELD_INVALID'],
    ['another epoch', account0, resealed({ epoch: 2 }), 'FIELD_INVALID'],
    ['another requester', account0, resealed({ requester: nobody }), 'FIELD_INVALID'],
    ['another unit', account0, resealed({ unit: 'shell' }), 'FIELD_INVALID'],
    ...usageNames
      .filter((name) => full1.usage[name] > 0)
      .map((name): [string, PayState, Signed<Receipt>, string] => {
        const less = { ...full1.usage, [name]: full1.usage[name] - 1 }
        const next = { sequence: 2, previous: full1.previous, usage: less, amountMicro: amountOwed(wholeLease, less) }
        return [`${name} that falls`, full1, sealReceipt(worker, { ...fullBody, ...next }), 'USAGE_FELL']
      }),
    ['an amount that falls', account1, resealed({ amountMicro: 0 }, worker, second), 'USAGE_FELL'],
    ['a micro-unit too much', account0, resealed({ amountMicro: first.body.amountMicro + 1 }), 'OVERCHARGED'],
    ['a micro-unit too little', account0, resealed({ amountMicro: first.body.amountMicro - 1 }), 'OVERCHARGED'],
    ['over the ceiling', account0, resealed({ amountMicro: lease.ceilingMicro + 1 }), 'OVERCHARGED'],
    [
      'a receipt after the final one',
      pay(account1, final)[0],
      resealed({ sequence: 3, previous: sha256(final.envelope) }, worker, final),
      'OUT_OF_TURN',
    ],
    ['the final one twice, differently', pay(account1, final)[0], second, 'EQUIVOCATION'],
  ]
  for (const [what, state, receipt, code] of rows)
    assert.deepEqual(onPay(state, receipt), [state.at, state.sequence, `blame ${code}`], what)
})

test('what is for somebody else is nothing', () => {
  const nothing = [account0.at, 0]
  assert.deepEqual(onPay(account0, first, { from: nobody }), nothing)
  assert.deepEqual(onPay(account0, resealed({ lease: '0'.repeat(64) })), nothing)
  assert.deepEqual(
    onPay(pay(account1, second)[0], first),
    ['paying', 2, 'tell ignored'],
    'an older receipt, late on its way',
  )
  const [, [ignored]] = pay(pay(account1, second)[0], first)
  assert.ok(ignored?.do === 'tell' && ignored.event.happened === 'ignored')
  assert.deepEqual(ignored.event.because, { code: 'REPLAYED', facts: { sequence: 1, last: 2 } })
  for (const message of [signs(), disputes()]) {
    const input = { is: 'message', from: provider, message, measured: measuredOf(0) } as const
    assert.deepEqual(stepPay(asker, account0, input, startMs), [account0, []])
  }
})

test('two percent and two seconds more wall time than measured is let pass; a millisecond more is disputed', () => {
  const claims = (wallMs: number, measuredMs: number) => {
    const usage = worked(wallMs)
    const receipt = resealed({ usage, amountMicro: amountOwed(lease, usage) })
    return onPay(account0, receipt, { wallMs: measuredMs }).slice(2)
  }
  assert.deepEqual(claims(2_000, 0), countersigns)
  assert.deepEqual(claims(2_001, 0), disputing)
  assert.deepEqual(claims(104_000, 100_000), countersigns)
  assert.deepEqual(claims(104_001, 100_000), disputing)
})

/** A lease of memory, disk and GPUs, with a price for each thing that is counted. */
const wholeLease = billedLease(
  leaseOf({
    cpuHourMicro: 1_000_001,
    gigaGasMicro: 700,
    memoryGibHourMicro: 300_007,
    gpuHourMicro: 2_000_003,
    inGibMicro: 5_000_011,
    outGibMicro: 9_000_007,
    storeGibHourMicro: 40_009,
    memoryBytes: 2 ** 30,
    diskBytes: 3 * 2 ** 30,
    gpus: 2,
  }),
)
const full = (wallMs: number, outBytes = 0) =>
  usageOf(wholeLease, { wallMs, cpuMs: wallMs, gas: wallMs * 1_000_000, inBytes, outBytes })
const fullBody: Receipt = {
  ...first.body,
  lease: wholeLease.id,
  previous: Buffer.from(wholeLease.id, 'hex'),
  usage: full(10_000),
  amountMicro: amountOwed(wholeLease, full(10_000)),
}
const fullFirst = sealReceipt(worker, fullBody)
const [full1] = pay(openAccount(wholeLease), fullFirst)

test('each usage that the requester can measure is disputed at the first unit too much, and nothing is signed', () => {
  const body = { ...fullBody, sequence: 2, previous: full1.previous }
  const most = full(20_000)
  const result1 = { cid: result, gas: most.gas, outBytes: 4_096 }
  const last = { ...most, outBytes: 4_096 }
  const at = (usage: Usage, over: Partial<Receipt> = {}) =>
    sealReceipt(worker, { ...body, usage, amountMicro: amountOwed(wholeLease, usage), ...over })
  const final = { final: true, result }
  const rows: readonly [string, Signed<Receipt>, Partial<Measured>, Record<string, number | string>][] = [
    ['WALL_TIME', at(full(20_001)), { wallMs: 17_647 }, { claimedMs: 20_001, allowedMs: 20_000 }],
    ['MEMORY_TIME', at({ ...most, memMibS: most.memMibS + 1 }), {}, { claimedMibS: 20_481, allowedMibS: 20_480 }],
    ['GPU_TIME', at({ ...most, gpuMs: most.gpuMs + 1 }), {}, { claimedMs: 40_001, allowedMs: 40_000 }],
    ['STORE_TIME', at({ ...most, storeMibS: most.storeMibS + 1 }), {}, { claimedMibS: 61_441, allowedMibS: 61_440 }],
    ['IN_BYTES', at({ ...most, inBytes: 12 }), {}, { claimedBytes: 12, allowedBytes: 11 }],
    ['OUT_BYTES', at({ ...most, outBytes: 1 }), { result: result1 }, { claimedBytes: 1, allowedBytes: 0 }],
    [
      'OUT_BYTES',
      at({ ...last, outBytes: 4_097 }, final),
      { result: result1 },
      { claimedBytes: 4_097, allowedBytes: 4_096 },
    ],
    [
      'GAS_RATE',
      at({ ...most, gas: 672_000_000_001 }),
      {},
      { claimedGas: 672_000_000_001, allowedGas: 672_000_000_000 },
    ],
    [
      'GAS_RATE',
      at({ ...most, gas: 10_000_000_001 }),
      { gasMax: 10 ** 10 },
      { claimedGas: 10 ** 10 + 1, allowedGas: 10 ** 10 },
    ],
    [
      'GAS_DIFFERS',
      at({ ...last, gas: last.gas + 1 }, final),
      { result: result1 },
      { claimedGas: last.gas + 1, resultGas: last.gas },
    ],
    [
      'GAS_DIFFERS',
      at({ ...last, gas: last.gas - 1 }, final),
      { result: result1 },
      { claimedGas: last.gas - 1, resultGas: last.gas },
    ],
    ['RESULT_DIFFERS', at(last, { final: true, result: other.job }), { result: result1 }, { claimed: other.job }],
    ['ISSUED_AHEAD', at(most, { issuedMs: startMs + 31_021 }), {}, { aheadMs: 30_001, allowedMs: 30_000 }],
  ]
  assert.deepEqual(onPay(full1, at(most)), ['paying', 2, ...countersigns])
  assert.deepEqual(onPay(full1, at(most, { issuedMs: startMs + 31_020 })), ['paying', 2, ...countersigns])
  assert.deepEqual(onPay(full1, at(last, final), { result: result1 }), ['settled', 2, ...countersigns])
  for (const [code, receipt, over, facts] of rows) {
    const [state, effects] = pay(full1, receipt, { wallMs: 20_000, ...over })
    assert.deepEqual([state.at, state.sequence, ...deeds(effects)], ['paying', 1, ...disputing], code)
    const said = messageOf(effects[3]!)
    assert.ok(said.say === 'dispute')
    const { body: dispute } = openDispute(worker, said.dispute.envelope)
    assert.deepEqual(dispute.refusal, { code, facts })
    assert.deepEqual([dispute.lease, dispute.sequence, dispute.receipt], [wholeLease.id, 2, sha256(receipt.envelope)])
  }
})

test('a receipt that is issued a day after the longest end of its lease is out of date', () => {
  const expiresMs = startMs + 60_000 + 10_000 + 24 * 3_600_000
  const issued = (issuedMs: number) => {
    const message: Billing = { say: 'receipt', receipt: resealed({ issuedMs }) }
    const input = { is: 'message', from: provider, message, measured: measuredOf(1_000) } as const
    return stepPay(asker, account0, input, issuedMs)[1]
  }
  assert.equal(lease.expiresMs, expiresMs)
  assert.deepEqual(deeds(issued(expiresMs + 30_000)), countersigns)
  const told = issued(expiresMs + 30_001)[4]
  assert.ok(told?.do === 'tell' && told.event.happened === 'disputed')
  assert.equal(told.event.because.code, 'LEASE_EXPIRED')
})

test('a dispute is signed once, and its receipt is countersigned when it has become right', () => {
  const usage = worked(5_000)
  const receipt = resealed({ usage, amountMicro: amountOwed(lease, usage) })
  const [state, effects] = pay(account0, receipt, { wallMs: 1_000 })
  const [repeated, more] = pay(state, receipt, { wallMs: 1_100 })
  assert.equal(repeated, state)
  assert.deepEqual(more, [effects[3]])
  assert.deepEqual(onPay(state, receipt, { wallMs: 3_000 }), ['paying', 1, ...countersigns])
  // Another receipt of the number that is disputed is a fork, and both are shown.
  const [, [blame]] = pay(state, first)
  assert.ok(blame?.do === 'blame' && blame.fault instanceof EquivocationFault)
  assert.deepEqual(provesEquivocation(stranger, blame.fault), { by: provider, of: 'receipt', lease: lease.id })
})

test('a fork proves itself to a third peer, whoever signed it', () => {
  const [, [ofReceipt]] = pay(account1, resealed({ issuedMs: startMs }))
  assert.ok(ofReceipt?.do === 'blame' && ofReceipt.fault instanceof EquivocationFault)
  assert.deepEqual(provesEquivocation(stranger, ofReceipt.fault), { by: provider, of: 'receipt', lease: lease.id })
  const [, [ofSigned]] = stepBill(worker, again, heard(signs({ issuedMs: startMs + 1 })), startMs + 1_100)
  assert.ok(ofSigned?.do === 'blame' && ofSigned.fault instanceof EquivocationFault)
  assert.deepEqual(provesEquivocation(stranger, ofSigned.fault), {
    by: requester,
    of: 'countersignature',
    lease: lease.id,
  })
})

test('a dispute that does not heal ends in unpaid at the provider, for the reason that it gave', () => {
  const account = new Account()
  const [claiming] = stepBill(worker, account.bill, wakes(5_000), startMs + 5_000)
  assert.ok(claiming.at === 'asking')
  const answer = account.answer({ say: 'receipt', receipt: claiming.receipt }, startMs + 1_000)
  assert.equal(answer?.say, 'dispute')
  const [waiting] = stepBill(worker, claiming, heard(answer), startMs + 5_010)
  assert.equal(waiting.at, 'asking')
  const [after] = stepBill(worker, waiting, wakes(20_000), startMs + 20_000)
  assert.equal(after.at === 'unpaid' && after.because.code, 'WALL_TIME')
})

test('the final receipt waits for the result that was verified', () => {
  assert.deepEqual(onPay(account1, final, { result: null }), ['paying', 1])
  assert.deepEqual(onPay(account1, second, { result: null }), ['paying', 2, ...countersigns], 'others do not')
  assert.deepEqual(onPay(account1, final), ['settled', 2, ...countersigns])
})

test('no usage and no terms ask for more than the ceiling', () => {
  const safe = fc.nat(microMax)
  fc.assert(
    fc.property(safe, safe, safe, safe, (wallMs, cpuMilli, cpuHourMicro, ceilingMicro) => {
      const owed = amountOwed({ ...freeTariff, cpuMilli, cpuHourMicro, ceilingMicro }, { ...worked(0), wallMs })
      const exact = (BigInt(wallMs) * BigInt(cpuMilli) * BigInt(cpuHourMicro) + 3_599_999_999n) / 3_600_000_000n
      assert.equal(BigInt(owed), exact < BigInt(ceilingMicro) ? exact : BigInt(ceilingMicro))
    }),
  )
  // An absurd claim at a high price is disputed, and does not bring the requester down.
  const dear = billedLease(leaseOf({ cpuMilli: 64_000, cpuHourMicro: 2_000_000_000 }))
  const usage = usageOf(dear, { ...worked(0), wallMs: microMax })
  const body = { ...first.body, lease: dear.id, previous: Buffer.from(dear.id, 'hex'), usage }
  const claim = sealReceipt(worker, { ...body, amountMicro: dear.ceilingMicro })
  assert.deepEqual(onPay(openAccount(dear), claim, { wallMs: 1_000 }), ['paying', 0, ...disputing])
})

test('at the ceiling the chain goes on, and asks for no more', () => {
  const account = new Account({ ceilingMicro: 300 }).pays(1_000).pays(3_000).pays(7_000).ends(8_000)
  const amounts = account.receipts.map(({ receipt }) => openReceipt(asker, receipt).body.amountMicro)
  assert.deepEqual(amounts, [278, 300, 300, 300])
  assert.equal(account.pay.at, 'settled')
})

test('whatever is lost, late or doubled: both sides end with one chain, and nobody is blamed', () => {
  const fates = fc.array(fc.array(fc.nat(4_000), { maxLength: 3 }), { maxLength: 24 })
  fc.assert(
    fc.property(
      fates,
      fc.integer({ min: 1, max: 20_000 }),
      fc.array(fc.nat(40_000), { maxLength: 2 }),
      (plan, workMs, restarts) => {
        const account = new Account()
        const queue: { atMs: number; run: () => void }[] = []
        let sent = 0
        let nowMs = 0
        const deliver = (hear: () => void) => {
          for (const delayMs of plan[sent++] ?? [10]) queue.push({ atMs: nowMs + delayMs, run: hear })
        }
        const bill = (input: BillInput) => {
          const [state, effects] = stepBill(worker, account.bill, input, startMs + nowMs)
          account.bill = state
          for (const effect of effects) {
            assert.notEqual(effect.do, 'blame')
            if (effect.do === 'send') deliver(() => answer(encodeBilling(effect.message)))
          }
        }
        const answer = (bytes: Uint8Array) => {
          const said = account.answer(decodeBilling(asker, bytes), startMs + nowMs)
          if (said === undefined) return
          assert.equal(said.say, 'countersignature')
          const frame = encodeBilling(said)
          deliver(() => bill({ is: 'message', from: requester, message: decodeBilling(worker, frame) }))
        }
        queue.push({
          atMs: workMs,
          run: () => bill({ is: 'close', usage: worked(workMs), result: account.result.cid }),
        })
        for (const atMs of restarts) queue.push({ atMs, run: () => bill({ is: 'restarted' }) })
        for (let turns = 0; turns < 1_000; turns++) {
          queue.sort((left, right) => left.atMs - right.atMs)
          const wakeMs = nowMs > workMs && account.bill.at === 'counting' ? undefined : billWakeAtMs(account.bill)
          const next = queue[0]
          if (next === undefined && wakeMs === undefined) break
          if (next !== undefined && (wakeMs === undefined || next.atMs <= wakeMs - startMs)) {
            queue.shift()
            nowMs = Math.max(nowMs, next.atMs)
            next.run()
          } else {
            nowMs = Math.max(nowMs, wakeMs! - startMs)
            bill(wakes(Math.min(nowMs, workMs)))
          }
        }
        if (account.bill.at === 'settled') {
          assert.equal(account.pay.at, 'settled')
          assert.deepEqual([account.bill.sequence, account.bill.usage], [account.pay.sequence, account.pay.usage])
          assert.deepEqual(account.bill.previous, account.pay.previous)
        } else {
          assert.equal(account.bill.at, 'unpaid')
          // Never more than one receipt apart: neither side risks more than one interval.
          assert.ok(account.pay.sequence - account.bill.sequence <= 1)
        }
      },
    ),
    { numRuns: 80 },
  )
})

const messages: Readonly<Record<string, Billing>> = {
  RECEIPT: { say: 'receipt', receipt: first },
  'the last RECEIPT': { say: 'receipt', receipt: final },
  COUNTERSIGNATURE: signs(),
  DISPUTE: disputes({ refusal: { code: 'WALL_TIME', facts: { claimedMs: 1, allowedMs: 0 } } }),
}

for (const [name, message] of Object.entries(messages)) {
  test(`${name} reads back as it was written, and a flipped bit changes nothing that is signed`, () => {
    const bytes = encodeBilling(message)
    assert.ok(bytes.byteLength <= receiptLimits.frameBytesMax)
    assert.deepEqual(decodeBilling(asker, bytes), message)
    fc.assert(
      fc.property(fc.nat(bytes.byteLength * 8 - 1), (bit) => {
        let read: Billing | undefined
        const code = faultOf(() => {
          read = decodeBilling(asker, flipped(bytes, bit))
        })
        if (code === 'no fault') assert.deepEqual(read, message)
      }),
      { numRuns: 150 },
    )
  })
}

test('random bytes are a fault and nothing worse', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) =>
      assert.notEqual(
        faultOf(() => decodeBilling(asker, bytes)),
        'no fault',
      ),
    ),
    { numRuns: 300 },
  )
})

test('a receipt that no honest provider makes is a fault by itself', () => {
  const code = (over: Partial<Receipt>) => faultOf(() => openReceipt(asker, resealed(over).envelope))
  assert.equal(code({}), 'no fault')
  assert.equal(code({ sequence: 0 }), 'FIELD_INVALID', 'receipts are counted from 1')
  assert.equal(code({ final: true }), 'FIELD_INVALID', 'the final one names a result')
  assert.equal(code({ result }), 'FIELD_INVALID', 'only the final one does')
  assert.equal(code({ amountMicro: 2 ** 53 }), 'NUMBER_TOO_LARGE')
  for (const name of usageNames) {
    assert.equal(code({ usage: { ...worked(1), [name]: 2 ** 53 } }), 'NUMBER_TOO_LARGE', name)
    // As a program writes -1 that takes the field for a signed one.
    assert.equal(code({ usage: { ...worked(1), [name]: 2 ** 64 - 2 ** 11 } }), 'NUMBER_NEGATIVE', name)
  }
  assert.equal(code({ requester: 'somebody' }), 'FIELD_INVALID')
  assert.equal(code({ previous: new Uint8Array(31) }), 'FIELD_INVALID')
})
