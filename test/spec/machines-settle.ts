/**
 * The machine of settling, as the peer with the lower name and as the one with the higher, over books that know as much as the other
 * side, more, less, nothing, another receipt, or something that they cannot prove; and whatever may be said to it.
 */
import { toString } from 'uint8arrays'

import type { Notary } from '../../protocols/negotiate/index.ts'
import {
  heldOf,
  openSettling,
  originOf,
  revisionMax,
  roundsMax,
  sealAgreement,
  sealDifference,
  sealStatement,
  settleWakeAtMs,
  stepSettle,
  type Agreed,
  type AgreedEnvelopes,
  type BooksView,
  type Disputed,
  type Entry,
  type Evidence,
  type Held,
  type LeaseBook,
  type Objection,
  type SettleInput,
  type SettleState,
  type Settling,
  type Statement,
} from '../../protocols/settle/index.ts'
import { sha256, type Signed } from '../../protocols/wire/index.ts'
import { nobody, startMs } from '../negotiate/parties.ts'
import { entryOf, evidenceOf, high, leaseNamed, low, outsider, statementOf, unit } from '../settle/parties.ts'
import { together, walk, type Machine, type Observed } from './walk.ts'

/** What the books of the peer that is walked hold of the lease under which it worked. */
const bookKinds = ['the same', 'more', 'less', 'nothing', 'another', 'unproved'] as const
type BookKind = (typeof bookKinds)[number]

/** An input, and the books at that moment. */
interface Said {
  readonly input: SettleInput
  readonly books: BookKind
}

const [mine, theirs, fresh] = [leaseNamed('mine'), leaseNamed('theirs'), leaseNamed('fresh')]
const nowhere = sha256(Uint8Array.of(9))
const hexOf = (bytes: Uint8Array): string => toString(bytes, 'hex')
const hashOf = ({ envelope }: Signed<unknown>): Uint8Array => sha256(envelope)
const isMine = (state: SettleState) =>
  state.at === 'proposing' || state.at === 'unanswered' || state.at === 'stalled' ? state : undefined

class World {
  readonly self: Notary
  readonly peer: Notary
  /** Every statement that was agreed on the way, by the hash of its envelope. */
  readonly #agreed = new Map<string, Agreed>()
  readonly #proofs = new Map<string, Evidence>()

  constructor(self: Notary, peer: Notary) {
    this.self = self
    this.peer = peer
  }

  step({ input, books }: Said, state: SettleState, nowMs: number) {
    const step = stepSettle(this.self, state, input, this.#viewOf(state, books), nowMs)
    const { head } = step[0]
    if (head !== null) this.#agreed.set(hexOf(hashOf(head.statement)), head)
    return step
  }

  chainOf({ head }: SettleState): Agreed[] {
    const chain: Agreed[] = []
    for (let at = head; at !== null; at = this.#agreed.get(hexOf(at.statement.body.previous)) ?? null) chain.unshift(at)
    return chain
  }

  settledOf(state: SettleState, lease: string): number {
    const entries = this.chainOf(state).flatMap(({ statement }) => statement.body.entries)
    return entries.findLast((entry) => entry.lease === lease)?.amountMicro ?? 0
  }

  providerOf(lease: string): Notary {
    return lease === mine ? this.self : this.peer
  }

  /** The receipt of that number, or with another amount the one that excludes it. */
  proof(lease: string, sequence: number, amountMicro = sequence * 100): Evidence {
    const key = `${lease} ${sequence} ${amountMicro}`
    const provider = this.providerOf(lease)
    const requester = provider === this.self ? this.peer : this.self
    const proof = this.#proofs.get(key) ?? evidenceOf(provider, requester, lease, sequence, amountMicro)
    this.#proofs.set(key, proof)
    return proof
  }

  entry(state: SettleState, lease: string, proof: Evidence): Entry {
    return entryOf(this.providerOf(lease), lease, proof, this.settledOf(state, lease))
  }

  /** With each number one more receipt of each lease is there. */
  #viewOf(state: SettleState, kind: BookKind): BooksView {
    const chain = this.chainOf(state)
    const number = chain.length + 1
    const other = this.proof(mine, number, number * 100 + 1)
    const known = kind === 'more' || kind === 'unproved' ? number + 1 : kind === 'less' ? number - 1 : number
    const book = (lease: string, held: Held | null): LeaseBook => ({
      lease,
      provider: this.providerOf(lease).signer.peer,
      held,
      settledMicro: this.settledOf(state, lease),
    })
    const ofMine = kind === 'another' ? heldOf(other) : known === 0 ? null : heldOf(this.proof(mine, known))
    const leases = kind === 'nothing' ? [] : [book(mine, ofMine), book(theirs, heldOf(this.proof(theirs, number)))]
    return {
      unsettled: () => leases.filter(({ held, settledMicro }) => held !== null && held.amountMicro > settledMicro),
      lease: (lease) => leases.find((one) => one.lease === lease),
      evidence: (lease, sequence) => {
        const held = leases.find((one) => one.lease === lease)?.held?.sequence ?? 0
        if (sequence > held || kind === 'unproved') return undefined
        const isOther = kind === 'another' && lease === mine && sequence === number
        const { receipt, countersignature } = isOther ? other : this.proof(lease, sequence)
        return { receipt: receipt.envelope, countersignature: countersignature.envelope }
      },
      forfeits: () => [],
      isForfeited: () => false,
      agreed: (of) => {
        const agreed = chain[of - 1]
        return agreed === undefined ? undefined : envelopesOf(agreed)
      },
    }
  }
}

function envelopesOf({ statement, agreement }: Agreed): AgreedEnvelopes {
  return { statement: statement.envelope, agreement: agreement.envelope }
}

const referenceTo = ({ envelope, body }: Signed<Statement>) => ({
  unit: body.unit,
  number: body.number,
  revision: body.revision,
  statement: sha256(envelope),
  issuedMs: startMs,
})

/** The other side's next statement, and everything that goes into one. */
function draftsOf(world: World, state: SettleState) {
  const { self, peer } = world
  const number = world.chainOf(state).length + 1
  const origin = originOf(self.network, self.signer.peer, peer.signer.peer, unit)
  const next = { number, previous: state.head === null ? origin : hashOf(state.head.statement) }
  const [mineNow, theirsNow] = [world.proof(mine, number), world.proof(theirs, number)]
  const freshNow = world.proof(fresh, number)
  const [one, two, three] = [
    world.entry(state, mine, mineNow),
    world.entry(state, theirs, theirsNow),
    world.entry(state, fresh, freshNow),
  ]
  const says = (entries: Entry[], over: Partial<Statement> = {}, evidence: readonly Evidence[] = [], by = peer) =>
    ({
      say: 'propose',
      statement: sealStatement(by, statementOf(entries, { ...next, ...over })),
      evidence,
      forfeits: [],
    }) as const
  return { number, mineNow, theirsNow, freshNow, one, two, three, says }
}

/** What can stand, or not, as the books have it. */
function* proposalsTo(world: World, state: SettleState): Generator<Settling> {
  const { number, mineNow, freshNow, one, two, three, says } = draftsOf(world, state)
  yield says([one, two])
  yield says([two])
  yield says([one, two, three])
  yield says([one, two, three], {}, [freshNow])
  yield says([one], {}, [mineNow])
  yield says([world.entry(state, mine, world.proof(mine, number, number * 100 + 1))])
  yield says([world.entry(state, mine, world.proof(mine, number + 1))], {}, [world.proof(mine, number + 1)])
  if (state.at === 'answering') yield* revisionsOf(world, state)
}

/** What no honest peer signs, and what is late. */
function* otherProposalsTo(world: World, state: SettleState): Generator<Settling> {
  const { peer, self } = world
  const { number, theirsNow, one, two, says } = draftsOf(world, state)
  yield says([one, two], {}, [], outsider)
  yield says([one], { unit: 'other' })
  yield says([one], { previous: nowhere })
  yield says([{ ...one, amountMicro: one.amountMicro + 1 }])
  yield says([{ ...one, settledMicro: one.settledMicro + 1 }])
  yield says([{ ...two, provider: self.signer.peer }])
  yield says([one], {}, [theirsNow])
  yield says([one], {}, [world.proof(mine, number + 1)])
  yield says([one, two], { revision: 2, answers: nowhere })
  for (const ahead of [1, 2]) yield says([one, two], { number: number + ahead })
  for (const { statement } of world.chainOf(state).slice(-2)) {
    const again = (over: Partial<Statement>): Settling => ({
      say: 'propose',
      statement: sealStatement(peer, { ...statement.body, ...over }),
      evidence: [],
      forfeits: [],
    })
    yield { say: 'propose', statement, evidence: [], forfeits: [] }
    yield again({ issuedMs: startMs + 1 })
    yield again({ revision: statement.body.revision + 1, answers: nowhere })
    yield again({ revision: statement.body.revision + 1, answers: nowhere, previous: nowhere })
    if (statement.body.revision > 1) yield again({ revision: 1, answers: new Uint8Array(0) })
  }
}

/** What may follow a proposal of theirs from which we differed. */
function* revisionsOf(world: World, state: Extract<SettleState, { at: 'answering' }>): Generator<Settling> {
  const { proposal, difference } = state
  const { body } = proposal
  const says = (entries: readonly Entry[], over: Partial<Statement>, evidence: readonly Evidence[] = []): Settling => ({
    say: 'propose',
    statement: sealStatement(
      world.peer,
      statementOf([...entries], {
        number: body.number,
        previous: body.previous,
        revision: body.revision + 1,
        answers: hashOf(difference),
        disputed: body.disputed,
        ...over,
      }),
    ),
    evidence,
    forfeits: [],
  })
  const objected = new Map(difference.body.objections.map((one) => [one.lease, one]))
  const left = body.entries.filter(({ lease }) => !objected.has(lease))
  const disputed = body.entries.flatMap((entry): Disputed[] => {
    const { lease, provider, sequence, receipt, amountMicro } = entry
    const said = objected.get(lease)
    const proposerHolds = { sequence, receipt, amountMicro }
    return said === undefined ? [] : [{ lease, provider, code: said.code, proposerHolds, otherHolds: said.holds }]
  })
  const proofs = body.entries.map(({ lease, sequence, amountMicro }) => world.proof(lease, sequence, amountMicro))

  yield { say: 'propose', statement: proposal, evidence: [], forfeits: [] }
  yield says(body.entries, { revision: body.revision, answers: body.answers, issuedMs: startMs + 2 })
  if (left.length + body.disputed.length > 0) yield says(left, {})
  yield says(left, { disputed: [...body.disputed, ...disputed] })
  yield says(left, { disputed: disputed.map((one) => ({ ...one, code: 'HOLDS_MORE', otherHolds: one.proposerHolds })) })
  yield says(body.entries, {})
  yield says(body.entries, {}, proofs)
  yield says(
    body.entries,
    {},
    body.entries.map(({ lease, sequence }) => world.proof(lease, sequence + 5)),
  )
  yield says(body.entries, { answers: nowhere })
  yield says(body.entries, { revision: body.revision + 2 })
  if (body.revision > 1) yield says(body.entries, { revision: body.revision - 1 })
}

/** What they may object to in a statement of ours. */
function* objectionsTo(world: World, { entries }: Statement): Generator<[Objection[], Evidence[]]> {
  const less = (lease: string, holds: Held | null = null): Objection => ({ lease, code: 'HOLDS_LESS', holds })
  for (const { lease, sequence, amountMicro, receipt } of entries) {
    const [later, lower] = [world.proof(lease, sequence + 1), world.proof(lease, sequence + 1, 1)]
    const more = (proof: Evidence): Objection => ({ lease, code: 'HOLDS_MORE', holds: heldOf(proof) })
    yield [[less(lease)], []]
    yield [[less(lease, { sequence, amountMicro, receipt })], []]
    yield [[less(lease)], [later]]
    yield [[more(later)], [later]]
    yield [[more(later)], []]
    yield [[more(lower)], [lower]]
    yield [[{ lease, code: 'RECEIPT_DIFFERS', holds: heldOf(world.proof(lease, sequence, amountMicro + 1)) }], []]
  }
  yield [[less(leaseNamed('none'))], []]
}

function* differencesTo(world: World, state: SettleState): Generator<Settling> {
  const { peer, self } = world
  const chain = world.chainOf(state)
  const own = isMine(state)
  const differs = (
    to: Signed<Statement>,
    objections: Objection[],
    evidence: Evidence[] = [],
    over = {},
    by = peer,
  ) => ({
    say: 'differ' as const,
    difference: sealDifference(by, { ...referenceTo(to), objections, ...over }),
    evidence,
  })
  const some: Objection[] = [{ lease: mine, code: 'HOLDS_LESS', holds: null }]
  const never = sealStatement(self, statementOf([], { number: chain.length + 1, previous: nowhere }))
  yield differs(never, some)
  yield differs(never, some, [], { number: chain.length + 2 })
  yield differs(never, some, [], {}, outsider)
  for (const { statement } of chain.slice(-2)) {
    yield differs(statement, some)
    yield differs(statement, some, [], { statement: nowhere })
  }
  if (own === undefined) return
  for (const [objections, evidence] of objectionsTo(world, own.proposal.body))
    yield differs(own.proposal, objections, evidence)
  yield differs(own.proposal, some, [], { statement: nowhere })
  if (own.proposal.body.revision > 1)
    yield differs(own.proposal, some, [], { revision: own.proposal.body.revision - 1 })
  if (own.at === 'stalled') yield { say: 'differ', difference: own.difference, evidence: [] }
}

/** AGREE and AGREED: to what was proposed, to what was not, to what was differed from, and with our own forgotten signature. */
function* agreementsTo(world: World, state: SettleState): Generator<Settling> {
  const { peer, self } = world
  const chain = world.chainOf(state)
  const number = chain.length + 1
  const previous =
    state.head === null
      ? originOf(self.network, self.signer.peer, peer.signer.peer, unit)
      : hashOf(state.head.statement)
  const own = isMine(state)
  const entries = [world.entry(state, theirs, world.proof(theirs, number))]
  const by = (who: Notary, over: Partial<Statement> = {}) =>
    sealStatement(who, statementOf(entries, { number, previous, issuedMs: startMs + 3, ...over }))
  const agrees = (to: Signed<Statement>, over = {}, who = peer): Settling => ({
    say: 'agree',
    agreement: sealAgreement(who, { ...referenceTo(to), ...over }),
  })
  const agreed = (statement: Signed<Statement>): Settling => ({
    say: 'agreed',
    statement,
    agreement: sealAgreement(statement.by === self.signer.peer ? peer : self, referenceTo(statement)),
  })
  yield agrees(by(self))
  yield agrees(by(self), {}, outsider)
  yield agrees(by(self, { number: number + 1 }))
  for (const who of [self, peer]) {
    yield agreed(by(who))
    yield agreed(by(who, { number: number + 1 }))
    yield agreed(by(who, { previous: nowhere }))
    yield agreed(by(who, { unit: 'other' }))
  }
  for (const { statement } of chain.slice(-2)) {
    yield agrees(statement)
    yield agrees(statement, { statement: nowhere })
    yield agreed(statement)
    yield agreed(
      sealStatement(statement.by === peer.signer.peer ? peer : self, { ...statement.body, issuedMs: startMs + 4 }),
    )
  }
  if (state.at === 'answering') yield agrees(state.proposal)
  if (own === undefined) return
  yield agrees(own.proposal)
  yield agreed(own.proposal)
  const { revision } = own.proposal.body
  if (revision > 1) {
    yield agrees(own.proposal, { revision: revision - 1 })
    yield agreed(by(self, { revision: revision - 1 }))
  }
}

const said = new WeakMap<SettleState, readonly [BookKind, Settling][]>()

/**
 * With every kind of books what is judged by them. At later dates only with what both know: a date decides when something is said
 * again, whatever the books say.
 */
function messagesTo(world: World, state: SettleState): readonly [BookKind, Settling][] {
  const known = said.get(state)
  if (known !== undefined) return known.filter(([books]) => books === 'the same')
  const made = [
    ...withBooks(bookKinds, proposalsTo(world, state)),
    ...withBooks(['the same'], otherProposalsTo(world, state)),
    ...withBooks(['the same', 'nothing', 'unproved'], differencesTo(world, state)),
    ...withBooks(['the same'], agreementsTo(world, state)),
  ]
  said.set(state, made)
  return made
}

function withBooks(kinds: readonly BookKind[], messages: Iterable<Settling>): [BookKind, Settling][] {
  return [...messages].flatMap((message) => kinds.map((kind): [BookKind, Settling] => [kind, message]))
}

/** The last revision before the account stalls, and a number whose revisions are used up. */
function lastRevisions(world: World): SettleState[] {
  const books = 'the same'
  const [opened] = world.step({ input: { is: 'propose' }, books }, openSettling(world.peer.signer.peer, unit), startMs)
  if (opened.at !== 'proposing') throw new Error(`it does not propose: ${opened.at}`)
  const proposal = sealStatement(world.self, { ...opened.proposal.body, revision: revisionMax, answers: nowhere })
  const objections: Objection[] = [{ lease: mine, code: 'HOLDS_LESS', holds: null }]
  const difference = sealDifference(world.peer, { ...referenceTo(proposal), objections })
  const message: Settling = { say: 'differ', difference, evidence: [] }
  const state: SettleState = { ...opened, proposal }
  const [stalled] = world.step({ input: { is: 'message', from: state.other, message }, books }, state, startMs)
  if (stalled.at !== 'stalled') throw new Error(`it goes on: ${stalled.at}`)
  return [{ ...opened, rounds: roundsMax }, state, stalled]
}

function machineOf(self: Notary, peer: Notary): Machine<SettleState, Said> {
  const world = new World(self, peer)
  const from = peer.signer.peer
  return {
    protocol: 'settle',
    name: 'stepSettle',
    begins: [{ on: 'openSettling', step: [openSettling(from, unit), []], atMs: startMs }],
    further: lastRevisions(world),
    nameOf: ({ at }) => at,
    keyOf: (state) => {
      const head = state.head === null ? 'none' : state.head.statement.by === from ? 'theirs' : 'ours'
      if (state.at === 'resting') return `${head} ${Math.min(world.chainOf(state).length, 2)}`
      const { revision, disputed } = state.proposal.body
      const isLast = state.at !== 'answering' && state.rounds === roundsMax
      return `${head} ${Math.min(revision, 2)} ${disputed.length > 0} ${state.evidence.length > 0} ${isLast}`
    },
    placesPerKeyMax: 2,
    *inputs(state) {
      for (const [books, message] of messagesTo(world, state))
        yield [message.say.toUpperCase(), { input: { is: 'message', from, message }, books }]
      const [[, message]] = messagesTo(world, state) as [[BookKind, Settling]]
      yield ['a message of somebody else', { input: { is: 'message', from: nobody, message }, books: 'the same' }]
      for (const books of bookKinds) yield ['propose', { input: { is: 'propose' }, books }]
      yield ['wake', { input: { is: 'wake' }, books: 'the same' }]
      yield ['restarted', { input: { is: 'restarted' }, books: 'the same' }]
    },
    step: (state, input, nowMs) => world.step(input, state, nowMs),
    wakeAtMs: settleWakeAtMs,
    wake: { input: { is: 'wake' }, books: 'the same' },
    final: [],
    other: from,
  }
}

export const settleMachines: readonly (() => Observed)[] = [
  () => together([walk(machineOf(low, high)), walk(machineOf(high, low))]),
]
