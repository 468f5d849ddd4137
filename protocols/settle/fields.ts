/** The fields of what is signed here, from and to protobuf: every one is checked, and what must follow from others does. */
import { create } from '@bufbuild/protobuf'
import { fromString, toString } from 'uint8arrays'

import { Fault, checkedHash, checkedInteger, checkedText, publicKeyOf, required, type PeerName } from '../wire/index.ts'
import {
  entriesMax,
  forfeitsMax,
  objectionCodes,
  revisionMax,
  totalsOf,
  unitCharsMax,
  type Agreement,
  type Difference,
  type Disputed,
  type Entry,
  type Forfeit,
  type Held,
  type Objection,
  type ObjectionCode,
  type Statement,
} from './messages.ts'
import {
  AgreementSchema,
  DifferenceSchema,
  StatementSchema,
  type Agreement as WireAgreement,
  type Difference as WireDifference,
  type Disputed as WireDisputed,
  type Entry as WireEntry,
  type Forfeit as WireForfeit,
  type Held as WireHeld,
  type Objection as WireObjection,
  type Statement as WireStatement,
} from './wire_pb.ts'

export function encodeStatement(body: Statement): WireStatement {
  const { higher } = body
  return create(StatementSchema, {
    lower: body.lower,
    higher,
    unit: body.unit,
    number: BigInt(body.number),
    revision: body.revision,
    previous: body.previous,
    answers: body.answers,
    entries: body.entries.map((entry) => ({
      lease: fromString(entry.lease, 'hex'),
      higherProvides: entry.provider === higher,
      ...encodeHeld(entry),
      settledMicro: BigInt(entry.settledMicro),
    })),
    disputed: body.disputed.map(({ lease, provider, code, proposerHolds, otherHolds }) => ({
      lease: fromString(lease, 'hex'),
      higherProvides: provider === higher,
      code,
      proposerHolds: encodeHeld(proposerHolds),
      ...(otherHolds === null ? {} : { otherHolds: encodeHeld(otherHolds) }),
    })),
    lowerEarnedMicro: BigInt(body.lowerEarnedMicro),
    higherEarnedMicro: BigInt(body.higherEarnedMicro),
    netMicro: BigInt(body.netMicro),
    debtor: body.debtor,
    issuedMs: BigInt(body.issuedMs),
    forfeits: body.forfeits.map(({ lease, provider, bondMicro, first, second }) => ({
      lease: fromString(lease, 'hex'),
      higherProvides: provider === higher,
      bondMicro: BigInt(bondMicro),
      first,
      second,
    })),
    lowerForfeitedMicro: BigInt(body.lowerForfeitedMicro),
    higherForfeitedMicro: BigInt(body.higherForfeitedMicro),
  })
}

export function decodeStatement(wire: WireStatement): Statement {
  const { lower, higher } = wire
  publicKeyOf(lower)
  publicKeyOf(higher)
  if (lower >= higher) throw invalid('the two peers are not in order', 'higher')
  if (wire.entries.length + wire.disputed.length > entriesMax) throw invalid('too many leases', 'entries')
  if (wire.forfeits.length > forfeitsMax) throw invalid('too many forfeits', 'forfeits')
  if (wire.entries.length + wire.disputed.length + wire.forfeits.length === 0)
    throw invalid('a statement about nothing', 'entries')
  const providerOf = (higherProvides: boolean): PeerName => (higherProvides ? higher : lower)
  const entries = wire.entries.map((entry) => decodeEntry(entry, providerOf(entry.higherProvides)))
  const disputed = wire.disputed.map((one) => decodeDisputed(one, providerOf(one.higherProvides)))
  checkOrder(entries, 'entries')
  checkOrder(disputed, 'disputed')
  const forfeits = wire.forfeits.map((one) => decodeForfeit(one, providerOf(one.higherProvides)))
  checkOrder(forfeits, 'forfeits')
  const taken = new Set(entries.map(({ lease }) => lease))
  if (disputed.some(({ lease }) => taken.has(lease))) throw invalid('a lease is taken in and disputed', 'disputed')
  const revision = decodeRevision(wire.revision)
  if (revision === 1 && (wire.answers.byteLength > 0 || disputed.length > 0))
    throw invalid('a first revision answers nothing and disputes nothing', 'answers')
  const totals = totalsOf(lower, higher, entries, forfeits)
  const isSum =
    totals !== undefined &&
    wire.lowerEarnedMicro === BigInt(totals.lowerEarnedMicro) &&
    wire.higherEarnedMicro === BigInt(totals.higherEarnedMicro) &&
    wire.lowerForfeitedMicro === BigInt(totals.lowerForfeitedMicro) &&
    wire.higherForfeitedMicro === BigInt(totals.higherForfeitedMicro) &&
    wire.netMicro === BigInt(totals.netMicro) &&
    wire.debtor === totals.debtor
  if (!isSum) throw invalid('the totals are not those of the entries and forfeits', 'net_micro')
  return {
    lower,
    higher,
    unit: checkedText(wire.unit, 'unit', unitCharsMax),
    number: decodeCount(wire.number, 'number'),
    revision,
    previous: checkedHash(wire.previous, 'previous'),
    answers: revision === 1 ? wire.answers : checkedHash(wire.answers, 'answers'),
    entries,
    disputed,
    forfeits,
    ...totals,
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
  }
}

export function encodeDifference(body: Difference): WireDifference {
  return create(DifferenceSchema, {
    unit: body.unit,
    number: BigInt(body.number),
    revision: body.revision,
    statement: body.statement,
    objections: body.objections.map(({ lease, code, holds }) => ({
      lease: fromString(lease, 'hex'),
      code,
      ...(holds === null ? {} : { holds: encodeHeld(holds) }),
    })),
    issuedMs: BigInt(body.issuedMs),
  })
}

export function decodeDifference(wire: WireDifference): Difference {
  if (wire.objections.length === 0) throw invalid('a difference without an objection', 'objections')
  if (wire.objections.length > entriesMax) throw invalid('too many objections', 'objections')
  const objections = wire.objections.map(decodeObjection)
  checkOrder(objections, 'objections')
  return { ...decodeReference(wire), objections }
}

export function encodeAgreement(body: Agreement): WireAgreement {
  return create(AgreementSchema, {
    unit: body.unit,
    number: BigInt(body.number),
    revision: body.revision,
    statement: body.statement,
    issuedMs: BigInt(body.issuedMs),
  })
}

export function decodeAgreement(wire: WireAgreement): Agreement {
  return decodeReference(wire)
}

/** Which statement is meant. */
function decodeReference(wire: WireAgreement | WireDifference): Agreement {
  return {
    unit: checkedText(wire.unit, 'unit', unitCharsMax),
    number: decodeCount(wire.number, 'number'),
    revision: decodeRevision(wire.revision),
    statement: checkedHash(wire.statement, 'statement'),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
  }
}

function decodeEntry(wire: WireEntry, provider: PeerName): Entry {
  const entry = {
    lease: toString(checkedHash(wire.lease, 'lease'), 'hex'),
    provider,
    ...decodeHeld(wire),
    settledMicro: checkedInteger(wire.settledMicro, 'settled_micro'),
  }
  if (entry.amountMicro <= entry.settledMicro) throw invalid('an entry that adds nothing', 'amount_micro')
  return entry
}

function decodeForfeit(wire: WireForfeit, provider: PeerName): Forfeit {
  const bondMicro = checkedInteger(wire.bondMicro, 'bond_micro')
  if (bondMicro === 0) throw invalid('a forfeit of nothing', 'bond_micro')
  return {
    lease: toString(checkedHash(wire.lease, 'lease'), 'hex'),
    provider,
    bondMicro,
    first: checkedHash(wire.first, 'first'),
    second: checkedHash(wire.second, 'second'),
  }
}

function decodeDisputed(wire: WireDisputed, provider: PeerName): Disputed {
  return {
    lease: toString(checkedHash(wire.lease, 'lease'), 'hex'),
    provider,
    code: decodeCode(wire.code),
    proposerHolds: decodeHeld(required(wire.proposerHolds, 'proposer_holds')),
    otherHolds: wire.otherHolds === undefined ? null : decodeHeld(wire.otherHolds),
  }
}

function decodeObjection(wire: WireObjection): Objection {
  const code = decodeCode(wire.code)
  const holds = wire.holds === undefined ? null : decodeHeld(wire.holds)
  if (holds === null && code !== 'HOLDS_LESS') throw invalid(`${code} without what is held`, 'holds')
  return { lease: toString(checkedHash(wire.lease, 'lease'), 'hex'), code, holds }
}

function decodeCode(text: string): ObjectionCode {
  if (!objectionCodes.includes(text)) throw invalid('an objection of an unknown kind', 'code')
  return text as ObjectionCode
}

function encodeHeld({ sequence, receipt, amountMicro }: Held) {
  return { sequence: BigInt(sequence), receipt, amountMicro: BigInt(amountMicro) }
}

function decodeHeld(wire: Pick<WireHeld, 'sequence' | 'receipt' | 'amountMicro'>): Held {
  return {
    sequence: decodeCount(wire.sequence, 'sequence'),
    receipt: checkedHash(wire.receipt, 'receipt'),
    amountMicro: checkedInteger(wire.amountMicro, 'amount_micro'),
  }
}

function decodeCount(value: bigint, field: string): number {
  const count = checkedInteger(value, field)
  if (count === 0) throw invalid(`${field} is counted from 1`, field)
  return count
}

function decodeRevision(value: number): number {
  const revision = checkedInteger(value, 'revision', revisionMax)
  if (revision === 0) throw invalid('revisions are counted from 1', 'revision')
  return revision
}

/** One order, and nothing twice: a lease that is named twice would count twice. */
function checkOrder(list: readonly { readonly lease: string }[], field: string): void {
  for (const [index, { lease }] of list.entries()) {
    if (index > 0 && list[index - 1]!.lease >= lease) throw invalid('leases are not in order, each once', field)
  }
}

function invalid(message: string, field: string): Fault {
  return new Fault('FIELD_INVALID', message, { field })
}
