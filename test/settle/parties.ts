/** Two peers that work for each other, with books that hold what each of them has written down. */
import { fromString, toString } from 'uint8arrays'

import { leaseIdOf, sealAccept, sealAward, type Notary } from '../../protocols/negotiate/index.ts'
import { noUsage, sealCountersignature, sealReceipt } from '../../protocols/receipt/index.ts'
import {
  openSettling,
  originOf,
  pairOf,
  stepSettle,
  totalsOf,
  type BooksView,
  type Entry,
  type Evidence,
  type ForfeitEnvelopes,
  type SettleInput,
  type SettleState,
  type SettleStep,
  type Statement,
} from '../../protocols/settle/index.ts'
import { sha256, type Statement as Record } from '../../protocols/wire/index.ts'
import { decodeState, encodeState } from '../../src/state-form.ts'
import { StatementBooks } from '../../src/settlement/statement-books.ts'
import { awardTerms, checkStep, job, startMs } from '../negotiate/parties.ts'
import { network, notary } from '../support/peers.ts'

export const unit = 'credit'
const both = [notary(1), notary(2)].toSorted((one, other) => (one.signer.peer < other.signer.peer ? -1 : 1))
export const [low, high] = both as [Notary, Notary]
export const [lower, higher] = [low.signer.peer, high.signer.peer]
export const outsider = notary(3)

export const leaseNamed = (name: string): string => toString(sha256(fromString(name)), 'hex')

/** A receipt and its countersignature, whatever came before. */
export function evidenceOf(
  provider: Notary,
  requester: Notary,
  lease: string,
  sequence: number,
  amountMicro: number,
  over: { readonly previous?: Uint8Array; readonly unit?: string } = {},
): Evidence {
  const receipt = sealReceipt(provider, {
    lease,
    job,
    slot: 0,
    epoch: 1,
    requester: requester.signer.peer,
    sequence,
    previous: over.previous ?? fromString(lease, 'hex'),
    usage: { ...noUsage, wallMs: amountMicro },
    unit: over.unit ?? unit,
    amountMicro,
    final: false,
    result: '',
    issuedMs: startMs,
  })
  const countersignature = sealCountersignature(requester, {
    lease,
    sequence,
    receipt: sha256(receipt.envelope),
    issuedMs: startMs,
  })
  return { receipt, countersignature }
}

export function entryOf(provider: Notary, lease: string, { receipt }: Evidence, settledMicro = 0): Entry {
  const { sequence, amountMicro } = receipt.body
  return {
    lease,
    provider: provider.signer.peer,
    sequence,
    receipt: sha256(receipt.envelope),
    amountMicro,
    settledMicro,
  }
}

export function statementOf(entries: readonly Entry[], over: Partial<Statement> = {}): Statement {
  const sorted = entries.toSorted((one, other) => (one.lease < other.lease ? -1 : 1))
  return {
    ...pairOf(lower, higher),
    unit,
    number: 1,
    revision: 1,
    previous: originOf(network, lower, higher, unit),
    answers: new Uint8Array(0),
    entries: sorted,
    disputed: [],
    forfeits: [],
    ...totalsOf(lower, higher, sorted)!,
    issuedMs: startMs,
    ...over,
  }
}

export function viewOf(books: StatementBooks, peer: string): BooksView {
  const leases = () => books.totalsWith(peer, unit)
  return {
    unsettled: () => leases().filter(({ held, settledMicro }) => held !== null && held.amountMicro > settledMicro),
    lease: (lease) => leases().find((one) => one.lease === lease),
    evidence: (lease, sequence) => books.evidence(lease, sequence),
    forfeits: () => books.forfeitsWith(peer, unit),
    isForfeited: (lease) => books.isForfeited(lease),
    agreed: (number) => books.agreed(peer, unit, number),
  }
}

/** A lease with a bond, and two receipts of one number of it, or two ACCEPTs: what its provider forfeits. */
export function betrayalOf(
  provider: Notary,
  requester: Notary,
  bondMicro: number,
  over: { readonly slot?: number; readonly of?: 'receipt' | 'accept'; readonly unit?: string } = {},
): { readonly lease: string; readonly proof: ForfeitEnvelopes } {
  const { slot = 0, of = 'receipt' } = over
  const terms = awardTerms({ provider: provider.signer.peer, slot, bondMicro, unit: over.unit ?? unit })
  const award = sealAward(requester, terms).envelope
  const lease = leaseIdOf(award)
  const twice = [1, 2].map((amount) =>
    of === 'receipt'
      ? evidenceOf(provider, requester, lease, 1, amount).receipt.envelope
      : sealAccept(provider, { lease: sha256(award), issuedMs: startMs + amount, commitByMs: startMs + 9_000 })
          .envelope,
  )
  return { lease, proof: { award, first: twice[0]!, second: twice[1]! } }
}

/** Every turn that a machine of a test has taken, and that was one: state, input or message in capitals, next state. */
export const turns = new Set<string>()

/** One side: its machine, and the disk that a crash leaves. */
export class Side {
  readonly notary: Notary
  readonly other: string
  readonly books: StatementBooks
  readonly records: Record[] = []
  state: SettleState
  #saved: Uint8Array

  constructor(self: Notary, other: string) {
    this.notary = self
    this.other = other
    this.books = new StatementBooks(self)
    this.state = openSettling(other, unit)
    this.#saved = encodeState(this.state)
  }

  write(...records: readonly Record[]): void {
    this.records.push(...records)
    for (const record of records) this.books.add(record)
  }

  step(input: SettleInput, nowMs: number): SettleStep {
    const step = stepSettle(this.notary, this.state, input, viewOf(this.books, this.other), nowMs)
    checkStep<SettleState>(this.state, step, this.other)
    const on = input.is === 'message' ? input.message.say.toUpperCase() : input.is
    if (step[0] !== this.state || step[1].length > 0) turns.add(`${this.state.at} ${on} ${step[0].at}`)
    this.state = step[0]
    for (const effect of step[1]) {
      if (effect.do === 'record') this.write(effect.statement)
      if (effect.do === 'save') this.#saved = encodeState(this.state)
    }
    return step
  }

  /** Memory is lost; what was saved is taken up. */
  restart(nowMs: number): SettleStep {
    this.state = decodeState<SettleState>(this.#saved)
    return this.step({ is: 'restarted' }, nowMs)
  }
}

/** Both sides, and the work that they do for each other. */
export class Trade {
  readonly low = new Side(low, higher)
  readonly high = new Side(high, lower)
  readonly #chains = new Map<string, { sequence: number; previous: Uint8Array; amountMicro: number }>()

  /**
   * One more receipt of the lease. The requester writes it and its countersignature down; the provider has its own receipt, and the
   * countersignature if it arrives.
   */
  work(name: string, by: 'low' | 'high', amountMicro: number, arrives = true): this {
    const lease = leaseNamed(name)
    const last = this.#chains.get(lease) ?? { sequence: 0, previous: fromString(lease, 'hex'), amountMicro: 0 }
    const [provider, requester] = by === 'low' ? [this.low, this.high] : [this.high, this.low]
    const sequence = last.sequence + 1
    const total = last.amountMicro + amountMicro
    const one = evidenceOf(provider.notary, requester.notary, lease, sequence, total, { previous: last.previous })
    const [receipt, countersignature] = recordsOf(one)
    requester.write(receipt, countersignature)
    provider.write(receipt, ...(arrives ? [countersignature] : []))
    this.#chains.set(lease, { sequence, previous: sha256(one.receipt.envelope), amountMicro: total })
    return this
  }

  /** The provider signs two things of which only one can be, and the requester holds both. */
  betray(slot: number, by: 'low' | 'high', bondMicro: number): this {
    const [provider, requester] = by === 'low' ? [this.low, this.high] : [this.high, this.low]
    const { lease, proof } = betrayalOf(provider.notary, requester.notary, bondMicro, { slot })
    requester.books.claim(provider.notary.signer.peer, unit, lease, proof)
    return this
  }

  /** What no honest pair does: each holds another receipt of one number, both signed by both. */
  fork(name: string, by: 'low' | 'high', amounts: readonly [number, number]): this {
    const lease = leaseNamed(name)
    const [provider, requester] = by === 'low' ? [this.low, this.high] : [this.high, this.low]
    this.low.write(...recordsOf(evidenceOf(provider.notary, requester.notary, lease, 1, amounts[0])))
    this.high.write(...recordsOf(evidenceOf(provider.notary, requester.notary, lease, 1, amounts[1])))
    return this
  }
}

export function recordsOf({ receipt, countersignature }: Evidence): [Record, Record] {
  return [
    { kind: 'receipt', by: receipt.by, envelope: receipt.envelope },
    { kind: 'countersignature', by: countersignature.by, envelope: countersignature.envelope },
  ]
}
