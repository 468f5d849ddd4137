/**
 * What is payable is always the largest cumulative state that both have signed, on each side's disk and in each machine: whatever is
 * lost, late, doubled or forged, and whoever crashes between any two of its deeds.
 */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'

import fc from 'fast-check'
import { equals } from 'uint8arrays'

import {
  amountOwed,
  billWakeAtMs,
  decodeBilling,
  encodeBilling,
  noUsage,
  openAccount,
  openBill,
  openCountersignature,
  openReceipt,
  sealCountersignature,
  sealReceipt,
  stepBill,
  stepPay,
  usageNames,
  type BillInput,
  type BillState,
  type Billing,
  type PayState,
  type Receipt,
  type Usage,
} from '../../protocols/receipt/index.ts'
import { Fault, hashOfEnvelope, sha256, type Effect, type Signed, type Statement } from '../../protocols/wire/index.ts'
import { ledgerSteps, migrate } from '../../src/ledger/migrations.ts'
import { Receipts, addReceipt, countersign } from '../../src/ledger/receipts.ts'
import type { Store } from '../../src/ledger/store.ts'
import { decodeState, encodeState } from '../../src/state-form.ts'
import { billedLease } from '../../src/market/terms.ts'
import { asker, leaseOf, provider, requester, startMs, stranger, worker } from '../negotiate/parties.ts'
import { Account, measuredOf, worked } from './accounts.ts'

const lease = billedLease(leaseOf({ gigaGasMicro: 500_000 }))
const result = new Account().result.cid

interface Payable {
  readonly sequence: number
  readonly amountMicro: number
}

/** Opening an envelope is dear, and the same ones are looked at after each deed. */
const opened = new WeakMap<Uint8Array, Signed<unknown>>()
function known<Body>(
  envelope: Uint8Array,
  open: (by: typeof asker, envelope: Uint8Array) => Signed<Body>,
): Signed<Body> {
  const found = (opened.get(envelope) as Signed<Body> | undefined) ?? open(asker, envelope)
  opened.set(envelope, found)
  return found
}

/** By brute force, from the envelopes alone: the last that both have signed, which is lawful, and the largest. */
function payableOf(statements: readonly Statement[]): Payable {
  const signed = new Map<number, Receipt>()
  for (const { kind, envelope } of statements) {
    if (kind !== 'receipt') continue
    const { by, body } = known(envelope, openReceipt)
    const isSigned = statements.some((other) => {
      if (other.kind !== 'countersignature') return false
      const answer = known(other.envelope, openCountersignature)
      return (
        answer.by === requester &&
        answer.body.lease === body.lease &&
        equals(answer.body.receipt, hashOfEnvelope(envelope))
      )
    })
    if (by === provider && isSigned) signed.set(body.sequence, body)
  }
  let last: Payable & { readonly usage: Usage } = { sequence: 0, amountMicro: 0, usage: noUsage }
  for (const body of [...signed.values()].toSorted((one, other) => one.sequence - other.sequence)) {
    assert.equal(body.sequence, last.sequence + 1, 'none is left out')
    assert.equal(body.amountMicro, amountOwed(lease, body.usage), 'it is what the lease says')
    for (const name of usageNames) assert.ok(body.usage[name] >= last.usage[name], `${name} fell`)
    assert.ok(body.amountMicro >= last.amountMicro, 'what is owed fell')
    last = body
  }
  return { sequence: last.sequence, amountMicro: last.amountMicro }
}

/** The tables of the real ledger, in memory. */
class Books {
  readonly #db = new DatabaseSync(':memory:')
  readonly #role: 'provider' | 'requester'

  constructor(role: 'provider' | 'requester') {
    this.#role = role
    migrate(this.#db, 'memory', ledgerSteps)
  }

  add({ kind, envelope }: Statement): void {
    if (kind === 'receipt') addReceipt(this.#db, this.#role, openReceipt(asker, envelope), startMs)
    if (kind === 'countersignature') countersign(this.#db, this.#role, openCountersignature(asker, envelope), startMs)
  }

  amountMicro(): number {
    const store = { read: <Value>(look: (db: DatabaseSync) => Value) => look(this.#db) } as unknown as Store
    return new Receipts(store).totals().find((total) => total.lease === lease.id)?.amountMicro ?? 0
  }

  close(): void {
    this.#db.close()
  }
}

/** One side: what it knows, and what a crash leaves of it. */
class Side<State extends object> {
  readonly books: Books
  readonly disk: Statement[] = []
  state: State
  /** The next step ends before it is written down (0) or after so many things less one are said, and so does this life; null: it does not. */
  crashAfter: number | null = null
  #saved: Uint8Array

  constructor(role: 'provider' | 'requester', state: State) {
    this.books = new Books(role)
    this.state = state
    this.#saved = encodeState(state)
  }

  /** What is recorded becomes durable together with the state, and before anything is said, as the reactor has it. Returns what is said. */
  take([next, effects]: readonly [State, readonly Effect<Billing, unknown>[]]): Effect<Billing, unknown>[] {
    const saves = effects.some((effect) => effect.do === 'save')
    const said = effects.filter((effect) => effect.do !== 'record' && effect.do !== 'save')
    const { crashAfter } = this
    if (crashAfter === 0) {
      this.crash()
      return []
    }
    for (const effect of effects) {
      if (effect.do !== 'record') continue
      this.disk.push(effect.statement)
      this.books.add(effect.statement)
    }
    if (saves) this.#saved = encodeState(next)
    this.state = next
    if (crashAfter === null) return said
    this.crash()
    return said.slice(0, crashAfter - 1)
  }

  crash(): void {
    this.crashAfter = null
    this.state = decodeState<State>(this.#saved)
  }
}

/** A receipt that this provider's machine did not make: each is wrong in one thing. */
function forged(state: PayState, how: number): Billing {
  const usage = worked(state.usage.wallMs + 500)
  const body: Receipt = {
    lease: lease.id,
    job: lease.job,
    slot: lease.slot,
    epoch: lease.epoch,
    requester,
    sequence: state.sequence + 1,
    previous: state.previous,
    usage,
    unit: lease.unit,
    amountMicro: amountOwed(lease, usage),
    final: false,
    result: '',
    issuedMs: startMs,
  }
  const less = worked(Math.max(0, state.usage.wallMs - 1))
  const wrongs: readonly Partial<Receipt>[] = [
    { sequence: state.sequence + 2 },
    // Before the first receipt there is nothing to fork, and nothing to fall from.
    state.sequence === 0 ? { slot: 1 } : { sequence: state.sequence, issuedMs: 7 },
    { previous: sha256(Uint8Array.of(7)) },
    { amountMicro: body.amountMicro + 1 },
    state.usage.wallMs === 0 ? { slot: 2 } : { usage: less, amountMicro: amountOwed(lease, less) },
    { epoch: 2 },
    { lease: '0'.repeat(64) },
    { usage: { ...usage, wallMs: 10 ** 12 }, amountMicro: lease.ceilingMicro },
  ]
  const by = how % 3 === 0 ? stranger : how % 3 === 1 ? worker : { ...worker, network: 'elsewhere' }
  const over = by === worker ? wrongs[how % wrongs.length]! : {}
  return { say: 'receipt', receipt: sealReceipt(by, { ...body, ...over }) }
}

function forgedAnswer({ sequence, previous }: BillState, how: number): Billing {
  const by = how % 2 === 0 ? stranger : asker
  const body = { lease: lease.id, sequence: sequence + 1 + (how % 2), receipt: previous, issuedMs: startMs }
  return { say: 'countersignature', countersignature: sealCountersignature(by, body) }
}

interface Parcel {
  readonly to: 'provider' | 'requester'
  readonly frame: Uint8Array
}

class World {
  readonly provider = new Side<BillState>('provider', openBill(lease, startMs))
  readonly requester = new Side<PayState>('requester', openAccount(lease))
  readonly queue: Parcel[] = []
  nowMs = startMs
  #closedAtMs: number | null = null
  #last = { provider: 0, requester: 0 }

  tick(ms: number): void {
    this.nowMs += ms
    if (this.#closedAtMs !== null && this.provider.state.at === 'counting') return this.close()
    if ((billWakeAtMs(this.provider.state) ?? Infinity) <= this.nowMs) this.bill({ is: 'wake', usage: this.#usage() })
  }

  close(): void {
    this.#closedAtMs ??= this.nowMs
    this.bill({ is: 'close', usage: this.#usage(), result })
  }

  #usage() {
    return worked((this.#closedAtMs ?? this.nowMs) - startMs)
  }

  bill(input: BillInput): void {
    const said = this.provider.take(stepBill(worker, this.provider.state, input, this.nowMs))
    for (const effect of said)
      if (effect.do === 'send') this.queue.push({ to: 'requester', frame: encodeBilling(effect.message) })
  }

  deliver({ to, frame }: Parcel): void {
    let message: Billing
    try {
      message = decodeBilling(asker, frame)
    } catch (error) {
      assert.ok(error instanceof Fault)
      return
    }
    if (to === 'provider') return this.bill({ is: 'message', from: requester, message })
    const gas = this.#usage().gas
    const measured = measuredOf(this.nowMs - startMs, { result: { cid: result, gas, outBytes: 0 } })
    const input = { is: 'message', from: provider, message, measured } as const
    for (const effect of this.requester.take(stepPay(asker, this.requester.state, input, this.nowMs)))
      if (effect.do === 'send') this.queue.push({ to: 'provider', frame: encodeBilling(effect.message) })
  }

  check(): void {
    const [earned, owed] = [payableOf(this.provider.disk), payableOf(this.requester.disk)]
    for (const [side, payable] of [
      [this.provider, earned],
      [this.requester, owed],
    ] as const) {
      assert.equal(side.books.amountMicro(), payable.amountMicro, 'the ledger says what the envelopes say')
      assert.equal(side.state.sequence, payable.sequence, 'the machine knows what is payable')
    }
    assert.equal(this.requester.state.amountMicro, owed.amountMicro)
    assert.ok(earned.sequence === owed.sequence || earned.sequence + 1 === owed.sequence, 'one receipt is under way')
    assert.ok(earned.amountMicro >= this.#last.provider && owed.amountMicro >= this.#last.requester, 'it never falls')
    this.#last = { provider: earned.amountMicro, requester: owed.amountMicro }
    assert.ok(owed.amountMicro <= amountOwed(lease, worked(Math.ceil((this.nowMs - startMs) * 1.02) + 2_000)))
  }

  end(): void {
    this.provider.books.close()
    this.requester.books.close()
  }
}

type Deed = readonly [deed: string, number: number]

function act(world: World, [deed, number]: Deed): void {
  const index = world.queue.length === 0 ? -1 : number % world.queue.length
  switch (deed) {
    case 'tick':
      return world.tick(number % 3_000)
    case 'deliver':
      if (index >= 0) for (const parcel of world.queue.splice(index, 1)) world.deliver(parcel)
      return
    case 'lose':
      if (index >= 0) world.queue.splice(index, 1)
      return
    case 'double':
      if (index >= 0) world.queue.push(world.queue[index]!)
      return
    case 'crash': {
      const side = number % 2 === 0 ? world.provider : world.requester
      side.crashAfter = (number >> 1) % 4
      return
    }
    case 'restart':
      if (number % 2 === 0) {
        world.provider.crash()
        world.bill({ is: 'restarted' })
      } else world.requester.crash()
      return
    case 'forge':
      return number % 2 === 0
        ? world.deliver({ to: 'requester', frame: encodeBilling(forged(world.requester.state, number >> 1)) })
        : world.deliver({ to: 'provider', frame: encodeBilling(forgedAnswer(world.provider.state, number >> 1)) })
    case 'close':
      return world.close()
    default:
      throw new Error(deed)
  }
}

const deeds = fc.array(
  fc.tuple(
    fc.constantFrom(
      'tick',
      'tick',
      'tick',
      'deliver',
      'deliver',
      'deliver',
      'lose',
      'double',
      'crash',
      'restart',
      'forge',
    ),
    fc.nat(100_000),
  ),
  { minLength: 30, maxLength: 120, size: 'max' },
)

test('payable is the largest cumulative state that both have signed, after each deed', () => {
  let [signed, settled] = [0, 0]
  fc.assert(
    fc.property(deeds, fc.nat(120), (plan, endsAfter) => {
      const world = new World()
      try {
        for (const deed of [...plan.slice(0, endsAfter), ['close', 0] as const, ...plan.slice(endsAfter)]) {
          act(world, deed)
          world.check()
        }
        // In good weather the rest comes to its end, unless the provider has given up before.
        for (let turn = 0; turn < 40; turn++) {
          world.tick(1_000)
          for (const parcel of world.queue.splice(0)) world.deliver(parcel)
          world.check()
        }
        const { at } = world.provider.state
        assert.ok(at === 'settled' || at === 'unpaid', at)
        if (at === 'settled') assert.equal(world.requester.state.at, 'settled')
        signed += world.requester.state.sequence
        if (at === 'settled') settled++
      } finally {
        world.end()
      }
    }),
    { numRuns: 100 },
  )
  assert.ok(signed > 100 && settled > 25, `hardly anything was signed: ${signed} receipts, ${settled} settled`)
})
