/** A receipt file that the two machines made verifies; whatever is changed in it afterwards is found, and where. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'
import { fromString } from 'uint8arrays'

import { sealResult } from '../../protocols/execute/index.ts'
import { sealAccept, sealAward, sealCommit } from '../../protocols/negotiate/index.ts'
import {
  amountOwed,
  noUsage,
  openReceipt,
  receiptType,
  sealCountersignature,
  sealDispute,
  sealReceipt,
  usageOf,
  type Dispute,
  type Receipt,
  type Usage,
} from '../../protocols/receipt/index.ts'
import { billOf, verifyReceiptFile, type ReceiptFile } from '../../protocols/receipt/verify.ts'
import {
  cidOfDocument,
  freeTariff,
  microMax,
  peekEnvelope,
  sealEnvelope,
  sha256,
  tariffNames,
  type Tariff,
} from '../../protocols/wire/index.ts'
import {
  asker,
  awardTerms,
  flipped,
  job,
  nobody,
  other,
  provider,
  requester,
  startMs,
  stranger,
  worker,
} from '../negotiate/parties.ts'
import { Account, base64, documentOf, worked } from './accounts.ts'

const account = new Account().pays(1_000).pays(3_000).pays(7_000).ends(7_500)
const good = account.file()
const elsewhere = new Account({ epoch: 2 }).pays(1_000).ends(3_000).file()

/** Where each statement stands in the file. */
const places = [
  'lease.award',
  'lease.accept',
  'lease.commit',
  'result',
  ...good.receipts.flatMap((_, index) => [`receipts.${index}.receipt`, `receipts.${index}.countersignature`]),
]

type Tree = Record<string, unknown>
const read = (file: unknown, place: string): unknown => place.split('.').reduce((at, step) => (at as Tree)[step], file)
function changed(place: string, value: unknown, file: ReceiptFile = good): ReceiptFile {
  const copy = structuredClone(file) as unknown as Tree
  const steps = place.split('.')
  const last = steps.pop()!
  const holder = steps.reduce<Tree>((at, step) => at[step] as Tree, copy)
  holder[last] = value
  return copy as unknown as ReceiptFile
}
const verdictAt = (file: unknown): string => {
  const verdict = verifyReceiptFile(file)
  return verdict.ok ? 'ok' : verdict.at
}

test('a file of the real machines verifies, and says what was agreed', () => {
  assert.deepEqual(verifyReceiptFile(good), {
    ok: true,
    kind: 'pleach-receipts',
    credential: null,
    network: good.network,
    lease: account.lease.id,
    job,
    slot: 0,
    epoch: 1,
    provider,
    requester,
    agreedMs: startMs,
    lastMs: startMs + 7_500,
    unit: 'credit',
    tariff: { ...freeTariff, cpuHourMicro: 1_000_000 },
    cpuMilli: 1_000,
    ceiling: '1',
    receipts: 4,
    bothSigned: 4,
    // 7.5 s of one processor at 1.0 an hour, rounded up.
    payable: '0.002084',
    usage: worked(7_500),
    claimed: { amount: '0.002084', usage: worked(7_500) },
    final: true,
    result: account.result.cid,
    ended: { reason: 'exited', exitCode: 0 },
    disputes: [],
  })
  assert.equal(places.length, 12)
})

test('a file read back from text verifies as well', () => {
  assert.equal(verdictAt(JSON.parse(JSON.stringify(good))), 'ok')
})

test('a lease that was never billed, and one that is not over yet, verify as what they are', () => {
  const unbilled = verifyReceiptFile({ ...good, receipts: [], result: null })
  assert.deepEqual(unbilled.ok && [unbilled.receipts, unbilled.final, unbilled.payable, unbilled.lastMs], [
    0,
    false,
    '0',
    null,
  ])
  const open = verifyReceiptFile({ ...good, receipts: good.receipts.slice(0, 2) })
  assert.deepEqual(open.ok && [open.receipts, open.bothSigned, open.final, open.result], [2, 2, false, ''])
})

test('what is owed is what both have signed last, whatever else the provider claims', () => {
  const amounts = ['0.000278', '0.000834', '0.001945', '0.002084']
  for (const index of good.receipts.keys()) {
    const half = verifyReceiptFile(changed(`receipts.${index}.countersignature`, null))
    assert.ok(half.ok)
    const last = index === 3 ? 2 : 3
    assert.deepEqual([half.bothSigned, half.payable, half.claimed.amount], [3, amounts[last], amounts[3]])
    assert.deepEqual([half.usage.wallMs, half.claimed.usage.wallMs], [[7_500, 7_500, 7_500, 7_000][index], 7_500])
  }
  const none = good.receipts.map(({ receipt }) => ({ receipt, countersignature: null }))
  const unsigned = verifyReceiptFile({ ...good, receipts: none })
  assert.deepEqual(unsigned.ok && [unsigned.bothSigned, unsigned.payable, unsigned.usage], [0, '0', noUsage])
})

test('the bill has a line for each thing that is paid for, and they come to what is owed', () => {
  const verdict = verifyReceiptFile(good)
  assert.ok(verdict.ok)
  const tariff = Object.fromEntries(
    tariffNames.map((name, index) => [name, (index + 1) * 10 ** 9]),
  ) as unknown as Tariff
  for (const prices of [verdict.tariff, tariff]) {
    const bill = billOf({ ...verdict, tariff: prices })
    const sum = bill.reduce((total, { amountMicro }) => total + amountMicro, 0)
    assert.equal(sum, amountOwed({ ...prices, cpuMilli: 1_000, ceilingMicro: microMax }, verdict.usage))
    assert.deepEqual(
      bill.map(({ of, quantity }) => [of, quantity]),
      [
        ['wall', verdict.usage.wallMs],
        ['gas', verdict.usage.gas],
        ['memory', verdict.usage.memMibS],
        ['gpu', verdict.usage.gpuMs],
        ['in', verdict.usage.inBytes],
        ['out', verdict.usage.outBytes],
        ['storage', verdict.usage.storeMibS],
      ],
    )
  }
})

test('a dispute is of a receipt that is here, by the requester, and is told', () => {
  const { envelope } = openReceipt(worker, account.receipts[1]!.receipt)
  const because = { code: 'WALL_TIME', facts: { claimedMs: 3_000, allowedMs: 2_900 } }
  const body = { lease: account.lease.id, sequence: 2, receipt: sha256(envelope), refusal: because, issuedMs: startMs }
  const disputed = (over: Partial<Dispute> = {}, by = asker): ReceiptFile => ({
    ...good,
    disputes: [base64(sealDispute(by, { ...body, ...over }).envelope)],
  })
  const verdict = verifyReceiptFile(disputed())
  assert.deepEqual(verdict.ok && verdict.disputes, [{ sequence: 2, ...because, issuedMs: startMs, resolved: true }])
  const open = verifyReceiptFile({
    ...disputed(),
    receipts: good.receipts.map((entry, index) => (index === 0 ? entry : { ...entry, countersignature: null })),
  })
  assert.deepEqual(open.ok && open.disputes.map(({ resolved }) => resolved), [false])
  const codeAt = (file: unknown): string => {
    const bad = verifyReceiptFile(file)
    return bad.ok ? 'ok' : `${bad.code} at ${bad.at}`
  }
  assert.equal(codeAt(disputed({}, worker)), 'SIGNER_UNEXPECTED at disputes.0')
  assert.equal(codeAt(disputed({ sequence: 1 })), 'CHAIN_BROKEN at disputes.0')
  assert.equal(codeAt(disputed({ sequence: 5 })), 'CHAIN_BROKEN at disputes.0')
  assert.equal(codeAt(disputed({ lease: 'ab'.repeat(32) })), 'CHAIN_BROKEN at disputes.0')
  assert.equal(codeAt({ ...good, disputes: [good.receipts[0]!.countersignature!] }), 'DOMAIN_UNEXPECTED at disputes.0')
})

test('each way in which receipts are wrong has its code', () => {
  const entries = good.receipts
  const { body } = openReceipt(worker, account.receipts[1]!.receipt)
  const signed = (over: Partial<Receipt>, by = worker): ReceiptFile =>
    changed('receipts.1', { receipt: base64(sealReceipt(by, { ...body, ...over }).envelope), countersignature: null })
  // Behind what was said, and so in its place: usage with a gas of -1, as protobuf writes it.
  const payload = peekEnvelope(good.network, receiptType, account.receipts[1]!.receipt).body
  const minusOne = Uint8Array.of(0x42, 0x0b, 0x28, ...Array.from<number>({ length: 9 }).fill(0xff), 0x01)
  const negative = sealEnvelope(worker.signer, good.network, receiptType, Uint8Array.of(...payload, ...minusOne))
  const used = (over: Partial<Usage>): Partial<Receipt> => ({ usage: { ...body.usage, ...over } })
  const rows: readonly [string, ReceiptFile, string, string][] = [
    ['replayed', { ...good, receipts: [entries[0]!, entries[0]!] }, 'REPLAYED', 'receipts.1.receipt'],
    [
      'forked',
      { ...signed({}), receipts: [entries[0]!, entries[1]!, signed({ issuedMs: 1 }).receipts[1]!] },
      'EQUIVOCATION',
      'receipts.2.receipt',
    ],
    ['reordered', { ...good, receipts: [entries[1]!, entries[0]!] }, 'SEQUENCE_GAP', 'receipts.0.receipt'],
    ['of another chain', signed({ previous: new Uint8Array(32) }), 'CHAIN_BROKEN', 'receipts.1.receipt'],
    ['decreasing', signed(used({ cpuMs: 999 })), 'USAGE_FELL', 'receipts.1.receipt'],
    ['negative', changed('receipts.1.receipt', base64(negative)), 'NUMBER_NEGATIVE', 'receipts.1.receipt'],
    ['2^53', signed(used({ gas: 2 ** 53 })), 'NUMBER_TOO_LARGE', 'receipts.1.receipt'],
    ['2^53 in the amount', signed({ amountMicro: 2 ** 53 }), 'NUMBER_TOO_LARGE', 'receipts.1.receipt'],
    ['dearer', signed({ amountMicro: body.amountMicro + 1 }), 'OVERCHARGED', 'receipts.1.receipt'],
    ['by another', signed({}, stranger), 'SIGNER_UNEXPECTED', 'receipts.1.receipt'],
    [
      'after the final one',
      { ...good, receipts: [...entries, { ...signed({ sequence: 5 }).receipts[1]! }] },
      'OUT_OF_TURN',
      'receipts.4.receipt',
    ],
    ['of another network', { ...good, network: 'elsewhere' }, 'NETWORK_FOREIGN', 'lease.award'],
    [
      'of another domain',
      changed('receipts.0.receipt', entries[0]!.countersignature),
      'DOMAIN_UNEXPECTED',
      'receipts.0.receipt',
    ],
    [
      'half of the other',
      changed('receipts.0.countersignature', entries[1]!.countersignature),
      'CHAIN_BROKEN',
      'receipts.0.countersignature',
    ],
    [
      'another result',
      changed('result', base64(sealResult(worker, documentOf(account.lease, { detail: 'x' })).envelope)),
      'RESULT_DIFFERS',
      'receipts.3.receipt',
    ],
  ]
  for (const [name, file, code, at] of rows) {
    const verdict = verifyReceiptFile(file)
    assert.deepEqual(verdict.ok ? 'ok' : [verdict.code, verdict.at], [code, at], name)
  }
})

test('a bit flipped in any statement is found where it is', () => {
  for (const place of places) {
    const bytes = fromString(read(good, place) as string, 'base64pad')
    fc.assert(
      fc.property(fc.nat(bytes.byteLength * 8 - 1), (bit) =>
        assert.equal(verdictAt(changed(place, base64(flipped(bytes, bit)))), place),
      ),
      { numRuns: 20 },
    )
  }
})

test('a character changed in the text of any statement is found where it is', () => {
  const character = fc.constantFrom('A', 'Z', 'a', '0', '9', '+', '/', '=', '-', '_', ' ', '\n', '"', 'é')
  for (const place of places) {
    const text = read(good, place) as string
    fc.assert(
      fc.property(fc.nat(text.length - 1), character, (index, letter) => {
        if (text[index] === letter) return
        assert.equal(verdictAt(changed(place, text.slice(0, index) + letter + text.slice(index + 1))), place)
      }),
      { numRuns: 20 },
    )
  }
})

test('padding within a statement is found, also where the decoder would let it pass', () => {
  const place = 'receipts.0.countersignature'
  const text = read(good, place) as string
  for (const index of text.replaceAll('=', '').split('').keys())
    assert.equal(verdictAt(changed(place, `${text.slice(0, index)}=${text.slice(index + 1)}`)), place)
})

test('a statement cut short, made longer or emptied is found where it is', () => {
  for (const place of places) {
    const bytes = fromString(read(good, place) as string, 'base64pad')
    const wrong = ['', base64(bytes.subarray(1)), base64(bytes.subarray(0, -1)), base64(Uint8Array.of(...bytes, 0))]
    for (const text of wrong) assert.equal(verdictAt(changed(place, text)), place)
  }
})

test('any statement in the place of any other is found where it is', () => {
  for (const place of places) {
    for (const from of places) {
      if (from !== place) assert.equal(verdictAt(changed(place, read(good, from))), place, `${from} as ${place}`)
    }
  }
})

test('a statement of another lease of the same peers is found', () => {
  const rows: readonly [string, string][] = [
    // An award is lawful by itself: the first that does not belong to it is found.
    ['lease.award', 'lease.accept'],
    ['lease.accept', 'lease.accept'],
    ['lease.commit', 'lease.commit'],
    ['result', 'result'],
    ['receipts.0.receipt', 'receipts.0.receipt'],
    ['receipts.0.countersignature', 'receipts.0.countersignature'],
    ['receipts.1.receipt', 'receipts.1.receipt'],
    ['receipts.1.countersignature', 'receipts.1.countersignature'],
  ]
  assert.equal(verdictAt(elsewhere), 'ok')
  for (const [place, at] of rows) assert.equal(verdictAt(changed(place, read(elsewhere, place))), at, place)
  assert.equal(verdictAt({ ...good, lease: elsewhere.lease }), 'result')
  assert.equal(verdictAt({ ...good, lease: elsewhere.lease, result: null }), 'receipts.0.receipt')
})

test('a receipt dropped, doubled or moved is found at the first that does not follow', () => {
  const { receipts } = good
  for (const index of receipts.keys()) {
    const dropped = receipts.toSpliced(index, 1)
    const isLast = index === receipts.length - 1
    assert.equal(verdictAt({ ...good, receipts: dropped }), isLast ? 'ok' : `receipts.${index}.receipt`)
    const doubled = receipts.toSpliced(index, 0, receipts[index]!)
    assert.equal(verdictAt({ ...good, receipts: doubled }), `receipts.${index + 1}.receipt`)
  }
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), (order) => {
      const firstWrong = order.findIndex((from, index) => from !== index)
      const moved = order.map((index) => receipts[index]!)
      assert.equal(verdictAt({ ...good, receipts: moved }), firstWrong < 0 ? 'ok' : `receipts.${firstWrong}.receipt`)
    }),
    { numRuns: 30 },
  )
})

test('a file of another network is found at its first statement', () => {
  for (const network of ['main', 'tes', 'test2']) assert.equal(verdictAt({ ...good, network }), 'lease.award')
})

/** The chain up to `index`, and then a receipt that differs in one thing and is properly signed by its provider. */
const forged = (index: number, over: Partial<Receipt>, by = worker): ReceiptFile => {
  const { body } = openReceipt(worker, account.receipts[index]!.receipt)
  const receipt = base64(sealReceipt(by, { ...body, ...over }).envelope)
  return { ...good, receipts: [...good.receipts.slice(0, index), { receipt, countersignature: null }] }
}

test('a receipt that its provider signed and the lease does not bear is found', () => {
  const body = openReceipt(worker, account.receipts[1]!.receipt).body
  const { usage } = body
  const rows: readonly [string, Partial<Receipt>][] = [
    ['another lease', { lease: '0'.repeat(64) }],
    ['another job', { job: other.job }],
    ['another slot', { slot: 1 }],
    ['another epoch', { epoch: 2 }],
    ['another requester', { requester: nobody }],
    ['a number too high', { sequence: 3 }],
    ['a number too low', { sequence: 1 }],
    ['no number', { sequence: 0 }],
    ['another predecessor', { previous: sha256(Uint8Array.of(1)) }],
    ['another unit', { unit: 'shell' }],
    ['a micro-unit too much', { amountMicro: body.amountMicro + 1 }],
    ['a micro-unit too little', { amountMicro: body.amountMicro - 1 }],
    ['nothing owed', { amountMicro: 0 }],
    ['wall time without its price', { usage: { ...usage, wallMs: usage.wallMs + 3_600 } }],
    ['wall time that falls', { usage: { ...usage, wallMs: 999 }, amountMicro: 278 }],
    ['processor time that falls', { usage: { ...usage, cpuMs: 999 } }],
    ['input that falls', { usage: { ...usage, inBytes: 10 } }],
    ['gas that falls', { usage: { ...usage, gas: 999_999 } }],
    ['the end, with a result that is not there', { final: true, result: cidOfDocument(Uint8Array.of(1)) }],
    ['the end, without a result', { final: true, result: '' }],
    ['a result before the end', { result: account.result.cid }],
  ]
  assert.equal(verdictAt(forged(1, {})), 'ok')
  for (const [what, over] of rows) assert.equal(verdictAt(forged(1, over)), 'receipts.1.receipt', what)
  assert.equal(verdictAt(forged(1, {}, stranger)), 'receipts.1.receipt', 'signed by another peer')
})

test('nothing follows the final receipt', () => {
  const last = openReceipt(worker, account.receipts[3]!.receipt)
  const more = sealReceipt(worker, { ...last.body, sequence: 5, previous: sha256(last.envelope) })
  const receipts = [...good.receipts, { receipt: base64(more.envelope), countersignature: null }]
  assert.equal(verdictAt({ ...good, receipts }), 'receipts.4.receipt')
})

test('a countersignature of another peer, receipt, number or lease is found', () => {
  const receipt = sha256(account.receipts[1]!.receipt)
  const body = { lease: account.lease.id, sequence: 2, receipt, issuedMs: startMs }
  const rows = [
    { by: stranger, body },
    { by: worker, body },
    { by: asker, body: { ...body, sequence: 1 } },
    { by: asker, body: { ...body, receipt: sha256(account.receipts[0]!.receipt) } },
    { by: asker, body: { ...body, lease: '0'.repeat(64) } },
  ]
  const place = 'receipts.1.countersignature'
  assert.equal(verdictAt(changed(place, base64(sealCountersignature(asker, body).envelope))), 'ok')
  for (const row of rows)
    assert.equal(verdictAt(changed(place, base64(sealCountersignature(row.by, row.body).envelope))), place)
})

test('a lease whose three statements do not belong together is found', () => {
  const { award, accept, commit } = account.lease
  const rows: readonly [string, Uint8Array][] = [
    ['lease.accept', sealAccept(stranger, accept.body).envelope],
    ['lease.accept', sealAccept(asker, accept.body).envelope],
    ['lease.accept', sealAccept(worker, { ...accept.body, lease: sha256(Uint8Array.of(1)) }).envelope],
    ['lease.commit', sealCommit(stranger, commit.body).envelope],
    ['lease.commit', sealCommit(worker, commit.body).envelope],
    ['lease.commit', sealCommit(asker, { ...commit.body, accept: sha256(Uint8Array.of(1)) }).envelope],
    ['lease.commit', sealCommit(asker, { ...commit.body, lease: sha256(Uint8Array.of(1)) }).envelope],
  ]
  for (const [place, envelope] of rows) assert.equal(verdictAt(changed(place, base64(envelope))), place)
  const forgedAward = base64(sealAward(stranger, award.body).envelope)
  assert.equal(verdictAt(changed('lease.award', forgedAward)), 'lease.accept')
})

test('a result of another provider or another lease, or another result than the last receipt names, is found', () => {
  const document = documentOf(account.lease)
  const rows: readonly [string, Uint8Array][] = [
    ['result', sealResult(stranger, document).envelope],
    ['result', sealResult(worker, { ...document, lease: '0'.repeat(64) }).envelope],
    ['receipts.3.receipt', sealResult(worker, { ...document, exitCode: 1 }).envelope],
  ]
  for (const [place, envelope] of rows) assert.equal(verdictAt(changed('result', base64(envelope))), place)
})

test('terms and usage beyond any amount are at the ceiling, and no exception', () => {
  const huge = { ...freeTariff, cpuMilli: microMax, cpuHourMicro: microMax, gigaGasMicro: microMax }
  const award = sealAward(asker, awardTerms({ ...huge, ceilingMicro: microMax }))
  const lease = sha256(award.envelope)
  const accept = sealAccept(worker, { lease, issuedMs: startMs, commitByMs: startMs + 5_000 })
  const commit = sealCommit(asker, { lease, accept: sha256(accept.envelope), issuedMs: startMs })
  const { body } = openReceipt(worker, account.receipts[0]!.receipt)
  const usage = usageOf(
    { memoryBytes: microMax, diskBytes: microMax, gpus: 1_024 },
    { ...noUsage, wallMs: microMax, gas: microMax },
  )
  const id = Buffer.from(lease).toString('hex')
  const file = (amountMicro: number): ReceiptFile => ({
    ...good,
    lease: { award: base64(award.envelope), accept: base64(accept.envelope), commit: base64(commit.envelope) },
    result: null,
    receipts: [
      {
        receipt: base64(sealReceipt(worker, { ...body, lease: id, previous: lease, usage, amountMicro }).envelope),
        countersignature: null,
      },
    ],
  })
  assert.equal(verdictAt(file(microMax)), 'ok')
  assert.equal(verdictAt(file(microMax - 1)), 'receipts.0.receipt')
  assert.equal(amountOwed({ ...huge, ceilingMicro: 17 }, usage), 17)
})

test('a field that is missing or of another kind is found by its name', () => {
  const rows: readonly [string, unknown, string][] = [
    ['v', 2, 'v'],
    ['kind', 'receipts', 'kind'],
    ['network', 7, 'network'],
    ['network', 'x'.repeat(33), 'network'],
    ['network', '', 'network'],
    ['network', 'Test', 'network'],
    ['network', 'test\n', 'network'],
    ['lease', null, 'lease'],
    ['lease.award', undefined, 'lease.award'],
    ['lease.accept', 1, 'lease.accept'],
    ['lease.commit', {}, 'lease.commit'],
    ['result', undefined, 'result'],
    ['receipts', {}, 'receipts'],
    ['receipts.1', null, 'receipts.1'],
    ['receipts.1.receipt', null, 'receipts.1.receipt'],
    ['receipts.1.countersignature', undefined, 'receipts.1.countersignature'],
    ['receipts.1.receipt', 'A'.repeat(1_000_001), 'receipts.1.receipt'],
  ]
  for (const [place, value, at] of rows)
    assert.equal(verdictAt(changed(place, value)), at, `${place} as ${typeof value}`)
})

test('junk is no receipt file, and never an exception', () => {
  const junk = fc.oneof(fc.anything(), fc.jsonValue())
  fc.assert(
    fc.property(junk, (value) => assert.notEqual(verdictAt(value), 'ok')),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(fc.constantFrom(...places, 'network', 'lease', 'receipts'), junk, (place, value) => {
      const isLawful = value === null && (place === 'result' || place.endsWith('countersignature'))
      if (!isLawful && !(place === 'receipts' && Array.isArray(value) && value.length === 0))
        assert.notEqual(verdictAt(changed(place, value)), 'ok')
    }),
    { numRuns: 300 },
  )
  for (const value of [undefined, null, '', 0, [], Symbol('x'), () => good]) assert.equal(verdictAt(value), 'the file')
})
