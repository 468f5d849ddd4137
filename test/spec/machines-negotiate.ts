/** The three machines of a negotiation, and whatever may be said to them. */
import {
  award,
  awardWakeAtMs,
  gangWakeAtMs,
  holdWakeAtMs,
  offer,
  openGang,
  sealAccept,
  sealCommit,
  sealOffer,
  stepAward,
  stepGang,
  stepHold,
  type Award,
  type AwardInput,
  type AwardState,
  type GangInput,
  type GangState,
  type HoldInput,
  type HoldState,
  type Negotiation,
} from '../../protocols/negotiate/index.ts'
import { sha256 } from '../../protocols/wire/index.ts'
import { gangTerms, workers } from '../negotiate/band.ts'
import {
  asker,
  awardTerms,
  job,
  nobody,
  offerTerms,
  other,
  provider,
  requester,
  startMs,
  statements,
  stranger,
  worker,
} from '../negotiate/parties.ts'
import { passedOn, together, walk, type Machine } from './walk.ts'

const refusal = { code: passedOn, facts: {} }
const place = { job, slot: 0, epoch: 1 }

/** What was said honestly, what was said to somebody else, and what nobody should say. */
function messages(nowMs: number): Negotiation[] {
  const honest = statements()
  const says = (over: Partial<Award>, by = asker): Negotiation => ({ say: 'award', award: statements(over, by).award })
  const accepts = (over: Partial<Award>, by = worker): Negotiation => ({
    say: 'accept',
    accept: statements(over, asker, by).accept,
  })
  return [
    { say: 'offer', offer: sealOffer(worker, offerTerms()) },
    { say: 'offer', offer: sealOffer(worker, offerTerms({ issuedMs: nowMs, holdUntilMs: nowMs + 1_000 })) },
    { say: 'award', award: honest.award },
    says({}, stranger),
    says({ epoch: 2 }),
    says({ wallMsMax: 1 }),
    says({ wallMsMax: 1 }, stranger),
    says({ provider: nobody }),
    says({ job: other.job, manifest: other.bytes }),
    says({ offer: sha256(Uint8Array.of(1)) }),
    says({ cpuMilli: 2_000 }),
    says({ acceptByMs: startMs + 99_000 }),
    { say: 'accept', accept: honest.accept },
    { say: 'accept', accept: sealAccept(worker, { ...honest.accept.body, commitByMs: startMs + 4_999 }) },
    accepts({}, stranger),
    accepts({ epoch: 0 }),
    { say: 'commit', commit: honest.commit },
    { say: 'commit', commit: sealCommit(stranger, honest.commit.body) },
    { say: 'commit', commit: statements({ epoch: 2 }).commit },
    { say: 'refuse', place, refusal },
    { say: 'refuse', place: { ...place, epoch: 0 }, refusal },
    { say: 'refuse', place: { ...place, slot: 1 }, refusal },
    { say: 'refuse', place: { ...place, job: other.job }, refusal },
    { say: 'release', job, because: refusal },
    { say: 'release', job: other.job, because: refusal },
  ]
}

/** COMMITs of the ACCEPT that stands in the state, one of them of another. */
function commitsOf(state: HoldState): Negotiation[] {
  if (state.at !== 'accepted') return []
  const body = { lease: state.accept.body.lease, accept: sha256(state.accept.envelope), issuedMs: startMs }
  return [
    { say: 'commit', commit: sealCommit(asker, body) },
    { say: 'commit', commit: sealCommit(asker, { ...body, accept: sha256(Uint8Array.of(1)) }) },
  ]
}

const opened = offer(worker, requester, offerTerms())

const hold: Machine<HoldState, HoldInput> = {
  protocol: 'negotiate',
  name: 'stepHold',
  begins: [{ on: 'offer', step: opened, atMs: startMs }],
  nameOf: ({ at }) => at,
  *inputs(state, nowMs) {
    for (const message of [...messages(nowMs), ...commitsOf(state)])
      for (const from of [requester, nobody]) yield [message.say, { is: 'message', from, message }]
    yield ['wake', { is: 'wake' }]
    yield ['restarted', { is: 'restarted' }]
    yield ['withdraw', { is: 'withdraw', because: refusal }]
  },
  step: (state, input, nowMs) => stepHold(worker, state, input, nowMs),
  wakeAtMs: holdWakeAtMs,
  wake: { is: 'wake' },
  final: ['leased', 'closed'],
  other: requester,
}

const awarding: Machine<AwardState, AwardInput> = {
  protocol: 'negotiate',
  name: 'stepAward',
  begins: [{ on: 'award', step: award(asker, awardTerms(), startMs), atMs: startMs }],
  nameOf: ({ at }) => at,
  *inputs(_state, nowMs) {
    for (const message of messages(nowMs))
      for (const from of [provider, nobody]) yield [message.say, { is: 'message', from, message }]
    yield ['wake', { is: 'wake' }]
    yield ['restarted', { is: 'restarted' }]
    yield ['cancel', { is: 'cancel' }]
    yield ['commit', { is: 'commit' }]
  },
  step: (state, input, nowMs) => stepAward(asker, state, input, nowMs),
  wakeAtMs: awardWakeAtMs,
  wake: { is: 'wake' },
  final: ['leased', 'closed'],
  other: provider,
}

/** A gang of so many places, and what each of its providers may say, honestly or not. */
function gangOf(places: number): Machine<GangState, GangInput> {
  const who = workers.slice(0, places)
  const peers = who.map(({ signer }) => signer.peer)
  const offers = who.map((by) => sealOffer(by, offerTerms()))
  const opening = openGang(asker, gangTerms(offers), startMs)
  const said = opening[0].slots.flatMap((slot, index): Negotiation[] => {
    const by = who[index]!
    if (slot.at !== 'awarded') throw new Error('a gang begins with awards')
    const body = { lease: sha256(slot.award.envelope), issuedMs: startMs, commitByMs: startMs + 5_000 }
    const honest = sealAccept(by, body)
    const { epoch } = slot.award.body
    const own = { job, slot: index, epoch }
    return [
      { say: 'offer', offer: offers[index]! },
      { say: 'award', award: slot.award },
      { say: 'accept', accept: honest },
      { say: 'accept', accept: sealAccept(by, { ...body, commitByMs: startMs + 4_999 }) },
      { say: 'accept', accept: sealAccept(stranger, body) },
      { say: 'accept', accept: sealAccept(by, { ...body, lease: sha256(Uint8Array.of(1)) }) },
      { say: 'commit', commit: sealCommit(by, { ...body, accept: sha256(honest.envelope) }) },
      { say: 'refuse', place: own, refusal },
      { say: 'refuse', place: { ...own, epoch: epoch - 1 }, refusal },
      { say: 'release', job, because: refusal },
    ]
  })
  return {
    protocol: 'negotiate',
    name: 'stepGang',
    begins: [{ on: 'award', step: opening, atMs: startMs }],
    nameOf: ({ at }) => at,
    keyOf: ({ slots }) => slots.map(({ at }) => at).join(),
    *inputs() {
      for (const message of said)
        for (const from of [...peers, nobody]) yield [message.say, { is: 'message', from, message }]
      yield ['wake', { is: 'wake' }]
      yield ['restarted', { is: 'restarted' }]
      yield ['cancel', { is: 'cancel' }]
    },
    step: (state, input, nowMs) => stepGang(asker, state, input, nowMs),
    wakeAtMs: gangWakeAtMs,
    wake: { is: 'wake' },
    final: ['committed', 'closed'],
    other: peers,
  }
}

export const negotiateMachines = [
  () => walk(hold),
  () => walk(awarding),
  // A place alone and places together go by one table; with three there is one that neither accepts first nor last.
  () => together([1, 2, 3].map((places) => walk(gangOf(places)))),
]
