// Vouchers between two peers: cumulative, never above what is owed, whatever is lost, doubled, reordered or forgotten.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  decodeVouching,
  encodeVouching,
  openGiving,
  openTaking,
  stepGive,
  stepTake,
  takeWakeAtMs,
  verifyVoucherFile,
  voucherFileOf,
  voucherTermMs,
  type GiveEffect,
  type GiveState,
  type TakeEffect,
  type TakeState,
  type Vouching,
} from '../../protocols/voucher/index.ts'
import { Fault } from '../../protocols/wire/index.ts'
import { decodeState, encodeState } from '../../src/state-form.ts'
import { startMs } from '../negotiate/parties.ts'
import { network } from '../support/peers.ts'
import {
  asked,
  given,
  keyOf,
  otherPurse,
  outsider,
  payee,
  payer,
  promised,
  purse,
  redeemer,
  statement,
  unit,
  voucherOf,
} from './parties.ts'

const [debtor, creditor] = [payer.signer.peer, payee.signer.peer]

/** Both sides, what each disk holds, and a line between them that the test may disturb. */
class Pair {
  give: GiveState = openGiving(creditor, unit)
  take: TakeState = openTaking(debtor, unit)
  nowMs = startMs
  /** By the books of each: one may be a statement ahead. */
  owed = { byPayer: 0, byPayee: 0 }
  readonly line: { readonly to: 'payer' | 'payee'; readonly bytes: Uint8Array }[] = []
  readonly faults: Fault[] = []
  #saved = { give: encodeState(this.give), take: encodeState(this.take) }

  ask(): void {
    this.#takes({ is: 'ask' })
  }

  wake(): void {
    const atMs = takeWakeAtMs(this.take)
    if (atMs === undefined) return
    this.nowMs = Math.max(this.nowMs, atMs)
    this.#takes({ is: 'wake' })
  }

  deliver(index: number, copies: number): void {
    const [frame] = this.line.splice(index % Math.max(1, this.line.length), 1)
    if (frame === undefined) return
    for (let copy = 0; copy < copies; copy++) {
      const message = decodeVouching(frame.to === 'payer' ? payer : payee, frame.bytes)
      if (frame.to === 'payee') this.#takes({ is: 'message', from: debtor, message })
      else this.#gives(message)
    }
  }

  restart(): void {
    this.give = decodeState(this.#saved.give)
    this.take = { ...decodeState<TakeState>(this.#saved.take), at: 'resting' } as TakeState
  }

  #gives(message: Vouching): void {
    const giver = {
      notary: payer,
      purse,
      owedMicro: this.owed.byPayer,
      statement: this.owed.byPayer === 0 ? null : statement,
    }
    const [next, effects] = stepGive(giver, this.give, { is: 'message', from: creditor, message }, this.nowMs)
    this.give = next
    this.#perform(effects)
  }

  #takes(input: Parameters<typeof stepTake>[2]): void {
    const [next, effects] = stepTake(
      { notary: payee, redeemer, owedMicro: this.owed.byPayee },
      this.take,
      input,
      this.nowMs,
    )
    this.take = next
    this.#perform(effects)
  }

  #perform(effects: readonly (GiveEffect | TakeEffect)[]): void {
    for (const effect of effects) {
      if (effect.do === 'save') this.#saved = { give: encodeState(this.give), take: encodeState(this.take) }
      if (effect.do === 'blame') this.faults.push(effect.fault)
      if (effect.do === 'send')
        this.line.push({ to: effect.to === debtor ? 'payer' : 'payee', bytes: encodeVouching(effect.message) })
    }
  }
}

const event = fc.oneof(
  fc.record({ does: fc.constant('owe' as const), micro: fc.integer({ min: 1, max: 1_000 }) }),
  ...(['catch-up', 'ask', 'wake', 'restart'] as const).map((does) => fc.constant({ does })),
  fc.record({ does: fc.constant('deliver' as const), index: fc.nat(5), copies: fc.nat(2) }),
)

test('whatever happens: promises never fall, none is above what its payee is owed, and in the end all is promised', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const pair = new Pair()
      let last = { cumulativeMicro: 0, sequence: 0 }
      const check = (): void => {
        const { last: taken } = pair.take
        if (taken === null) return
        assert.ok(taken.cumulativeMicro >= last.cumulativeMicro && taken.sequence >= last.sequence)
        assert.ok(taken.cumulativeMicro <= pair.owed.byPayee)
        assert.ok(pair.give.at === 'given' && pair.give.voucher.cumulativeMicro >= taken.cumulativeMicro)
        last = taken
      }
      for (const one of events) {
        // The payer agrees first, or hears of it first.
        if (one.does === 'owe') pair.owed.byPayer += one.micro
        else if (one.does === 'catch-up') pair.owed.byPayee = pair.owed.byPayer
        else if (one.does === 'ask') pair.ask()
        else if (one.does === 'wake') pair.wake()
        else if (one.does === 'deliver') pair.deliver(one.index, one.copies)
        else pair.restart()
        check()
      }
      pair.owed.byPayee = pair.owed.byPayer
      pair.line.length = 0
      pair.wake()
      for (let turn = 0; turn < 40; turn++) pair.wake()
      pair.line.length = 0
      pair.ask()
      while (pair.line.length > 0) pair.deliver(0, 1)
      check()
      assert.equal(pair.take.last?.cumulativeMicro ?? 0, pair.owed.byPayer)
      assert.deepEqual(pair.faults, [])
    }),
    { numRuns: 300, endOnFailure: true },
  )
})

test('a voucher of which half of the time is over is made anew, for the same', () => {
  const pair = new Pair()
  pair.owed = { byPayer: 500, byPayee: 500 }
  const round = (): void => {
    pair.ask()
    while (pair.line.length > 0) pair.deliver(0, 1)
  }
  round()
  round()
  assert.deepEqual([pair.take.last?.sequence, pair.take.last?.cumulativeMicro], [1, 500])
  pair.nowMs += voucherTermMs / 2 + 1_000
  round()
  assert.deepEqual([pair.take.last?.sequence, pair.take.last?.cumulativeMicro], [2, 500])
})

const taker = { notary: payee, redeemer, owedMicro: 5_000 }

/** What a payee that holds voucher 2 of 2,000 makes of a message: a fault, a refusal, or nothing. */
function answerTo(message: Vouching): string {
  const state: TakeState = {
    ...openTaking(debtor, unit),
    key: keyOf(),
    last: voucherOf({ sequence: 2, cumulativeMicro: 2_000 }),
  }
  const [next, effects] = stepTake(taker, state, { is: 'message', from: debtor, message }, startMs)
  for (const effect of effects) {
    if (effect.do === 'blame') {
      assert.deepEqual(next, state, 'a fault changes nothing')
      return effect.fault.code
    }
    if (effect.do === 'send' && effect.message.say === 'refuse') {
      assert.deepEqual(next.last, state.last)
      return effect.message.refusal.code
    }
    if (effect.do === 'send') return effect.message.say
  }
  return 'nothing'
}

test('bad vouchers, each with its own code', () => {
  const rows: readonly (readonly [string, Vouching])[] = [
    ['taken', given({ sequence: 3, cumulativeMicro: 2_500 })],
    ['taken', given({ sequence: 2, cumulativeMicro: 2_000 })],
    ['nothing', given({ sequence: 1, cumulativeMicro: 9_000 })],
    ['EQUIVOCATION', given({ sequence: 2, cumulativeMicro: 2_001 })],
    ['CHAIN_BROKEN', given({ sequence: 3, cumulativeMicro: 1_999 })],
    ['FIELD_INVALID', given({ sequence: 3, payee: redeemer.contract })],
    ['FIELD_INVALID', given({ sequence: 3, contract: redeemer.payee })],
    ['FIELD_INVALID', given({ sequence: 3, chainId: 2 })],
    ['FIELD_INVALID', given({ sequence: 3, unit: 'euro' })],
    ['SIGNER_UNEXPECTED', given({ sequence: 3, cumulativeMicro: 2_500 }, purse, outsider)],
    ['VOUCHER_KEY_CHANGED', given({ sequence: 3, cumulativeMicro: 2_500 }, otherPurse)],
    ['VOUCHER_EXPIRED', given({ sequence: 3, cumulativeMicro: 2_500, expiresAtS: startMs / 1_000 })],
    ['VOUCHER_ABOVE_OWED', given({ sequence: 3, cumulativeMicro: 5_001 })],
  ]
  for (const [code, message] of rows) assert.equal(answerTo(message), code, JSON.stringify(message))
})

test('bytes that are no voucher, or one that its signer did not sign, are faults of whoever sends them', () => {
  const codeOf = (message: Vouching): string => {
    try {
      decodeVouching(payee, encodeVouching(message))
      return 'none'
    } catch (error) {
      assert.ok(error instanceof Fault)
      return error.code
    }
  }
  const voucher = voucherOf()
  assert.equal(codeOf(given()), 'none')
  assert.equal(codeOf(asked()), 'none')
  assert.equal(
    codeOf({ say: 'voucher', key: keyOf(), voucher: { ...voucher, cumulativeMicro: 1_001 } }),
    'SIGNATURE_INVALID',
  )
  assert.equal(codeOf({ say: 'voucher', key: keyOf(payer, otherPurse.address), voucher }), 'SIGNER_UNEXPECTED')
  assert.equal(codeOf(given({ network: 'another' })), 'NETWORK_FOREIGN')
  assert.equal(codeOf(given({ cumulativeMicro: 0 })), 'FIELD_INVALID')
  assert.equal(codeOf(given({ sequence: 0 })), 'FIELD_INVALID')
  assert.equal(
    codeOf({ say: 'voucher', key: keyOf(), voucher: { ...voucher, signature: new Uint8Array(64) } }),
    'FIELD_INVALID',
  )
  assert.equal(codeOf({ say: 'taken', unit, sequence: 0 }), 'FIELD_INVALID')
  assert.throws(() => decodeVouching(payee, Uint8Array.of(0xff)), Fault)
})

test('a payer promises to one address only: terms that change are refused', () => {
  const giver = { notary: payer, purse, owedMicro: 10, statement }
  const ask = (state: GiveState, message: Vouching) =>
    stepGive(giver, state, { is: 'message', from: creditor, message }, startMs)
  const [state] = ask(openGiving(creditor, unit), asked())
  assert.equal(state.at, 'given')
  for (const over of [{ payee: redeemer.contract }, { contract: redeemer.payee }, { chainId: 7 }]) {
    const [next, [effect]] = ask(state, asked(over))
    assert.equal(next, state)
    assert.ok(effect?.do === 'send' && effect.message.say === 'refuse')
    assert.equal(effect.message.refusal.code, 'VOUCHER_TERMS_CHANGED')
  }
})

test('a file holds by itself; one character of it changed and it does not', () => {
  const file = voucherFileOf(network, keyOf(), voucherOf())
  const verdict = verifyVoucherFile(JSON.parse(JSON.stringify(file)))
  assert.ok(verdict.ok, JSON.stringify(verdict))
  assert.deepEqual([verdict.peer, verdict.payer, verdict.payee], [debtor, purse.address, redeemer.payee])
  assert.deepEqual([verdict.amount, verdict.unit, verdict.sequence], ['0.001', unit, 1])
  const { message, domain } = file.typedData
  const bad: unknown[] = [
    { ...file, network: 'another' },
    { ...file, network: 'No Name' },
    { ...file, signature: file.signature.replace(/.$/, (last) => (last === 'c' ? 'b' : 'c')) },
    { ...file, key: voucherFileOf(network, keyOf(payer, otherPurse.address), voucherOf()).key },
    { ...file, typedData: { ...file.typedData, domain: { ...domain, name: 'another' } } },
    { ...file, typedData: { ...file.typedData, domain: { ...domain, chainId: '2' } } },
    ...Object.entries({
      cumulativeMicro: '1001',
      sequence: '2',
      unit: 'euro',
      payee: promised.payer,
      expiresAt: '1',
    }).map(([name, value]) => ({ ...file, typedData: { ...file.typedData, message: { ...message, [name]: value } } })),
    { ...file, v: 2 },
    null,
    'text',
    { ...file, typedData: { ...file.typedData, message: { ...message, cumulativeMicro: 1_000 } } },
    { ...file, typedData: { ...file.typedData, message: { ...message, cumulativeMicro: '-1' } } },
    { ...file, typedData: { ...file.typedData, message: { ...message, cumulativeMicro: '0.5' } } },
  ]
  for (const one of bad) assert.equal(verifyVoucherFile(one).ok, false, JSON.stringify(one))
})
