/** Both machines, row by row of the tables in protocols/negotiate/README.md, and then every input in every state. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  award,
  awardWakeAtMs,
  holdWakeAtMs,
  leaseIdOf,
  offer,
  sealAccept,
  sealCommit,
  sealOffer,
  stepAward,
  stepHold,
  type Award,
  type AwardInput,
  type AwardState,
  type HoldInput,
  type HoldState,
  type Negotiation,
} from '../../protocols/negotiate/index.ts'
import { sha256, tariffNames } from '../../protocols/wire/index.ts'
import {
  asker,
  awardTerms,
  checkStep,
  deeds,
  job,
  messageOf,
  nobody,
  offerTerms,
  other,
  provider,
  requester,
  startMs,
  statements,
  stranger,
  worker,
  released,
} from './parties.ts'

const honest = statements()
const place = { job, slot: 0, epoch: 1 }
const refusal = { code: 'STOPPED', facts: {} }
const fromProvider = (message: Negotiation): AwardInput => ({ is: 'message', from: provider, message })
const fromRequester = (message: Negotiation): HoldInput => ({ is: 'message', from: requester, message })
const wake = { is: 'wake' } as const
const restarted = { is: 'restarted' } as const

// The requester's states.
const [awarded] = award(asker, awardTerms(), startMs)
const [promised] = stepAward(asker, awarded, fromProvider({ say: 'accept', accept: honest.accept }), startMs + 10)
const [leased] = stepAward(asker, promised, { is: 'commit' }, startMs + 10)
const [closed] = stepAward(asker, awarded, { is: 'cancel' }, startMs + 10)
const requesterStates: readonly AwardState[] = [awarded, promised, leased, closed]

// The provider's.
const [offered] = offer(worker, requester, offerTerms())
const [accepted] = stepHold(worker, offered, fromRequester({ say: 'award', award: honest.award }), startMs)
const [held] = stepHold(worker, accepted, fromRequester({ say: 'commit', commit: honest.commit }), startMs + 10)
const [gone] = stepHold(worker, offered, { is: 'withdraw', because: refusal }, startMs + 10)
const providerStates: readonly HoldState[] = [offered, accepted, held, gone]

const onAward = (state: AwardState, input: AwardInput, atMs: number) => {
  const step = stepAward(asker, state, input, startMs + atMs)
  checkStep<AwardState>(state, step, provider)
  return [step[0].at, ...deeds(step[1])]
}
const onHold = (state: HoldState, input: HoldInput, atMs: number) => {
  const step = stepHold(worker, state, input, startMs + atMs)
  checkStep<HoldState>(state, step, requester)
  return [step[0].at, ...deeds(step[1])]
}

test('the states that these tests start from are the four and the four of the tables', () => {
  assert.deepEqual(
    requesterStates.map(({ at }) => at),
    ['awarded', 'accepted', 'leased', 'closed'],
  )
  assert.deepEqual(
    providerStates.map(({ at }) => at),
    ['offered', 'accepted', 'leased', 'closed'],
  )
})

test('an award is written down and saved before it is sent', () => {
  assert.deepEqual(deeds(award(asker, awardTerms(), startMs)[1]), ['record award', 'save', 'send AWARD'])
})

test('an offer is sent and not written down: it binds for seconds only', () => {
  assert.deepEqual(deeds(offer(worker, requester, offerTerms())[1]), ['send OFFER'])
})

const accept: Negotiation = { say: 'accept', accept: honest.accept }
const commit: Negotiation = { say: 'commit', commit: honest.commit }
const awarding: Negotiation = { say: 'award', award: honest.award }
const refuse: Negotiation = { say: 'refuse', place, refusal }
const release: Negotiation = { say: 'release', job, because: released }
const takeWord = ['accepted', 'record accept', 'save']
const takeLease = ['leased', 'record commit', 'save', 'send COMMIT', 'tell leased']
const giveUp = ['closed', 'save', 'send REFUSE', 'tell not-leased']

const otherAccept: Negotiation = {
  say: 'accept',
  accept: sealAccept(worker, { ...honest.accept.body, commitByMs: startMs + 4_999 }),
}
const forgedAccept: Negotiation = { say: 'accept', accept: sealAccept(stranger, honest.accept.body) }
const olderAccept: Negotiation = { say: 'accept', accept: statements({ epoch: 0 }).accept }

const requesterRows: readonly [string, AwardState, AwardInput, number, readonly string[]][] = [
  ['awarded: ACCEPT is written down, and COMMIT withheld', awarded, fromProvider(accept), 10, takeWord],
  ['awarded: ACCEPT in the last moment is taken', awarded, fromProvider(accept), 3_999, takeWord],
  ['awarded: ACCEPT on the deadline is late', awarded, fromProvider(accept), 4_000, giveUp],
  ['awarded: REFUSE ends it', awarded, fromProvider(refuse), 10, giveUp],
  ['awarded: time ends it', awarded, wake, 4_000, giveUp],
  ['awarded: cancelling ends it', awarded, { is: 'cancel' }, 10, giveUp],
  ['awarded: a wake too early does nothing', awarded, wake, 999, ['awarded']],
  ['awarded: AWARD is repeated', awarded, wake, 1_000, ['awarded', 'send AWARD']],
  ['awarded: AWARD is repeated after a restart', awarded, restarted, 200, ['awarded', 'send AWARD']],
  ['awarded: an ACCEPT of an older epoch is nothing', awarded, fromProvider(olderAccept), 10, ['awarded']],
  [
    'awarded: an ACCEPT by another signer',
    awarded,
    fromProvider(forgedAccept),
    10,
    ['awarded', 'blame SIGNER_UNEXPECTED'],
  ],
  [
    'awarded: an ACCEPT from another peer is nothing',
    awarded,
    { is: 'message', from: nobody, message: accept },
    10,
    ['awarded'],
  ],
  [
    'awarded: a REFUSE from another peer is nothing',
    awarded,
    { is: 'message', from: nobody, message: refuse },
    10,
    ['awarded'],
  ],
  [
    'awarded: a REFUSE of an older epoch is nothing',
    awarded,
    fromProvider({ say: 'refuse', place: { ...place, epoch: 0 }, refusal }),
    10,
    ['awarded'],
  ],
  [
    'awarded: a REFUSE of another slot is nothing',
    awarded,
    fromProvider({ say: 'refuse', place: { ...place, slot: 1 }, refusal }),
    10,
    ['awarded'],
  ],
  [
    'awarded: a REFUSE of another job is nothing',
    awarded,
    fromProvider({ say: 'refuse', place: { ...place, job: other.job }, refusal }),
    10,
    ['awarded'],
  ],
  ['awarded: there is nothing to commit to yet', awarded, { is: 'commit' }, 10, ['awarded']],
  ['awarded: time ended it while the requester was down', awarded, restarted, 4_000, giveUp],
  ['accepted: the word of the gang makes the lease', promised, { is: 'commit' }, 3_000, takeLease],
  ['accepted: the same ACCEPT again has to wait', promised, fromProvider(accept), 1_010, ['accepted']],
  ['accepted: REFUSE ends it', promised, fromProvider(refuse), 20, giveUp],
  ['accepted: taken back', promised, { is: 'cancel' }, 20, giveUp],
  ['accepted: nothing is waited for here', promised, wake, 99_000, ['accepted']],
  ['accepted: a restart is nothing', promised, restarted, 20, ['accepted']],
  [
    'accepted: another ACCEPT of the award',
    promised,
    fromProvider(otherAccept),
    20,
    ['accepted', 'blame EQUIVOCATION'],
  ],
  [
    'accepted: an ACCEPT by another signer is not held against the provider as two of its own',
    promised,
    fromProvider(forgedAccept),
    20,
    ['accepted', 'blame SIGNER_UNEXPECTED'],
  ],
  ['accepted: an ACCEPT of an older epoch is nothing', promised, fromProvider(olderAccept), 20, ['accepted']],
  [
    'accepted: a REFUSE of another slot is nothing',
    promised,
    fromProvider({ say: 'refuse', place: { ...place, slot: 1 }, refusal }),
    10,
    ['accepted'],
  ],
  [
    'accepted: a REFUSE from another peer is nothing',
    promised,
    { is: 'message', from: nobody, message: refuse },
    10,
    ['accepted'],
  ],
  [
    'leased: the same ACCEPT is answered with the COMMIT',
    leased,
    fromProvider(accept),
    9_000,
    ['leased', 'send COMMIT'],
  ],
  ['leased: COMMIT is repeated after a restart', leased, restarted, 9_000, ['leased', 'send COMMIT']],
  ['leased: another ACCEPT of the award', leased, fromProvider(otherAccept), 20, ['leased', 'blame EQUIVOCATION']],
  [
    'leased: an ACCEPT by another signer is not held against the provider as two of its own',
    leased,
    fromProvider(forgedAccept),
    20,
    ['leased', 'blame SIGNER_UNEXPECTED'],
  ],
  ['leased: an ACCEPT of an older epoch is nothing', leased, fromProvider(olderAccept), 20, ['leased']],
  ['leased: REFUSE does not undo a lease', leased, fromProvider(refuse), 20, ['leased']],
  ['leased: to commit twice is nothing', leased, { is: 'commit' }, 20, ['leased']],
  ['closed: to commit is nothing', closed, { is: 'commit' }, 20, ['closed']],
  ['leased: cancelling does not undo a lease', leased, { is: 'cancel' }, 20, ['leased']],
  ['leased: nothing is waited for', leased, wake, 99_000, ['leased']],
  ['closed: a late ACCEPT is refused', closed, fromProvider(accept), 20, ['closed', 'send REFUSE']],
  ['closed: an ACCEPT of another lease is nothing', closed, fromProvider(olderAccept), 20, ['closed']],
  ['closed: REFUSE is nothing', closed, fromProvider(refuse), 20, ['closed']],
  ['closed: a restart is nothing', closed, restarted, 20, ['closed']],
  ['closed: a wake is nothing', closed, wake, 99_000, ['closed']],
]

for (const [row, state, input, atMs, expected] of requesterRows)
  test(`requester, ${row}`, () => assert.deepEqual(onAward(state, input, atMs), expected))

const says = (over: Partial<Award>, by = asker): HoldInput =>
  fromRequester({ say: 'award', award: statements(over, by).award })
const wrongTerms = ['offered', 'blame FIELD_INVALID']
const takeAward = ['accepted', 'record award', 'record accept', 'save', 'send ACCEPT']
const otherCommit = sealCommit(asker, { ...honest.commit.body, accept: sha256(Uint8Array.of(1)) })

type HoldRow = [row: string, state: HoldState, input: HoldInput, atMs: number, expected: readonly string[]]

const providerRows: readonly Readonly<HoldRow>[] = [
  ['offered: AWARD is accepted', offered, fromRequester(awarding), 10, takeAward],
  ['offered: AWARD in the last moment is accepted', offered, fromRequester(awarding), 3_999, takeAward],
  [
    'offered: until when to accept is judged by the requester alone',
    offered,
    fromRequester(awarding),
    4_000,
    takeAward,
  ],
  [
    'offered: an AWARD after the hold is refused',
    offered,
    says({ acceptByMs: startMs + 60_000 }),
    6_000,
    ['closed', 'tell released', 'send REFUSE'],
  ],
  ['offered: RELEASE frees the capacity', offered, fromRequester(release), 10, ['closed', 'tell released']],
  [
    'offered: RELEASE of another job is nothing',
    offered,
    fromRequester({ say: 'release', job: other.job, because: released }),
    10,
    ['offered'],
  ],
  ['offered: time frees the capacity', offered, wake, 6_000, ['closed', 'tell released']],
  ['offered: a wake too early does nothing', offered, wake, 5_999, ['offered']],
  ['offered: a restart forgets the offer', offered, restarted, 10, ['closed', 'tell released']],
  ['offered: the owner withdraws', offered, { is: 'withdraw', because: refusal }, 10, ['closed', 'tell released']],
  ['offered: COMMIT is nothing', offered, fromRequester(commit), 10, ['offered']],
  ['offered: REFUSE is nothing', offered, fromRequester(refuse), 10, ['offered']],
  [
    'offered: an AWARD from another peer is nothing',
    offered,
    { is: 'message', from: nobody, message: awarding },
    10,
    ['offered'],
  ],
  ['offered: an AWARD by another signer', offered, says({}, stranger), 10, ['offered', 'blame SIGNER_UNEXPECTED']],
  ['offered: an AWARD to another provider', offered, says({ provider: nobody }), 10, wrongTerms],
  ['offered: an AWARD of another job', offered, says({ job: other.job, manifest: other.bytes }), 10, wrongTerms],
  [
    'offered: an AWARD of an earlier offer is refused, and the one that stands is not touched',
    offered,
    says({ offer: sha256(Uint8Array.of(1)), cpuMilli: 500 }),
    10,
    ['offered', 'send REFUSE'],
  ],
  [
    'offered: an AWARD of an earlier offer to another provider',
    offered,
    says({ offer: sha256(Uint8Array.of(1)), provider: nobody }),
    10,
    wrongTerms,
  ],
  ['offered: an AWARD in another unit', offered, says({ unit: 'shell' }), 10, wrongTerms],
  ['offered: an AWARD at a lower price', offered, says({ cpuHourMicro: 999_999 }), 10, wrongTerms],
  ...tariffNames.map((name): HoldRow => [
    `offered: an AWARD at another ${name}`,
    offered,
    says({ [name]: 1 }),
    10,
    wrongTerms,
  ]),
  ['offered: an AWARD of more processors', offered, says({ cpuMilli: 1_001 }), 10, wrongTerms],
  ['offered: an AWARD of more memory', offered, says({ memoryBytes: 65_537 }), 10, wrongTerms],
  ['offered: an AWARD of another bond', offered, says({ bondMicro: 1 }), 10, wrongTerms],
  [
    'accepted: COMMIT makes the lease',
    accepted,
    fromRequester(commit),
    10,
    ['leased', 'record commit', 'save', 'tell leased'],
  ],
  [
    'accepted: COMMIT in the last moment makes the lease',
    accepted,
    fromRequester(commit),
    4_999,
    ['leased', 'record commit', 'save', 'tell leased'],
  ],
  [
    'accepted: COMMIT on the deadline is late',
    accepted,
    fromRequester(commit),
    5_000,
    ['closed', 'save', 'tell released', 'send REFUSE'],
  ],
  ['accepted: REFUSE frees the capacity', accepted, fromRequester(refuse), 10, ['closed', 'save', 'tell released']],
  [
    'accepted: a REFUSE of another epoch is nothing',
    accepted,
    fromRequester({ say: 'refuse', place: { ...place, epoch: 0 }, refusal }),
    10,
    ['accepted'],
  ],
  ['accepted: RELEASE is nothing: there is an award', accepted, fromRequester(release), 10, ['accepted']],
  ['accepted: time frees the capacity', accepted, wake, 5_000, ['closed', 'save', 'tell released']],
  ['accepted: a wake too early does nothing', accepted, wake, 999, ['accepted']],
  ['accepted: ACCEPT is repeated', accepted, wake, 1_000, ['accepted', 'send ACCEPT']],
  ['accepted: ACCEPT is repeated after a restart', accepted, restarted, 100, ['accepted', 'send ACCEPT']],
  [
    'accepted: the owner cannot withdraw a word that was given',
    accepted,
    { is: 'withdraw', because: refusal },
    10,
    ['accepted'],
  ],
  ['accepted: the same AWARD is answered', accepted, fromRequester(awarding), 10, ['accepted', 'send ACCEPT']],
  ['accepted: another AWARD of the epoch', accepted, says({ wallMsMax: 1 }), 10, ['accepted', 'blame EQUIVOCATION']],
  ['accepted: an AWARD of the next epoch is nothing here', accepted, says({ epoch: 2 }), 10, ['accepted']],
  [
    'accepted: a forged AWARD of the epoch is not held against the requester as two of its own',
    accepted,
    says({ wallMsMax: 1 }, stranger),
    10,
    ['accepted', 'blame SIGNER_UNEXPECTED'],
  ],
  [
    'accepted: a COMMIT by another signer',
    accepted,
    fromRequester({ say: 'commit', commit: sealCommit(stranger, honest.commit.body) }),
    10,
    ['accepted', 'blame SIGNER_UNEXPECTED'],
  ],
  [
    'accepted: a COMMIT of another ACCEPT',
    accepted,
    fromRequester({ say: 'commit', commit: otherCommit }),
    10,
    ['accepted', 'blame FIELD_INVALID'],
  ],
  [
    'accepted: a COMMIT of another lease is nothing',
    accepted,
    fromRequester({ say: 'commit', commit: statements({ epoch: 2 }).commit }),
    10,
    ['accepted'],
  ],
  [
    'leased: the same AWARD is answered with the ACCEPT',
    held,
    fromRequester(awarding),
    9_000,
    ['leased', 'send ACCEPT'],
  ],
  ['leased: another AWARD of the epoch', held, says({ wallMsMax: 1 }), 20, ['leased', 'blame EQUIVOCATION']],
  ['leased: an AWARD of the next epoch is nothing here', held, says({ epoch: 2 }), 20, ['leased']],
  ['leased: COMMIT twice is nothing', held, fromRequester(commit), 20, ['leased']],
  ['leased: REFUSE does not undo a lease', held, fromRequester(refuse), 20, ['leased']],
  ['leased: RELEASE does not undo a lease', held, fromRequester(release), 20, ['leased']],
  ['leased: a restart is nothing', held, restarted, 20, ['leased']],
  ['leased: withdrawing is nothing', held, { is: 'withdraw', because: refusal }, 20, ['leased']],
  ['leased: nothing is waited for', held, wake, 99_000, ['leased']],
  ['closed: an AWARD of this offer is refused', gone, fromRequester(awarding), 20, ['closed', 'send REFUSE']],
  ['closed: an AWARD of another offer is nothing', gone, says({ offer: sha256(Uint8Array.of(1)) }), 20, ['closed']],
  ['closed: COMMIT is nothing', gone, fromRequester(commit), 20, ['closed']],
  ['closed: REFUSE is nothing', gone, fromRequester(refuse), 20, ['closed']],
  ['closed: a restart is nothing', gone, restarted, 20, ['closed']],
]

for (const [row, state, input, atMs, expected] of providerRows)
  test(`provider, ${row}`, () => assert.deepEqual(onHold(state, input, atMs), expected))

test('every ending says why', () => {
  const why = (state: AwardState | HoldState) => (state.at === 'closed' ? state.because.code : state.at)
  const byRequester = (input: AwardInput, atMs: number) => why(stepAward(asker, awarded, input, startMs + atMs)[0])
  const byProvider = (state: HoldState, input: HoldInput, atMs: number) =>
    why(stepHold(worker, state, input, startMs + atMs)[0])
  assert.deepEqual(
    [
      byRequester(wake, 4_000),
      byRequester(fromProvider(accept), 4_000),
      byRequester({ is: 'cancel' }, 0),
      byRequester(fromProvider(refuse), 0),
      byProvider(offered, wake, 6_000),
      byProvider(offered, fromRequester(release), 0),
      byProvider(offered, restarted, 0),
      byProvider(offered, says({ acceptByMs: startMs + 60_000 }), 6_000),
      byProvider(accepted, wake, 5_000),
      byProvider(accepted, fromRequester(commit), 5_000),
    ],
    [
      'NO_ANSWER',
      'ACCEPT_LATE',
      'WITHDRAWN',
      'STOPPED',
      'HOLD_EXPIRED',
      'OUTBID',
      'RESTARTED',
      'OFFER_EXPIRED',
      'NO_COMMIT',
      'COMMIT_LATE',
    ],
  )
})

test('a provider whose word comes too late is told so', () => {
  const [, late] = stepHold(worker, accepted, fromRequester(commit), startMs + 5_000)
  assert.deepEqual(messageOf(late.at(-1)!), {
    say: 'refuse',
    place,
    refusal: { code: 'COMMIT_LATE', facts: { lateMs: 0 } },
  })
  const [, gaveUp] = stepAward(asker, awarded, wake, startMs + 4_000)
  assert.deepEqual(messageOf(gaveUp[1]!), { say: 'refuse', place, refusal: { code: 'CLOSED', facts: {} } })
})

test('what each side waits for can be read off its state', () => {
  assert.deepEqual(
    requesterStates.map((state) => awardWakeAtMs(state)),
    [startMs + 1_000, undefined, undefined, undefined],
  )
  assert.deepEqual(
    providerStates.map((state) => holdWakeAtMs(state)),
    [startMs + 6_000, startMs + 1_000, undefined, undefined],
  )
})

test('a repeated message is the same message, byte for byte', () => {
  const [again, effects] = stepAward(asker, awarded, wake, startMs + 1_000)
  assert.deepEqual(messageOf(effects[0]!), { say: 'award', award: honest.award })
  assert.equal(awardWakeAtMs(again), startMs + 2_000)
  const [, answer] = stepAward(asker, leased, fromProvider(accept), startMs + 77_000)
  assert.deepEqual(messageOf(answer[0]!), { say: 'commit', commit: leased.at === 'leased' && leased.lease.commit })
  const [, acceptance] = stepHold(worker, held, fromRequester(awarding), startMs + 77_000)
  assert.deepEqual(messageOf(acceptance[0]!), { say: 'accept', accept: honest.accept })
})

test('both sides hold the same lease, named after its award', () => {
  assert.ok(leased.at === 'leased' && held.at === 'leased')
  assert.equal(leased.lease.id, leaseIdOf(honest.award.envelope))
  // The requester made its COMMIT ten milliseconds later than the one that this provider was given.
  const { commit: ours, ...rest } = leased.lease
  const { commit: theirs, ...same } = held.lease
  assert.deepEqual(rest, same)
  assert.deepEqual(ours.body, { ...theirs.body, issuedMs: startMs + 10 })
})

const dearer: Negotiation = { say: 'award', award: statements({ cpuMilli: 2_000 }).award }

/** Any message that either side could send, honest or not. */
const anyMessage: fc.Arbitrary<Negotiation> = (() => {
  const signers = fc.constantFrom(asker, worker, stranger)
  const over = fc.record(
    {
      epoch: fc.constantFrom(0, 1, 2),
      slot: fc.constantFrom(0, 1),
      provider: fc.constantFrom(provider, nobody),
      offer: fc.constantFrom(sha256(Uint8Array.of(1))),
      cpuMilli: fc.constantFrom(1_000, 2_000),
      wallMsMax: fc.constantFrom(60_000, 1),
      acceptByMs: fc.constantFrom(startMs, startMs + 4_000, startMs + 99_000),
    },
    { requiredKeys: [] },
  )
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom(accept, commit, awarding, dearer, refuse, release, otherAccept, forgedAccept),
    },
    fc.tuple(over, signers).map(([terms, by]) => ({ say: 'award' as const, award: statements(terms, by).award })),
    fc
      .tuple(over, signers)
      .map(([terms, by]) => ({ say: 'accept' as const, accept: statements(terms, asker, by).accept })),
    fc.tuple(over, signers).map(([terms, by]) => ({ say: 'commit' as const, commit: statements(terms, by).commit })),
    fc.tuple(signers, fc.nat(9_000)).map(([by, holdMs]) => ({
      say: 'offer' as const,
      offer: sealOffer(by, offerTerms({ holdUntilMs: startMs + 1 + holdMs })),
    })),
    fc
      .record({ job: fc.constantFrom(job, other.job), slot: fc.nat(1), epoch: fc.nat(2) })
      .map((where) => ({ say: 'refuse' as const, place: where, refusal })),
    fc.constantFrom(job, other.job).map((which) => ({ say: 'release' as const, job: which, because: released })),
  )
})()
const anyInput = (from: string, more: readonly (AwardInput | HoldInput)[]) =>
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        is: fc.constant('message' as const),
        from: fc.constantFrom(from, from, from, nobody),
        message: anyMessage,
      }),
    },
    { weight: 1, arbitrary: fc.constantFrom(...more) },
  )

test('any input in any state: a fault changes nothing, writing comes before saying, and what has ended stays ended', () => {
  const blamed = new Set<string>()
  const walk = <State extends AwardState | HoldState, Input>(
    from: State,
    steps: readonly (readonly [Input, number])[],
    step: (
      state: State,
      input: Input,
      nowMs: number,
    ) => readonly [State, ReturnType<typeof stepAward | typeof stepHold>[1]],
    otherSide: string,
  ) => {
    let state = from
    let nowMs = startMs
    for (const [input, passesMs] of steps) {
      nowMs += passesMs
      const before = JSON.stringify(state)
      const [next, effects] = step(state, input, nowMs)
      assert.equal(JSON.stringify(state), before, 'the state before is not touched')
      checkStep<AwardState | HoldState>(state, [next, effects], otherSide)
      for (const effect of effects) if (effect.do === 'blame') blamed.add(`${state.at} ${effect.fault.code}`)
      if (state.at === 'leased' || state.at === 'closed') assert.equal(next, state, `${state.at} is final`)
      if (next.at !== state.at && state.at !== 'offered')
        assert.ok(deeds(effects).includes('save'), `${state.at} > ${next.at} was not saved`)
      state = next
    }
  }
  const passes = fc.constantFrom(0, 0, 5, 1_000, 3_000)
  fc.assert(
    fc.property(
      fc.constantFrom(...requesterStates),
      fc.array(fc.tuple(anyInput(provider, [wake, restarted, { is: 'cancel' }, { is: 'commit' }]), passes), {
        maxLength: 6,
      }),
      (from, steps) =>
        walk(from, steps, (state, input, nowMs) => stepAward(asker, state, input as AwardInput, nowMs), provider),
    ),
    { numRuns: 200, examples: [[awarded, [[fromProvider(forgedAccept), 0]]]] },
  )
  fc.assert(
    fc.property(
      fc.constantFrom(...providerStates),
      fc.array(fc.tuple(anyInput(requester, [wake, restarted, { is: 'withdraw', because: refusal }]), passes), {
        maxLength: 6,
      }),
      (from, steps) =>
        walk(from, steps, (state, input, nowMs) => stepHold(worker, state, input as HoldInput, nowMs), requester),
    ),
    {
      numRuns: 200,
      // These three are always among them, so that the walk is known to come by a fault in each state that can see one.
      examples: [
        [offered, [[fromRequester(dearer), 0]]],
        [accepted, [[fromRequester(dearer), 0]]],
        [held, [[fromRequester(dearer), 0]]],
      ],
    },
  )
  for (const reached of [
    'awarded SIGNER_UNEXPECTED',
    'offered FIELD_INVALID',
    'accepted EQUIVOCATION',
    'leased EQUIVOCATION',
  ])
    assert.ok(blamed.has(reached), `${reached} was never reached: ${[...blamed].join(', ')}`)
})

test('a state that was saved and read back goes on as if nothing had been', () => {
  const back = (state: AwardState) => structuredClone(state)
  const [word] = stepAward(asker, back(awarded), fromProvider(accept), startMs + 10)
  const [ours] = stepAward(asker, back(word), { is: 'commit' }, startMs + 10)
  assert.deepEqual(ours, leased)
  const [theirs] = stepHold(worker, structuredClone(accepted), fromRequester(commit), startMs + 10)
  assert.deepEqual(theirs, held)
})
