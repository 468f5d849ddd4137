/** The two machines of storage receipts, and whatever may be said to them. */
import {
  isOwnDue,
  noStorage,
  openKeep,
  openOwn,
  openStorageReceipt,
  periodOf,
  sealStorageCountersignature,
  sealStorageReceipt,
  stepKeep,
  stepOwn,
  storageAccount,
  type KeepInput,
  type KeepState,
  type OwnInput,
  type OwnState,
  type StorageCountersignature,
  type StorageMessage,
  type StorageReceipt,
} from '../../protocols/storage/index.ts'
import { sha256 } from '../../protocols/wire/index.ts'
import { asker, nobody, provider, requester, startMs, stranger, worker } from '../negotiate/parties.ts'
import { passedOn, walk, type Machine } from './walk.ts'

const period = periodOf(startMs)
const account = storageAccount(requester, provider, period, asker.network)
const nowhere = sha256(Uint8Array.of(9))
const refused: StorageMessage = { say: 'refused', refusal: { code: passedOn, facts: {} } }
const some = { storeMibS: 100, auditsPassed: 1, inBytes: 10, outBytes: 10, relayBytes: 10 }

const receiptOf = (over: Partial<StorageReceipt>, by = worker): StorageMessage => ({
  say: 'receipt',
  receipt: sealStorageReceipt(by, {
    account: account.id,
    owner: requester,
    period,
    sequence: 1,
    previous: nowhere,
    usage: some,
    issuedMs: startMs,
    ...over,
  }),
})

const countersignatureOf = (over: Partial<StorageCountersignature>, by = asker): StorageMessage => ({
  say: 'countersignature',
  countersignature: sealStorageCountersignature(by, {
    account: account.id,
    sequence: 1,
    receipt: nowhere,
    issuedMs: startMs,
    ...over,
  }),
})

const stated = (sequence: number, usage = some, of = period): StorageMessage => ({
  say: 'stated',
  period: of,
  sequence,
  usage,
})

const own: Machine<OwnState, OwnInput> = {
  protocol: 'storage',
  name: 'stepOwn',
  begins: [{ on: 'openOwn', step: [openOwn(account), []], atMs: startMs }],
  nameOf: (state) => (state.isHeard ? (isOwnDue(state) ? 'due' : 'level') : 'signed'),
  keyOf: ({ sequence, shown, usage }) =>
    `${Math.min(sequence, 2)} ${shown.storeMibS > usage.storeMibS} ${usage.storeMibS > 0}`,
  placesPerKeyMax: 2,
  *inputs(state) {
    const { shown, sequence, previous, usage } = state
    const next = { sequence: sequence + 1, previous }
    const messages: StorageMessage[] = [
      receiptOf({ ...next, usage: shown }),
      receiptOf({ ...next, usage: { ...usage, auditsPassed: shown.auditsPassed } }),
      receiptOf({ ...next, usage: { ...shown, storeMibS: shown.storeMibS + 1 } }),
      receiptOf({ ...next, usage: { ...shown, storeMibS: Math.max(0, usage.storeMibS - 1) } }),
      receiptOf({ ...next, usage: shown }, stranger),
      receiptOf({ ...next, account: '0'.repeat(64) }),
      receiptOf({ sequence: sequence + 1, usage: shown }),
      receiptOf({ sequence: sequence + 2, previous, usage: shown }),
      { say: 'signed' },
      refused,
      stated(0),
      countersignatureOf({}),
    ]
    if (state.receipt !== null) {
      // The last one again, as it comes when our answer was lost; and another of its number.
      messages.push({ say: 'receipt', receipt: openStorageReceipt(asker, state.receipt) }, receiptOf({ sequence }))
    }
    if (sequence > 1) messages.push(receiptOf({ sequence: 1 }))
    for (const message of messages)
      for (const from of [provider, nobody]) yield [message.say, { is: 'message', from, message }]
    yield ['ask', { is: 'ask' }]
    yield ['shown', { is: 'shown', more: some }]
    yield ['shown', { is: 'shown', more: noStorage }]
  },
  step: (state, input, nowMs) => stepOwn(asker, state, input, nowMs),
  final: [],
  other: provider,
}

const keep: Machine<KeepState, KeepInput> = {
  protocol: 'storage',
  name: 'stepKeep',
  begins: [{ on: 'openKeep', step: [openKeep(account), []], atMs: startMs }],
  nameOf: ({ asked }) => (asked === null ? 'level' : 'asking'),
  keyOf: ({ sequence }) => `${Math.min(sequence, 2)}`,
  placesPerKeyMax: 2,
  *inputs(state) {
    const { sequence, previous, asked, usage } = state
    const more = { ...usage, storeMibS: usage.storeMibS + 50, relayBytes: usage.relayBytes + 7 }
    const messages: StorageMessage[] = [
      stated(sequence, more),
      stated(sequence, usage),
      stated(sequence + 1, more),
      stated(sequence + 2, more),
      stated(sequence, more, '2001-01'),
      countersignatureOf({ sequence: sequence + 1 }),
      countersignatureOf({ sequence, receipt: previous }),
      countersignatureOf({ sequence, receipt: previous }, stranger),
      { say: 'signed' },
      refused,
      receiptOf({}),
    ]
    if (asked !== null) {
      const honest = { sequence: asked.body.sequence, receipt: sha256(asked.envelope) }
      messages.push(
        countersignatureOf(honest),
        countersignatureOf(honest, stranger),
        countersignatureOf({ ...honest, account: '0'.repeat(64) }),
      )
    }
    for (const message of messages)
      for (const from of [requester, nobody])
        for (const keptMibS of [0, 30]) yield [message.say, { is: 'message', from, message, keptMibS }]
    yield ['carried', { is: 'carried', bytes: 5 }]
  },
  step: (state, input, nowMs) => stepKeep(worker, state, input, nowMs),
  final: [],
  other: requester,
}

export const storageMachines = [() => walk(own), () => walk(keep)]
