/** Gangs, row by row of their table in protocols/negotiate/README.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  acceptWindowMs,
  acceptWithinMs,
  awardWakeAtMs,
  gangWakeAtMs,
  offer,
  openGang,
  retransmitMs,
  sealAccept,
  stepGang,
  stepHold,
  type GangInput,
  type GangState,
  type Negotiation,
} from '../../protocols/negotiate/index.ts'
import type { Effect } from '../../protocols/wire/index.ts'
import { gangTerms, workers } from './band.ts'
import { asker, deeds, nobody, offerTerms, requester, startMs, stranger } from './parties.ts'

const three = workers.slice(0, 3)
const names = three.map(({ signer }) => signer.peer)
const offered = three.map((who) => offer(who, requester, offerTerms())[0])
const opened = openGang(asker, gangTerms(offered.map((state) => state.offer)), startMs)
const refusal = { code: 'STOPPED', facts: {} }
const wake = { is: 'wake' } as const
const restarted = { is: 'restarted' } as const

const heard = (place: number, message: Negotiation, from = names[place]!): GangInput => ({
  is: 'message',
  from,
  message,
})
const awardOf = (place: number) => {
  const state = opened[0].slots[place]!
  assert.equal(state.at, 'awarded')
  return state.award
}
const acceptOf = (place: number): Negotiation => {
  const award: Negotiation = { say: 'award', award: awardOf(place) }
  const [held] = stepHold(three[place]!, offered[place]!, { is: 'message', from: requester, message: award }, startMs)
  assert.equal(held.at, 'accepted')
  return { say: 'accept', accept: held.accept }
}
const accepts = [0, 1, 2].map((place) => acceptOf(place))
const refuse = (place: number, epoch = 1): Negotiation => {
  const { job, slot } = awardOf(place).body
  return { say: 'refuse', place: { job, slot, epoch }, refusal }
}
const otherAccept = (place: number, by = three[place]!): Negotiation => {
  const honest = accepts[place]!
  assert.equal(honest.say, 'accept')
  return { say: 'accept', accept: sealAccept(by, { ...honest.accept.body, commitByMs: startMs + 4_999 }) }
}
const after = (state: GangState, ...steps: readonly (readonly [GangInput, number])[]): GangState =>
  steps.reduce((at, [input, atMs]) => stepGang(asker, at, input, startMs + atMs)[0], state)

const [awarding] = opened
const partly = after(awarding, [heard(0, accepts[0]!), 10], [heard(1, accepts[1]!), 20])
const committed = after(partly, [heard(2, accepts[2]!), 30])
const closed = after(partly, [heard(2, refuse(2)), 30])

const on = (state: GangState, input: GangInput, atMs: number) => {
  const before = JSON.stringify(state)
  const [next, effects] = stepGang(asker, state, input, startMs + atMs)
  assert.equal(JSON.stringify(state), before, 'the state before is not touched')
  if (effects.some((effect) => effect.do === 'blame')) {
    assert.equal(next, state, 'a fault changes nothing')
    assert.equal(effects.length, 1, 'a fault is all there is')
  }
  return [next.at, ...effects.map((effect) => wordOf(effect))]
}

function wordOf(effect: Effect<Negotiation, Parameters<typeof toldOf>[0]>): string {
  if (effect.do === 'send') return `${deeds([effect])[0]!} ${names.indexOf(effect.to)}`
  if (effect.do === 'blame') return `${deeds([effect])[0]!} ${names.indexOf(effect.peer)}`
  return effect.do === 'tell' ? toldOf(effect.event) : deeds([effect])[0]!
}

function toldOf(event: Extract<ReturnType<typeof stepGang>[1][number], { do: 'tell' }>['event']): string {
  if (event.happened === 'leased')
    return `tell leased ${event.leases.map(({ provider }) => names.indexOf(provider)).join()}`
  return `tell not-leased ${event.failed.map(({ slot, because }) => `${slot} ${because.code}`).join()}`.trim()
}

test('the states that these tests start from are the three of the table', () => {
  assert.deepEqual(
    [awarding, partly, committed, closed].map(({ at }) => at),
    ['awarding', 'awarding', 'committed', 'closed'],
  )
  assert.deepEqual(
    [partly, committed, closed].map(({ slots }) => slots.map(({ at }) => at).join()),
    ['accepted,accepted,awarded', 'leased,leased,leased', 'closed,closed,closed'],
  )
})

test('all awards of a round are written down together before any is sent', () => {
  assert.deepEqual(
    opened[1].map((effect) => wordOf(effect)),
    ['record award', 'record award', 'record award', 'save', 'send AWARD 0', 'send AWARD 1', 'send AWARD 2'],
  )
})

test('a gang is of distinct places and distinct providers', () => {
  const terms = gangTerms(offered.map((state) => state.offer))
  for (const wrong of [
    [],
    [terms[0]!, terms[0]!],
    [terms[0]!, { ...terms[1]!, slot: 0 }],
    [terms[0]!, { ...terms[1]!, provider: names[0]! }],
  ])
    assert.throws(() => openGang(asker, wrong, startMs), /distinct/)
})

/** Those that failed come first. */
const closeAll = (failed: string, order: readonly number[]) => [
  'closed',
  'save',
  ...order.map((place) => `send REFUSE ${place}`),
  `tell not-leased ${failed}`.trim(),
]
const takeWord = ['awarding', 'record accept', 'save']
const commits = ['send COMMIT 0', 'send COMMIT 1', 'send COMMIT 2']
const commitAll = [
  'committed',
  'record accept',
  'record commit',
  'record commit',
  'record commit',
  'save',
  ...commits,
  'tell leased 0,1,2',
]

const rows: readonly [string, GangState, GangInput, number, readonly string[]][] = [
  ['awarding: an ACCEPT is written down, and nobody is told', awarding, heard(0, accepts[0]!), 10, takeWord],
  ['awarding: the last ACCEPT commits all, decided before it is said', partly, heard(2, accepts[2]!), 30, commitAll],
  ['awarding: the last ACCEPT in the last moment commits all', partly, heard(2, accepts[2]!), 2_999, commitAll],
  [
    'awarding: an ACCEPT that is late closes all',
    partly,
    heard(2, accepts[2]!),
    3_000,
    closeAll('2 ACCEPT_LATE', [2, 0, 1]),
  ],
  ['awarding: a REFUSE closes all', partly, heard(2, refuse(2)), 30, closeAll('2 STOPPED', [2, 0, 1])],
  ['awarding: a REFUSE after the ACCEPT closes all', partly, heard(1, refuse(1)), 30, closeAll('1 STOPPED', [1, 0, 2])],
  ['awarding: silence of one closes all', partly, wake, 3_000, closeAll('2 NO_ANSWER', [2, 0, 1])],
  [
    'awarding: silence of all names all',
    awarding,
    wake,
    3_000,
    closeAll('0 NO_ANSWER,1 NO_ANSWER,2 NO_ANSWER', [0, 1, 2]),
  ],
  ['awarding: a wake too early does nothing', partly, wake, 999, ['awarding']],
  ['awarding: AWARD is repeated to who has not answered', partly, wake, 1_000, ['awarding', 'send AWARD 2']],
  ['awarding: cancelling closes all, and nobody has failed', partly, { is: 'cancel' }, 30, closeAll('', [0, 1, 2])],
  ['awarding: a restart in time goes on waiting', partly, restarted, 500, ['awarding', 'send AWARD 2']],
  [
    'awarding: a restart when the time is over closes all',
    partly,
    restarted,
    3_000,
    closeAll('2 NO_ANSWER', [2, 0, 1]),
  ],
  ['awarding: the same ACCEPT again waits', partly, heard(0, accepts[0]!), 1_010, ['awarding']],
  ['awarding: two ACCEPTs of one award', partly, heard(0, otherAccept(0)), 30, ['awarding', 'blame EQUIVOCATION 0']],
  [
    'awarding: an ACCEPT by another signer',
    partly,
    heard(2, otherAccept(2, stranger)),
    30,
    ['awarding', 'blame SIGNER_UNEXPECTED 2'],
  ],
  [
    'awarding: an ACCEPT by another signer in place of one that is there',
    partly,
    heard(0, otherAccept(0, stranger)),
    30,
    ['awarding', 'blame SIGNER_UNEXPECTED 0'],
  ],
  ['awarding: an ACCEPT from another peer is nothing', partly, heard(2, accepts[2]!, nobody), 30, ['awarding']],
  [
    "awarding: one provider's ACCEPT from another is its fault",
    partly,
    heard(2, accepts[1]!),
    30,
    ['awarding', 'blame SIGNER_UNEXPECTED 2'],
  ],
  ["awarding: a REFUSE of another's place is nothing", partly, heard(2, refuse(1)), 30, ['awarding']],
  ['awarding: a REFUSE of an older epoch is nothing', partly, heard(2, refuse(2, 0)), 30, ['awarding']],
  [
    'committed: the same ACCEPT gets the same COMMIT',
    committed,
    heard(1, accepts[1]!),
    9_000,
    ['committed', commits[1]!],
  ],
  ['committed: a restart repeats all COMMITs', committed, restarted, 9_000, ['committed', ...commits]],
  ['committed: cancelling does not undo it', committed, { is: 'cancel' }, 40, ['committed']],
  ['committed: REFUSE does not undo it', committed, heard(1, refuse(1)), 40, ['committed']],
  ['committed: nothing is waited for', committed, wake, 99_000, ['committed']],
  [
    'committed: two ACCEPTs of one award',
    committed,
    heard(1, otherAccept(1)),
    40,
    ['committed', 'blame EQUIVOCATION 1'],
  ],
  ['closed: a late ACCEPT is refused', closed, heard(2, accepts[2]!), 40, ['closed', 'send REFUSE 2']],
  ['closed: a repeated ACCEPT is refused', closed, heard(0, accepts[0]!), 40, ['closed', 'send REFUSE 0']],
  ['closed: cancelling is nothing', closed, { is: 'cancel' }, 40, ['closed']],
  ['closed: a restart is nothing', closed, restarted, 40, ['closed']],
  ['closed: a wake is nothing', closed, wake, 99_000, ['closed']],
]

for (const [row, state, input, atMs, expected] of rows)
  test(`gang, ${row}`, () => assert.deepEqual(on(state, input, atMs), expected))

test('a closed gang refuses with CLOSED, and a repeated COMMIT is the same one', () => {
  const [, late] = stepGang(asker, closed, heard(2, accepts[2]!), startMs + 40)
  assert.ok(late[0]!.do === 'send' && late[0]!.message.say === 'refuse')
  assert.equal(late[0]!.message.refusal.code, 'CLOSED')
  const [, again] = stepGang(asker, committed, heard(1, accepts[1]!), startMs + 9_000)
  const place = committed.slots[1]!
  assert.ok(place.at === 'leased')
  assert.deepEqual(again, [{ do: 'send', to: names[1], message: { say: 'commit', commit: place.lease.commit } }])
})

test('what a gang waits for can be read off its state', () => {
  assert.equal(gangWakeAtMs(awarding), startMs + retransmitMs)
  assert.equal(gangWakeAtMs(partly), startMs + retransmitMs)
  assert.equal(gangWakeAtMs(after(partly, [wake, 2_500])), startMs + 3_000, 'the deadline is before the next AWARD')
  assert.equal(gangWakeAtMs(committed), undefined)
  assert.equal(gangWakeAtMs(closed), undefined)
})

test('a gang of one waits as long as one award, and is one', () => {
  assert.equal(acceptWindowMs(1), acceptWithinMs)
  const [one, effects] = openGang(asker, gangTerms([offered[0]!.offer]), startMs)
  assert.deepEqual(deeds(effects), ['record award', 'save', 'send AWARD'])
  assert.equal(gangWakeAtMs(one), awardWakeAtMs(one.slots[0]!))
  const place = one.slots[0]!
  assert.ok(place.at === 'awarded')
  const award: Negotiation = { say: 'award', award: place.award }
  const [held] = stepHold(three[0]!, offered[0]!, { is: 'message', from: requester, message: award }, startMs)
  assert.equal(held.at, 'accepted')
  const input = heard(0, { say: 'accept', accept: held.accept })
  assert.deepEqual(deeds(stepGang(asker, one, input, startMs + 3_999)[1]), [
    'record accept',
    'record commit',
    'save',
    'send COMMIT',
    'tell leased',
  ])
  assert.deepEqual(deeds(stepGang(asker, one, input, startMs + 4_000)[1]), ['save', 'send REFUSE', 'tell not-leased'])
})

test('a gang that was saved and read back goes on as if nothing had been', () => {
  assert.deepEqual(after(structuredClone(partly), [heard(2, accepts[2]!), 30]), committed)
})
