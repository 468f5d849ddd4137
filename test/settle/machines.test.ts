import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  answerWithinMs,
  entriesMax,
  evidenceMax,
  hashTextOf,
  openSettling,
  roundsMax,
  sealAgreement,
  sealDifference,
  sealStatement,
  settleRetransmitMs,
  settleWakeAtMs,
  stepSettle,
  type Evidence,
  type Objection,
  type SettleState,
  type Settling,
  type Statement,
} from '../../protocols/settle/index.ts'
import { microMax, sha256, type Signed } from '../../protocols/wire/index.ts'
import type { Notary } from '../../protocols/negotiate/index.ts'
import { deeds, messageOf, startMs } from '../negotiate/parties.ts'
import { Pair } from './pair.ts'
import {
  Trade,
  entryOf,
  evidenceOf,
  high,
  higher,
  leaseNamed,
  low,
  lower,
  outsider,
  statementOf,
  unit,
  type Side,
} from './parties.ts'

/** One lease in each direction, both signed and known to both. */
const trade = (): Trade => new Trade().work('one', 'low', 700).work('two', 'high', 300)
const [one, two] = [leaseNamed('one'), leaseNamed('two')]
const paid = evidenceOf(low, high, one, 1, 700)
const [entryOne, entryTwo] = [entryOf(low, one, paid), entryOf(high, two, evidenceOf(high, low, two, 1, 300))]
const bothEntries = [entryOne, entryTwo]

const proposal = (by: Notary, body: Statement, evidence: readonly Evidence[] = []): Settling => ({
  say: 'propose',
  statement: sealStatement(by, body),
  evidence,
  forfeits: [],
})
const referenceTo = ({ envelope, body }: Signed<Statement>) => {
  const { number, revision } = body
  return { unit, number, revision, statement: sha256(envelope), issuedMs: startMs }
}
const agreement = (by: Notary, to: Signed<Statement>): Settling => ({
  say: 'agree',
  agreement: sealAgreement(by, referenceTo(to)),
})
const difference = (
  by: Notary,
  to: Signed<Statement>,
  objections: readonly Objection[],
  evidence: readonly Evidence[] = [],
): Settling => ({ say: 'differ', difference: sealDifference(by, { ...referenceTo(to), objections }), evidence })
const proposed = ({ state }: Side): Signed<Statement> => {
  assert.ok('proposal' in state, state.at)
  return state.proposal
}
const hears = (side: Side, message: Settling, nowMs = startMs): string[] =>
  deeds(side.step({ is: 'message', from: side.other, message }, nowMs)[1])
const proposes = (side: Side): Signed<Statement> => {
  side.step({ is: 'propose' }, startMs)
  return proposed(side)
}
/** Each agreed statement of `by`, in order. */
const settle = (one: Trade): Trade => {
  const statement = proposes(one.low)
  hears(one.high, { say: 'propose', statement, evidence: [], forfeits: [] })
  assert.equal(one.high.state.at, 'resting')
  hears(one.low, agreement(high, statement))
  assert.deepEqual(one.low.state.head?.statement, one.high.state.head?.statement)
  return one
}

test('what both hold is agreed to, by whoever is asked; both are bound by two signatures', () => {
  const { low: side, high: other } = trade()
  const statement = proposes(side)
  assert.deepEqual(statement.body, statementOf(bothEntries))
  assert.deepEqual(
    [statement.body.netMicro, statement.body.debtor, statement.body.lowerEarnedMicro],
    [400, higher, 700],
  )
  const step = other.step(
    { is: 'message', from: lower, message: { say: 'propose', statement, evidence: [], forfeits: [] } },
    startMs,
  )
  assert.deepEqual(deeds(step[1]), [
    'record settlement',
    'record settlement-agreement',
    'save',
    'send AGREE',
    'tell agreed',
  ])
  const answer = messageOf(step[1][3]!)
  assert.deepEqual(hears(side, answer), ['record settlement', 'record settlement-agreement', 'save', 'tell agreed'])
  assert.deepEqual(hears(side, answer), [], 'a second AGREE is lawful')
  assert.deepEqual(side.state, { at: 'resting', other: higher, unit, head: other.state.head })
})

test('a statement of more leases than fit takes in the first; what is left is in the next', () => {
  const many = new Trade()
  for (let lease = 0; lease < entriesMax + 3; lease++) many.work(`lease ${lease}`, 'low', 1)
  settle(many)
  assert.equal(many.low.state.head?.statement.body.entries.length, entriesMax)
  settle(many)
  assert.equal(many.low.state.head?.statement.body.entries.length, 3)
  assert.equal(many.low.step({ is: 'propose' }, startMs)[1].length, 0)
})

test('an amount that would be too great with the others waits', () => {
  const rich = new Trade().work('one', 'low', microMax).work('two', 'low', 1).work('three', 'high', 5)
  assert.deepEqual(
    proposes(rich.low)
      .body.entries.map(({ amountMicro }) => amountMicro)
      .toSorted((one, other) => one - other),
    [5, microMax],
  )
})

test('proofs that do not fit are for the next number', () => {
  const many = new Trade()
  for (let lease = 0; lease < evidenceMax + 2; lease++) many.work(`lease ${lease}`, 'low', 1, false)
  const statement = proposes(many.high)
  const [, effects] = many.low.step(
    { is: 'message', from: higher, message: { say: 'propose', statement, evidence: [], forfeits: [] } },
    startMs,
  )
  const differ = messageOf(effects.find((effect) => effect.do === 'send')!)
  hears(many.high, differ)
  const { proposal: next, evidence } = many.high.state as Extract<SettleState, { at: 'proposing' }>
  assert.deepEqual(
    [next.body.entries.length, evidence.length, next.body.disputed.length],
    [evidenceMax, evidenceMax, 0],
  )
  hears(many.low, { say: 'propose', statement: next, evidence, forfeits: [] })
  assert.equal(many.low.state.at, 'resting')
})

test('a lease that is being worked is settled although both have signed more since', () => {
  const busy = trade()
  const statement = proposes(busy.low)
  busy.work('one', 'low', 10)
  const [, effects] = busy.high.step(
    { is: 'message', from: lower, message: { say: 'propose', statement, evidence: [], forfeits: [] } },
    startMs,
  )
  hears(busy.low, messageOf(effects.find((effect) => effect.do === 'send')!))
  busy.work('one', 'low', 10)
  const { proposal: next, evidence } = busy.low.state as Extract<SettleState, { at: 'proposing' }>
  hears(busy.high, { say: 'propose', statement: next, evidence, forfeits: [] })
  assert.equal(busy.high.state.at, 'resting')
  assert.equal(busy.high.books.totalsWith(lower, unit).find(({ lease }) => lease === one)?.settledMicro, 710)
})

test('a proposal of an old number is answered with what is agreed', () => {
  const side = settle(settle(trade()).work('one', 'low', 5)).high
  const first = side.records.find(({ kind }) => kind === 'settlement')!
  assert.equal(side.state.head?.statement.body.number, 2)
  const again = sealStatement(low, statementOf(bothEntries))
  assert.deepEqual(again.envelope, first.envelope)
  assert.deepEqual(hears(side, { say: 'propose', statement: again, evidence: [], forfeits: [] }), ['send AGREE'])
  assert.deepEqual(hears(side, { say: 'propose', statement: side.state.head.statement, evidence: [], forfeits: [] }), [
    'send AGREE',
  ])
  const own = settle(trade()).low
  assert.deepEqual(hears(own, proposal(high, statementOf(bothEntries))), ['send AGREED'], 'it withdrew this one')
})

test('a peer with an older ledger is told what it signed, and takes it up', () => {
  const world = settle(trade())
  const fresh = trade().low
  const statement = world.high.state.head!.statement
  fresh.step({ is: 'propose' }, startMs + 1)
  assert.notEqual(hashTextOf(proposed(fresh)), hashTextOf(statement))
  const said = { say: 'agreed', ...world.high.state.head! } as const
  assert.deepEqual(hears(fresh, said), ['record settlement', 'record settlement-agreement', 'save', 'tell agreed'])
  assert.deepEqual(fresh.state.head?.statement, statement)
  assert.deepEqual(hears(fresh, said), [])
})

test('an answerless proposer repeats, stops, and keeps the number for its owner to try again', () => {
  const { low: side } = trade()
  const statement = proposes(side)
  assert.equal(settleWakeAtMs(side.state), startMs + settleRetransmitMs)
  assert.deepEqual(deeds(side.step({ is: 'wake' }, startMs + settleRetransmitMs - 1)[1]), [])
  assert.deepEqual(deeds(side.step({ is: 'wake' }, startMs + settleRetransmitMs)[1]), ['send PROPOSE'])
  assert.deepEqual(deeds(side.step({ is: 'wake' }, startMs + answerWithinMs)[1]), ['save', 'tell unanswered'])
  assert.equal(settleWakeAtMs(side.state), undefined)
  assert.deepEqual(deeds(side.step({ is: 'propose' }, startMs)[1]), ['send PROPOSE'])
  assert.deepEqual(proposed(side), statement)
})

test('a peer that differs for ever stalls the account; the owner tries again under the same number', () => {
  const { low: side, high: other } = trade()
  let last = proposes(side)
  const unknown = (lease: string): Objection => ({ lease, code: 'HOLDS_LESS', holds: null })
  // Every revision proves what was objected to; this one finds something else each time.
  const turns = [[unknown(one)], [unknown(two)]]
  for (const [index, objections] of turns.entries()) {
    assert.ok(hears(side, difference(high, last, objections)).includes('send PROPOSE'), String(index))
    last = proposed(side)
  }
  assert.equal(last.body.revision, 3)
  hears(side, difference(high, last, [unknown(one)]))
  last = proposed(side)
  assert.equal(last.body.revision, roundsMax)
  const stalled = hears(side, difference(high, last, [unknown(two)]))
  assert.deepEqual(stalled, ['record settlement-difference', 'save', 'tell differed', 'tell stalled'])
  assert.equal(settleWakeAtMs(side.state), undefined)
  assert.deepEqual(hears(side, difference(high, last, [unknown(two)])), [], 'the same again')
  assert.deepEqual(hears(side, difference(high, last, [unknown(one)])), ['blame EQUIVOCATION'])
  assert.deepEqual(hears(side, agreement(high, last)), ['blame EQUIVOCATION'])
  assert.ok(deeds(side.step({ is: 'propose' }, startMs)[1]).includes('send PROPOSE'))
  assert.deepEqual([proposed(side).body.number, proposed(side).body.revision], [1, roundsMax + 1])
  assert.equal(other.state.at, 'resting')
})

const misbehaviours: readonly {
  readonly title: string
  readonly code: string
  readonly message: (side: Side) => Settling
  readonly by?: 'low' | 'high'
  readonly prepare?: (trade: Trade) => void
}[] = [
  {
    title: 'a statement of somebody else',
    code: 'SIGNER_UNEXPECTED',
    message: () => proposal(high, statementOf(bothEntries)),
  },
  {
    title: 'a statement in another unit',
    code: 'FIELD_INVALID',
    message: () => proposal(low, statementOf(bothEntries, { unit: 'other' })),
  },
  {
    title: 'a statement that does not follow',
    code: 'CHAIN_BROKEN',
    message: () => proposal(low, statementOf(bothEntries, { previous: sha256(Uint8Array.of(1)) })),
  },
  {
    title: 'a number that is not reached',
    code: 'OUT_OF_TURN',
    message: () => proposal(low, statementOf(bothEntries, { number: 2 })),
  },
  {
    title: 'a revision too far',
    code: 'OUT_OF_TURN',
    message: () => proposal(low, statementOf(bothEntries, { revision: 2, answers: new Uint8Array(32) })),
  },
  {
    title: 'an amount that is not what the receipt says',
    code: 'FIELD_INVALID',
    message: () => proposal(low, statementOf([{ ...entryOne, amountMicro: 701 }])),
  },
  {
    title: 'a lease that runs the other way',
    code: 'FIELD_INVALID',
    message: () => proposal(low, statementOf([{ ...entryTwo, provider: lower }])),
  },
  {
    title: 'an amount that is settled already',
    code: 'CHAIN_BROKEN',
    prepare: settle,
    message: (side) =>
      proposal(low, statementOf([entryOne], { number: 2, previous: sha256(side.state.head!.statement.envelope) })),
  },
  {
    title: 'an amount settled before that is none',
    code: 'CHAIN_BROKEN',
    message: () => proposal(low, statementOf([{ ...entryOne, settledMicro: 10 }])),
  },
  {
    title: 'a proof of another lease',
    code: 'PROOF_INVALID',
    message: () => proposal(low, statementOf([entryOne]), [evidenceOf(low, high, two, 1, 700)]),
  },
  {
    title: 'a proof of another amount',
    code: 'PROOF_INVALID',
    message: () => proposal(low, statementOf([entryOne]), [evidenceOf(low, high, one, 1, 699)]),
  },
  {
    title: 'a proof between others',
    code: 'PROOF_INVALID',
    message: () => {
      const forged = evidenceOf(low, outsider, leaseNamed('new'), 1, 5)
      return proposal(low, statementOf([entryOf(low, leaseNamed('new'), forged)]), [forged])
    },
  },
  {
    title: 'two statements of one revision, before it is agreed',
    code: 'EQUIVOCATION',
    prepare: (world) => {
      world.fork('five', 'low', [10, 11])
      hears(world.high, { say: 'propose', statement: proposes(world.low), evidence: [], forfeits: [] })
      assert.equal(world.high.state.at, 'answering')
    },
    message: () => proposal(low, statementOf(bothEntries)),
  },
  {
    title: 'two statements of one revision, after it is agreed',
    code: 'EQUIVOCATION',
    prepare: settle,
    message: () => proposal(low, statementOf([entryOne])),
  },
  {
    title: 'a revision of what is agreed',
    code: 'OUT_OF_TURN',
    prepare: settle,
    message: () => proposal(low, statementOf([entryOne], { revision: 2, answers: new Uint8Array(32) })),
  },
  {
    title: 'a revision that answers another difference',
    code: 'CHAIN_BROKEN',
    prepare: (world) => {
      world.fork('five', 'low', [10, 11])
      hears(world.high, { say: 'propose', statement: proposes(world.low), evidence: [], forfeits: [] })
    },
    message: () => proposal(low, statementOf(bothEntries, { revision: 2, answers: new Uint8Array(32) })),
  },
  {
    title: 'a dispute that was not raised',
    code: 'CHAIN_BROKEN',
    prepare: (world) => {
      world.fork('five', 'low', [10, 11])
      hears(world.high, { say: 'propose', statement: proposes(world.low), evidence: [], forfeits: [] })
    },
    message: ({ state }) => {
      const { lease, provider, sequence, receipt, amountMicro } = entryTwo
      const proposerHolds = { sequence, receipt, amountMicro }
      return proposal(
        low,
        statementOf([entryOne], {
          revision: 2,
          answers: sha256((state as Extract<SettleState, { at: 'answering' }>).difference.envelope),
          disputed: [{ lease, provider, code: 'HOLDS_LESS', proposerHolds, otherHolds: null }],
        }),
      )
    },
  },
  {
    title: 'an agreement to what was never said',
    code: 'CHAIN_BROKEN',
    message: () => agreement(low, sealStatement(high, statementOf(bothEntries))),
  },
  {
    title: 'an agreement to another statement than was proposed',
    code: 'CHAIN_BROKEN',
    by: 'high',
    prepare: (world) => void proposes(world.low),
    message: () => agreement(high, sealStatement(low, statementOf([entryOne]))),
  },
  {
    title: 'an agreement that somebody else signed',
    code: 'SIGNER_UNEXPECTED',
    by: 'high',
    prepare: (world) => void proposes(world.low),
    message: (side) => agreement(outsider, proposed(side)),
  },
  {
    title: 'two agreed statements of one number',
    code: 'EQUIVOCATION',
    by: 'high',
    prepare: settle,
    message: () => agreement(high, sealStatement(low, statementOf([entryOne]))),
  },
  {
    title: 'two agreed statements of one number, both shown whole',
    code: 'EQUIVOCATION',
    by: 'high',
    prepare: settle,
    message: () => {
      const statement = sealStatement(high, statementOf([entryOne]))
      return { say: 'agreed', statement, agreement: sealAgreement(low, referenceTo(statement)) }
    },
  },
  {
    title: 'the lower name agrees to a number that it proposed',
    code: 'EQUIVOCATION',
    prepare: (world) => {
      world.fork('five', 'low', [10, 11])
      proposes(world.high)
      hears(world.high, { say: 'propose', statement: proposes(world.low), evidence: [], forfeits: [] })
      assert.equal(world.high.state.at, 'answering')
    },
    message: () => agreement(low, sealStatement(high, statementOf(bothEntries))),
  },
  {
    title: 'agreed to and differed from',
    code: 'EQUIVOCATION',
    by: 'high',
    prepare: settle,
    message: (side) => difference(high, side.state.head!.statement, [{ lease: one, code: 'HOLDS_LESS', holds: null }]),
  },
  {
    title: 'differed from and agreed to',
    code: 'EQUIVOCATION',
    by: 'high',
    prepare: (world) => {
      const first = proposes(world.low)
      hears(world.low, difference(high, first, [{ lease: one, code: 'HOLDS_LESS', holds: null }]))
    },
    message: () => agreement(high, sealStatement(low, statementOf(bothEntries))),
  },
  {
    title: 'differed from and agreed to, shown whole',
    code: 'EQUIVOCATION',
    by: 'high',
    prepare: (world) => {
      const first = proposes(world.low)
      hears(world.low, difference(high, first, [{ lease: one, code: 'HOLDS_LESS', holds: null }]))
    },
    message: () => {
      const statement = sealStatement(low, statementOf(bothEntries))
      return { say: 'agreed', statement, agreement: sealAgreement(high, referenceTo(statement)) }
    },
  },
  {
    title: 'a difference from what was never said',
    code: 'CHAIN_BROKEN',
    by: 'high',
    message: () =>
      difference(high, sealStatement(low, statementOf(bothEntries)), [{ lease: one, code: 'HOLDS_LESS', holds: null }]),
  },
  {
    title: 'an objection to a lease that is not taken in',
    code: 'FIELD_INVALID',
    by: 'high',
    prepare: (world) => void proposes(world.low),
    message: (side) =>
      difference(high, proposed(side), [{ lease: leaseNamed('none'), code: 'HOLDS_LESS', holds: null }]),
  },
  {
    title: 'an objection that contradicts itself',
    code: 'FIELD_INVALID',
    by: 'high',
    prepare: (world) => void proposes(world.low),
    message: (side) => difference(high, proposed(side), [{ lease: one, code: 'HOLDS_LESS', holds: entryOne }]),
  },
  {
    title: 'an objection to what is proved',
    code: 'FIELD_INVALID',
    by: 'high',
    prepare: (world) => {
      const first = proposes(world.low)
      hears(world.low, difference(high, first, [{ lease: one, code: 'HOLDS_LESS', holds: null }]))
      assert.equal(proposed(world.low).body.revision, 2)
    },
    message: (side) => difference(high, proposed(side), [{ lease: one, code: 'HOLDS_LESS', holds: null }]),
  },
  {
    title: 'more is said to be signed, without a proof',
    code: 'PROOF_INVALID',
    by: 'high',
    prepare: (world) => void proposes(world.low),
    message: (side) =>
      difference(high, proposed(side), [
        { lease: one, code: 'HOLDS_MORE', holds: { ...entryOne, sequence: 2, amountMicro: 900 } },
      ]),
  },
  {
    title: 'more is said to be signed, and the proof is of less',
    code: 'PROOF_INVALID',
    by: 'high',
    prepare: (world) => void proposes(world.low),
    message: (side) => {
      const less = evidenceOf(low, high, one, 2, 600)
      return difference(
        high,
        proposed(side),
        [{ lease: one, code: 'HOLDS_MORE', holds: entryOf(low, one, less) }],
        [less],
      )
    },
  },
  {
    title: 'a proof of nothing that was objected to',
    code: 'PROOF_INVALID',
    by: 'high',
    prepare: (world) => void proposes(world.low),
    message: (side) =>
      difference(
        high,
        proposed(side),
        [{ lease: two, code: 'HOLDS_LESS', holds: null }],
        [evidenceOf(low, high, one, 2, 900)],
      ),
  },
]

for (const { title, code, message, by = 'low', prepare } of misbehaviours) {
  test(`${title}: ${code}, and nothing changes`, () => {
    const world = trade()
    prepare?.(world)
    const side = by === 'low' ? world.high : world.low
    assert.deepEqual(hears(side, message(side)), [`blame ${code}`])
  })
}

test('lawful: late, old, withdrawn, or of somebody who is not asked', () => {
  const world = trade()
  const first = proposes(world.low)
  const late = difference(high, first, [{ lease: one, code: 'HOLDS_LESS', holds: null }])
  hears(world.low, late)
  assert.deepEqual(hears(world.low, late), [], 'a difference of the revision before')
  assert.deepEqual(hears(world.low, proposal(high, statementOf(bothEntries))), [], 'the higher name yields')
  const other = trade()
  proposes(other.high)
  hears(other.high, proposal(low, statementOf(bothEntries)))
  assert.equal(other.high.state.head?.statement.by, lower, 'the lower name counts')
  const stranger = stepSettle(
    low,
    openSettling(higher, unit),
    { is: 'message', from: outsider.signer.peer, message: late },
    {
      unsettled: () => [],
      lease: () => undefined,
      evidence: () => undefined,
      forfeits: () => [],
      isForfeited: () => false,
      agreed: () => undefined,
    },
    startMs,
  )
  assert.deepEqual(stranger[1], [])
})

test('a dispute is settled once one of the two holds more', () => {
  const pair = new Pair().fork('five', 'low', [10, 11])
  pair.propose('low').run()
  assert.equal(pair.low.state.head?.statement.body.disputed.length, 1)
  assert.equal(pair.low.state.head?.statement.body.entries.length, 0)
  const later = evidenceOf(low, high, leaseNamed('five'), 2, 30)
  for (const side of [pair.low, pair.high])
    side.write(
      { kind: 'receipt', by: lower, envelope: later.receipt.envelope },
      { kind: 'countersignature', by: higher, envelope: later.countersignature.envelope },
    )
  pair.propose('high').run()
  assert.deepEqual(
    pair.high.state.head?.statement.body.entries.map(({ amountMicro, settledMicro }) => [amountMicro, settledMicro]),
    [[30, 0]],
  )
  assert.deepEqual(pair.faults, [])
})

test('a revision that comes late, after a later one was differed from, is lawful', () => {
  const world = trade().fork('five', 'low', [10, 11])
  const five = entryOf(low, leaseNamed('five'), evidenceOf(low, high, leaseNamed('five'), 1, 10))
  const body = statementOf([...bothEntries, five])
  hears(world.high, proposal(low, body))
  const { difference: said } = world.high.state as Extract<SettleState, { at: 'answering' }>
  // The same again under the next revision: it has not left out what cannot stand.
  const next = { ...body, revision: 2, answers: sha256(said.envelope) }
  assert.ok(hears(world.high, proposal(low, next)).includes('send DIFFER'))
  assert.deepEqual(hears(world.high, proposal(low, body)), [])
  assert.deepEqual(hears(world.high, proposal(low, next)), ['send DIFFER'])
})
