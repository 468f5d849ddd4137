// One side of a trade, in a process of its own that may be killed: a real ledger, real machines, receipts and countersignatures over
// streams of a real host. node test/crash/trading-peer.ts ORDER
//
// Each line on stdout says what the other side has told it, before anything comes of that: R or C, lease, number, SHA-256. `ready`
// says that the ledger is open; `bad WHAT` that something is wrong. `stop` on stdin ends it in good order.

import { join } from 'node:path'
import process from 'node:process'

import { fromString, toString } from 'uint8arrays'

import {
  billWakeAtMs,
  decodeBilling,
  encodeBilling,
  noUsage,
  usageOf,
  openAccount,
  openBill,
  receiptLimits,
  receiptProtocol,
  stepBill,
  stepPay,
  type BillInput,
  type BillState,
  type Billing,
  type PayInput,
  type PayState,
} from '../../protocols/receipt/index.ts'
import { sha256, type Fault, type PeerName } from '../../protocols/wire/index.ts'
import { leaseBetween, network } from '../../bench/ledger/leases.ts'
import { asker, worker } from '../../bench/ledger/trade.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { createCourier, createHost, identityFromSeed } from '../../src/host/index.ts'
import { Checkpoints } from '../../src/ledger/checkpoints.ts'
import { Damages } from '../../src/ledger/damages.ts'
import { Doubts } from '../../src/ledger/doubts.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { Store } from '../../src/ledger/store.ts'
import { Reactor, type Journal } from '../../src/reactor.ts'
import { decodeState, encodeState } from '../../src/state-form.ts'

export interface TradingOrder {
  readonly role: 'provider' | 'requester'
  readonly folder: string
  /** On which the provider listens. */
  readonly port: number
  readonly leases: number
  readonly intervalMs: number
  /** When the leases began, milliseconds since the epoch. */
  readonly startMs: number
}

type Effect = ReturnType<typeof stepBill>[1][number] | ReturnType<typeof stepPay>[1][number]

const redialMs = 50
const dialMs = 1_000
const order = JSON.parse(process.argv[2]!) as TradingOrder
const isProvider = order.role === 'provider'
const [notary, other] = isProvider ? [worker, asker] : [asker, worker]
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const path = join(order.folder, 'ledger.db')
const store = Store.open(path, realClock, silentLog)
const [damages, doubts] = [new Damages(store, silentLog), new Doubts(store, silentLog)]
const beside = { path: `${path}.checkpoint`, clock: realClock, log: silentLog }
const checkpoints = new Checkpoints({ store, notary, damages, doubts, ...beside })
checkpoints.begin()
for (const { place, what } of damages.list()) say(`bad ${place}: ${what}`)
for (const { code } of doubts.list()) say(`bad ${code}`)
const machines = new MachineStates(store, notary)
const journal: Journal = {
  commit: async (entry) =>
    machines.commit({ ...entry, state: entry.state === null ? null : encodeState(entry.state) }, realClock.nowMs()),
}

const onFault = (peer: PeerName, _protocol: string, fault: Fault): void => say(`bad ${fault.code} of ${peer}`)
const identity = identityFromSeed(sha256(fromString(order.role)))
const host = await createHost(
  { network, reach: 'loopback', listen: isProvider ? [`/ip4/127.0.0.1/tcp/${order.port}`] : [] },
  { identity, clock: realClock, random: realRandom, log: silentLog, onFault },
)
// A test trades faster than a peer lets another one.
const limits = { framesHeardPerSecondMax: 10_000, framesHeardAtOnceMax: 10_000, messagesQueuedMax: 1_024 }
const courier = createCourier(host.streams, { onFault, clock: realClock, log: silentLog, limits })

const perform = (effect: Exclude<Effect, { do: 'save' | 'record' }>): void => {
  if (effect.do === 'send') courier.send(effect.to, receiptProtocol, encodeBilling(effect.message))
  if (effect.do === 'blame') say(`bad ${effect.fault.code}: ${effect.fault.message}`)
  if (effect.do === 'tell' && effect.event.happened !== 'countersigned') say(`bad ${effect.event.because.code}`)
}
const shared = {
  journal,
  clock: realClock,
  log: silentLog,
  perform,
  onStuck: (error: Error) => say(`bad ${error.message}`),
}
const unmeasured = { wallMs: 0, inBytes: 0, gasMax: 0, result: null }
const wallMs = (nowMs: number): number => Math.max(0, nowMs - order.startMs)

function billOf(id: string, state: BillState): Reactor<BillState, BillInput, Effect> {
  const step = (from: BillState, input: BillInput, nowMs: number) => {
    const used = { wallMs: wallMs(nowMs), cpuMs: wallMs(nowMs), gas: 0, inBytes: 0, outBytes: 0 }
    const usage = usageOf(from.lease, used)
    return stepBill(notary, from, input.is === 'wake' ? { is: 'wake', usage } : input, nowMs)
  }
  const wake: BillInput = { is: 'wake', usage: noUsage }
  const machine = { step, wakeAtMs: billWakeAtMs, isFinal: () => false, wake }
  return new Reactor<BillState, BillInput, Effect>({ ...shared, kind: 'lease', id, machine }, state)
}

function accountOf(id: string, state: PayState): Reactor<PayState, PayInput | 'wake', Effect> {
  const step = (from: PayState, input: PayInput | 'wake', nowMs: number): ReturnType<typeof stepPay> =>
    input === 'wake'
      ? [from, []]
      : stepPay(notary, from, { ...input, measured: { ...unmeasured, wallMs: wallMs(nowMs) } }, nowMs)
  const machine = { step, wakeAtMs: () => undefined, isFinal: () => false, wake: 'wake' as const }
  return new Reactor<PayState, PayInput | 'wake', Effect>({ ...shared, kind: 'job', id, machine }, state)
}

const known = new Map(machines.open(isProvider ? 'lease' : 'job').map(({ id, state }) => [id, state]))
const takers = new Map<string, (from: PeerName, message: Billing) => void>()
const stops: (() => Promise<void>)[] = []
const starts: (() => void)[] = []
for (let number = 0; number < order.leases; number++) {
  const lease = leaseBetween(worker.signer.peer, asker.signer.peer, `${number}`, order.intervalMs)
  const state = known.get(lease.id)
  if (isProvider) {
    const bill = billOf(lease.id, state === undefined ? openBill(lease, realClock.nowMs()) : decodeState(state))
    takers.set(lease.id, (from, message) => bill.push({ is: 'message', from, message }))
    starts.push(() => bill.push({ is: 'restarted' }))
    stops.push(async () => bill.stop())
  } else {
    const account = accountOf(lease.id, state === undefined ? openAccount(lease) : decodeState(state))
    takers.set(lease.id, (from, message) => account.push({ is: 'message', from, message, measured: unmeasured }))
    stops.push(async () => account.stop())
  }
}

await courier.register(receiptProtocol, receiptLimits, (from, frame) => {
  const message = decodeBilling(notary, frame)
  if (message.say === 'dispute') return say(`bad ${message.dispute.body.refusal.code}`)
  const { body, envelope } = message.say === 'receipt' ? message.receipt : message.countersignature
  say(`${message.say === 'receipt' ? 'R' : 'C'} ${body.lease} ${body.sequence} ${toString(sha256(envelope), 'hex')}`)
  takers.get(body.lease)?.(from, message)
})
await host.start()
say('ready')
for (const start of starts) start()

const stopping = new AbortController()
process.stdin.once('data', () => stopping.abort(new Error('asked to stop')))
process.stdin.once('end', () => stopping.abort(new Error('nobody is there to ask')))
while (!stopping.signal.aborted) {
  if (!isProvider && host.connections().length === 0) {
    using deadline = realClock.deadline(dialMs, stopping.signal)
    await host.dial(`/ip4/127.0.0.1/tcp/${order.port}/p2p/${other.signer.peer}`, deadline.signal).catch(() => {})
  }
  await realClock.sleep(redialMs, stopping.signal).catch(() => {})
}
await Promise.all(stops.map(async (stop) => stop()))
courier.stop()
await host.stop()
checkpoints.close()
store.close()
process.exit(0)
