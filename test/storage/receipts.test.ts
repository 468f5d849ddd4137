// Receipts of storage under losses, crashes and lies: what both have signed is never more than either count, and nothing is lost or doubled.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { equals } from 'uint8arrays'

import {
  noStorage,
  openKeep,
  openOwn,
  openStorageCountersignature,
  openStorageReceipt,
  periodOf,
  receiptGapMsMin,
  sealStorageReceipt,
  spanOf,
  stepKeep,
  stepOwn,
  storageAccount,
  storageUsageNames,
  type KeepState,
  type OwnState,
  type StorageMessage,
  type StorageUsage,
} from '../../protocols/storage/index.ts'
import { hashOfEnvelope, type Effect, type Fault, type Statement } from '../../protocols/wire/index.ts'
import { decodeState, encodeState } from '../../src/state-form.ts'
import { keptMibS, shownBy } from '../../src/storage/kept.ts'
import { SeededRandom } from '../../src/testing/seeded-random.ts'
import { asker, provider, requester, worker } from '../negotiate/parties.ts'

const startMs = spanOf('2026-03').fromMs
const account = storageAccount(requester, provider, periodOf(startMs), asker.network)
const hour = 60 * 60_000
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** One side: what it knows, and what a crash leaves of it. */
class Side<State extends object> {
  readonly disk: Statement[] = []
  readonly faults: Fault[] = []
  state: State
  #saved: Uint8Array

  constructor(state: State) {
    this.state = state
    this.#saved = encodeState(state)
  }

  /** What is remembered is durable before anything is said. A crash takes all of a step, or what it said. */
  take(
    [next, effects]: readonly [State, readonly Effect<StorageMessage, unknown>[]],
    crashes: 'no' | 'before' | 'after' = 'no',
  ): StorageMessage | undefined {
    if (crashes === 'before') {
      this.state = decodeState<State>(this.#saved)
      return undefined
    }
    let said: StorageMessage | undefined
    let saves = false
    for (const effect of effects) {
      if (effect.do === 'record') this.disk.push(effect.statement)
      if (effect.do === 'save') saves = true
      if (effect.do === 'send') said = effect.message
      if (effect.do === 'blame') this.faults.push(effect.fault)
    }
    if (saves) this.#saved = encodeState(next)
    this.state = next
    if (crashes === 'no') return said
    this.state = decodeState<State>(this.#saved)
    return undefined
  }
}

/** Opened once: checking a signature again says nothing new. */
const opened = new WeakMap<Uint8Array, unknown>()
function known<Made>(envelope: Uint8Array, open: (notary: typeof asker, envelope: Uint8Array) => Made): Made {
  let made = opened.get(envelope)
  if (made === undefined) opened.set(envelope, (made = open(asker, envelope)))
  return made as Made
}

/** From the envelopes alone: the last that both have signed. Each follows the one before, and nothing falls. */
function signedBy(disk: readonly Statement[]): StorageUsage {
  let [usage, previous, sequence] = [noStorage, Buffer.from(account.id, 'hex') as Uint8Array, 0]
  const signed = new Set(
    disk
      .filter(({ kind }) => kind === 'storage-countersignature')
      .map(({ envelope }) => hex(known(envelope, openStorageCountersignature).body.receipt)),
  )
  for (const { kind, envelope } of disk) {
    if (kind !== 'storage-receipt') continue
    const { body } = known(envelope, openStorageReceipt)
    const hash = hashOfEnvelope(envelope)
    const isSigned = signed.has(hex(hash))
    assert.equal(body.sequence, sequence + 1)
    assert.ok(equals(body.previous, previous))
    for (const name of storageUsageNames) assert.ok(body.usage[name] >= usage[name], `${name} fell`)
    if (!isSigned) continue
    ;[usage, previous, sequence] = [body.usage, hash, body.sequence]
  }
  return usage
}

test('what both have signed is never more than either count, through losses and crashes, and comes to the less of the two', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed)
    const [own, keep] = [new Side<OwnState>(openOwn(account)), new Side<KeepState>(openKeep(account))]
    let [nowMs, shown, kept] = [startMs, 0, 0]
    const isLossy = () => nowMs < startMs + 80 * hour && random.float() < 0.2
    const crash = () => (isLossy() ? (random.float() < 0.5 ? 'before' : 'after') : 'no')
    const check = () => {
      for (const side of [own, keep]) {
        assert.deepEqual(side.faults, [], `seed ${seed}`)
        const { storeMibS, auditsPassed, relayBytes } = signedBy(side.disk)
        assert.ok(storeMibS <= own.state.shown.storeMibS && storeMibS <= keep.state.keptMibS, `seed ${seed}`)
        assert.ok(auditsPassed <= own.state.shown.auditsPassed)
        const [ownBytes, keeperBytes] = [own.state.shown.relayBytes, keep.state.carriedBytes]
        assert.ok(relayBytes <= ownBytes && relayBytes <= keeperBytes, `seed ${seed}`)
      }
    }
    /** By the keeper's count, which no crash takes: shards are on its disk. */
    const keptSince = (): number => kept - keep.state.keptMibS
    while (nowMs < startMs + 90 * hour) {
      nowMs += 1 + Math.floor(random.float() * 5 * hour)
      kept += Math.floor(random.float() * 1_000)
      const more = Math.floor(random.float() * 1_000)
      const crashed = crash()
      const relayBytes = Math.floor(random.float() * 100)
      const round = { ...noStorage, storeMibS: more, auditsPassed: 1, relayBytes }
      own.take(stepOwn(asker, own.state, { is: 'shown', more: round }, nowMs), crashed)
      // Each counts for itself, and a crash takes what was not written down.
      const bytes = Math.floor(random.float() * 100)
      keep.take(stepKeep(worker, keep.state, { is: 'carried', bytes }, nowMs), crash())
      if (crashed !== 'before') shown += more
      assert.equal(own.state.shown.storeMibS, shown)
      let question = own.take(stepOwn(asker, own.state, { is: 'ask' }, nowMs), crash())
      for (let asked = 0; question !== undefined && asked < 2; asked++) {
        if (isLossy()) break
        const heard = { is: 'message', from: requester, message: question, keptMibS: keptSince() } as const
        const message = keep.take(stepKeep(worker, keep.state, heard, nowMs), crash())
        check()
        if (message === undefined || isLossy()) break
        question = own.take(stepOwn(asker, own.state, { is: 'message', from: provider, message }, nowMs), crash())
        check()
      }
    }
    for (let round = 0; round < 3; round++) {
      nowMs += receiptGapMsMin
      let question = own.take(stepOwn(asker, own.state, { is: 'ask' }, nowMs))
      while (question !== undefined) {
        const heard = { is: 'message', from: requester, message: question, keptMibS: keptSince() } as const
        const message = keep.take(stepKeep(worker, keep.state, heard, nowMs))!
        question = own.take(stepOwn(asker, own.state, { is: 'message', from: provider, message }, nowMs))
      }
    }
    check()
    assert.equal(signedBy(own.disk).storeMibS, Math.min(shown, kept), `seed ${seed}`)
    assert.equal(own.state.usage.auditsPassed, own.state.shown.auditsPassed)
    const less = Math.min(own.state.shown.relayBytes, keep.state.carriedBytes)
    assert.equal(own.state.usage.relayBytes, less, `seed ${seed}`)
    const names = ({ disk }: Side<object>) => disk.map(({ envelope }) => hex(hashOfEnvelope(envelope)))
    assert.deepEqual(names(keep).toSorted(), names(own).toSorted(), 'both have the same, each once')
  }
})

test('an owner countersigns nothing that its audits have not shown, and no number twice', () => {
  const shown = { storeMibS: 100, auditsPassed: 2, inBytes: 5, outBytes: 5, relayBytes: 5 }
  const own = new Side<OwnState>(openOwn(account))
  own.take(stepOwn(asker, own.state, { is: 'shown', more: shown }, startMs))
  const body = { account: account.id, owner: requester, period: account.period, issuedMs: startMs }
  const receipt = (sequence: number, previous: Uint8Array, usage: StorageUsage) =>
    sealStorageReceipt(worker, { ...body, sequence, previous, usage })
  const hear = (signed: ReturnType<typeof receipt>): string | undefined => {
    const before = own.faults.length
    const said = own.take(
      stepOwn(
        asker,
        own.state,
        { is: 'message', from: provider, message: { say: 'receipt', receipt: signed } },
        startMs,
      ),
    )
    return own.faults.length > before ? own.faults.at(-1)!.code : said?.say
  }
  const begin = Buffer.from(account.id, 'hex')
  for (const name of storageUsageNames)
    assert.equal(hear(receipt(1, begin, { ...shown, [name]: shown[name] + 1 })), 'OVERCHARGED')
  const first = receipt(1, begin, shown)
  assert.equal(hear(first), 'countersignature')
  assert.equal(hear(first), 'countersignature')
  assert.equal(hear(receipt(1, begin, noStorage)), 'EQUIVOCATION')
  assert.equal(hear(receipt(2, begin, shown)), 'CHAIN_BROKEN')
  assert.equal(hear(receipt(2, hashOfEnvelope(first.envelope), { ...shown, auditsPassed: 1 })), 'USAGE_FELL')
  assert.equal(hear(receipt(3, hashOfEnvelope(first.envelope), shown)), 'SEQUENCE_GAP')
  assert.equal(own.disk.length, 2)
})

test('when one side has lost its ledger nothing is signed that could contradict what was', () => {
  const more = { ...noStorage, storeMibS: 10 }
  const settle = (own: Side<OwnState>, keep: Side<KeepState>, nowMs: number): string[] => {
    const said: string[] = []
    own.take(stepOwn(asker, own.state, { is: 'shown', more }, nowMs))
    let question = own.take(stepOwn(asker, own.state, { is: 'ask' }, nowMs))
    while (question !== undefined) {
      const heard = { is: 'message', from: requester, message: question, keptMibS: 10 } as const
      const message = keep.take(stepKeep(worker, keep.state, heard, nowMs))!
      said.push(message.say === 'refused' ? message.refusal.code : message.say)
      question = own.take(stepOwn(asker, own.state, { is: 'message', from: provider, message }, nowMs))
    }
    assert.deepEqual([...own.faults, ...keep.faults], [])
    return said
  }
  const [own, keep] = [new Side<OwnState>(openOwn(account)), new Side<KeepState>(openKeep(account))]
  for (const round of [1, 2]) assert.deepEqual(settle(own, keep, startMs + round * hour), ['receipt', 'signed'])
  assert.deepEqual(settle(new Side(openOwn(account)), keep, startMs + 3 * hour), ['ACCOUNT_BEHIND'])
  assert.deepEqual(settle(own, new Side(openKeep(account)), startMs + 3 * hour), ['ACCOUNT_BEHIND'])
  assert.deepEqual(settle(own, keep, startMs + 4 * hour), ['receipt', 'signed'])
})

test('what an audit shows: from the last one that was passed, within the term, and nothing over one that was not', () => {
  const bytes = 2 ** 20
  const [passed, now] = [startMs, startMs + hour]
  const whole = { bytes, fromMs: passed, untilMs: now }
  assert.deepEqual(shownBy({ passedMs: passed, steadyMs: passed }, bytes, now, Infinity), whole)
  assert.deepEqual(shownBy({ passedMs: passed, steadyMs: passed }, bytes, now, now - 1), { ...whole, untilMs: now - 1 })
  assert.equal(shownBy({ passedMs: passed, steadyMs: passed }, bytes, now, passed), undefined)
  assert.equal(shownBy({ passedMs: passed, steadyMs: 0 }, bytes, now, Infinity), undefined)
  assert.equal(shownBy(undefined, bytes, now, Infinity), undefined)
  assert.equal(keptMibS([whole, { ...whole, bytes: 1 }]), 3_600)
  // Sixteen TiB for a month is over 2^63 when it is counted in bytes and milliseconds.
  assert.equal(keptMibS([{ bytes: 2 ** 44, fromMs: 0, untilMs: 2_592_000_000 }]), 2 ** 24 * 2_592_000)
})
