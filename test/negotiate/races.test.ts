/**
 * What may go wrong between an offer and a lease when clocks, restarts, cancelling and other providers come in, as plays:
 * test/vectors/negotiate-races-transcript.txt. One requester may have several awards and several providers; each machine of a
 * peer hears what comes to the peer, and takes what is its own.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import {
  decodeNegotiation,
  encodeNegotiation,
  gangWakeAtMs,
  holdWakeAtMs,
  offer,
  openGang,
  sealAward,
  stepGang,
  stepHold,
  type Award,
  type AwardState,
  type GangInput,
  type GangState,
  type HoldEvent,
  type HoldInput,
  type HoldState,
  type Negotiation,
  type Notary,
} from '../../protocols/negotiate/index.ts'
import type { Effect, Refusal, Step } from '../../protocols/wire/index.ts'
import { Play, lose, playText, type Fate, type Language, type Role } from '../support/play.ts'
import { asker, awardTerms, offerTerms, requester, startMs, stranger, worker } from './parties.ts'

const language: Language<Negotiation> = {
  encode: encodeNegotiation,
  decode: (bytes) => decodeNegotiation(asker, bytes),
  wordOf: (message) => {
    switch (message.say) {
      case 'refuse':
        return `REFUSE ${message.refusal.code}`
      case 'award':
        return `AWARD ${message.award.body.epoch}`
      default:
        return message.say.toUpperCase()
    }
  },
}

/** A gang of one, shown as the place that it is about. */
interface Asked {
  readonly at: AwardState['at']
  readonly gang: GangState
}
type AskedEvent = { readonly happened: string; readonly because?: Refusal }

function asked(
  before: Asked | undefined,
  [gang, effects]: ReturnType<typeof stepGang>,
): Step<Asked, Negotiation, AskedEvent> {
  const place = gang.slots[0]!
  const shown = effects.map((effect): Effect<Negotiation, AskedEvent> => {
    if (effect.do !== 'tell') return effect
    const { happened } = effect.event
    return { do: 'tell', event: place.at === 'closed' ? { happened, because: place.because } : { happened } }
  })
  return [before?.gang === gang ? before : { at: place.at, gang }, shown]
}

/** A negotiation on a stage: who offers, and who awards what to whom. */
class Scenery {
  readonly stage: Play<Negotiation>
  readonly #states = new Map<string, () => Asked | HoldState | undefined>()

  constructor(fate?: Fate) {
    this.stage = new Play(language, startMs, fate)
  }

  /** `name` makes an offer, and the machine that holds it is called so. */
  offers(name: string, atMs: number, by: Notary, skewMs = 0) {
    const role: Role<HoldState, HoldInput, Negotiation, HoldEvent> = {
      peer: by.signer.peer,
      other: requester,
      step: (state, input, nowMs) => stepHold(by, state, input, nowMs),
      wakeAtMs: holdWakeAtMs,
      wake: () => ({ is: 'wake' }),
      hear: (message, from) => ({ is: 'message', from, message }),
      restarted: { is: 'restarted' },
      skewMs,
    }
    const terms = (nowMs: number) => offerTerms({ issuedMs: nowMs, holdUntilMs: nowMs + 6_000 })
    const entered = this.stage.enter(name, atMs, 'has heard a bid', role, (nowMs) => offer(by, requester, terms(nowMs)))
    this.#states.set(name, entered.state)
    return entered
  }

  /** The requester awards to the offer that `to` holds, under an epoch. */
  awards(epoch: number, atMs: number, to: string, by: Notary, over: Partial<Award> = {}) {
    const provider = by.signer.peer
    const role: Role<Asked, GangInput, Negotiation, AskedEvent> = {
      peer: requester,
      other: provider,
      step: (state, input, nowMs) => asked(state, stepGang(asker, state.gang, input, nowMs)),
      wakeAtMs: ({ gang }) => gangWakeAtMs(gang),
      wake: () => ({ is: 'wake' }),
      hear: (message, from) => ({ is: 'message', from, message }),
      restarted: { is: 'restarted' },
    }
    const name = `epoch ${epoch}`
    const entered = this.stage.enter(name, atMs, 'has chosen', role, (nowMs) => {
      const held = this.#states.get(to)!()
      assert.ok(held !== undefined && 'offer' in held)
      const terms = { epoch, provider, issuedMs: nowMs, acceptByMs: nowMs + 4_000, ...over }
      return asked(undefined, openGang(asker, [awardTerms(terms, held.offer)], nowMs))
    })
    this.#states.set(name, entered.state)
    return entered
  }

  ends(): Record<string, string | undefined> {
    return Object.fromEntries([...this.#states].map(([name, state]) => [name, state()?.at]))
  }
}

const stopped = { code: 'STOPPED', facts: {} }

const scenes: readonly {
  title: string
  fate?: Fate
  direct: (scenery: Scenery) => void
  ends: Record<string, string>
  faults?: readonly string[]
}[] = [
  {
    title: 'cancelling crosses the ACCEPT: there is no lease, and the provider hears so twice',
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker).input(35, 'cancel', { is: 'cancel' })
    },
    ends: { provider: 'closed', 'epoch 1': 'closed' },
  },
  {
    title: 'cancelling crosses the COMMIT: it comes too late, and there is a lease',
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker).input(45, 'cancel', { is: 'cancel' })
    },
    ends: { provider: 'leased', 'epoch 1': 'leased' },
  },
  {
    title: 'cancelling is not heard: the word of the provider is free again when its time is over',
    fate: (say) => (say === 'REFUSE' ? [] : say === 'ACCEPT' ? [300] : [10]),
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker).input(100, 'cancel', { is: 'cancel' })
    },
    ends: { provider: 'closed', 'epoch 1': 'closed' },
  },
  {
    title: 'the deadline of the ACCEPT comes while it is under way',
    fate: (say) => (say === 'ACCEPT' ? [3_990] : say === 'COMMIT' ? [10] : [10]),
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker)
    },
    ends: { provider: 'closed', 'epoch 1': 'closed' },
  },
  {
    title: 'the ACCEPT comes in the last moment, and the COMMIT after the last moment of the provider',
    fate: (say) => (say === 'ACCEPT' ? [3_980] : say === 'COMMIT' ? [1_030] : [10]),
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker)
    },
    ends: { provider: 'closed', 'epoch 1': 'leased' },
  },
  {
    title:
      'the COMMIT comes when the provider has given up: the lease is the requester’s alone, until its START is answered with UNKNOWN',
    fate: (say, count) => (say === 'COMMIT' ? (count === 1 ? [5_010] : []) : say === 'ACCEPT' && count > 1 ? [] : [10]),
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker)
    },
    ends: { provider: 'closed', 'epoch 1': 'leased' },
  },
  {
    title: 'the COMMIT comes as its time ends: COMMIT_LATE, and the place is awarded again',
    fate: (say, count) => (say === 'COMMIT' ? (count === 1 ? [4_990] : []) : say === 'ACCEPT' && count > 1 ? [] : [10]),
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker)
    },
    ends: { provider: 'closed', 'epoch 1': 'leased' },
  },
  {
    title: 'each message is lost once, and comes twice after that',
    fate: (_say, count) => (count === 1 ? [] : [10, 40]),
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker)
    },
    ends: { provider: 'leased', 'epoch 1': 'leased' },
  },
  {
    title: 'a no-show is replaced under a higher epoch, and the late ACCEPT of the older one is refused',
    fate: (say, count) => (say === 'ACCEPT' && count <= 4 ? [4_200] : [10]),
    direct: (scenery) => {
      scenery.offers('provider A', 0, worker)
      scenery.awards(1, 20, 'provider A', worker)
      scenery.offers('provider B', 3_900, stranger)
      scenery.awards(2, 4_030, 'provider B', stranger)
    },
    ends: { 'provider A': 'closed', 'epoch 1': 'closed', 'provider B': 'leased', 'epoch 2': 'leased' },
  },
  {
    title: 'the same provider under a higher epoch: each epoch takes only its own',
    fate: (say, count) => (say === 'ACCEPT' && count <= 4 ? [4_300] : [10]),
    direct: (scenery) => {
      scenery.offers('offer 1', 0, worker)
      scenery.awards(1, 20, 'offer 1', worker)
      scenery.offers('offer 2', 4_050, worker)
      scenery.awards(2, 4_070, 'offer 2', worker)
    },
    ends: { 'offer 1': 'closed', 'epoch 1': 'closed', 'offer 2': 'leased', 'epoch 2': 'leased' },
  },
  {
    title: 'an AWARD of the older epoch comes when the next one has been accepted',
    fate: (say, count) => (say === 'AWARD' && count <= 4 ? [4_500] : [10]),
    direct: (scenery) => {
      scenery.offers('offer 1', 0, worker).input(4_040, 'withdraw', { is: 'withdraw', because: stopped })
      scenery.awards(1, 20, 'offer 1', worker)
      scenery.offers('offer 2', 4_050, worker)
      scenery.awards(2, 4_070, 'offer 2', worker)
    },
    ends: { 'offer 1': 'closed', 'epoch 1': 'closed', 'offer 2': 'leased', 'epoch 2': 'leased' },
  },
  {
    title: 'one epoch awarded twice: the two signatures prove it',
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker)
      scenery.stage.say(100, requester, worker.signer.peer, () => {
        const terms = awardTerms({ wallMsMax: 1, issuedMs: startMs + 20, acceptByMs: startMs + 4_020 })
        return { say: 'award', award: sealAward(asker, terms) }
      })
    },
    ends: { provider: 'leased', 'epoch 1': 'leased' },
    faults: ['EQUIVOCATION'],
  },
  {
    title: 'the requester is restarted between writing the AWARD and sending it',
    fate: lose('AWARD', 1),
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker)
      scenery.stage.restart(25, 'epoch 1')
    },
    ends: { provider: 'leased', 'epoch 1': 'leased' },
  },
  {
    title: 'the requester is restarted between writing the COMMIT and sending it',
    fate: lose('COMMIT', 1),
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker)
      scenery.stage.restart(200, 'epoch 1')
    },
    ends: { provider: 'leased', 'epoch 1': 'leased' },
  },
  {
    title: 'the provider is restarted and has forgotten its offer',
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker)
      scenery.stage.restart(25, 'provider')
    },
    ends: { provider: 'closed', 'epoch 1': 'closed' },
  },
  {
    title: 'the provider is restarted with the lease, and the AWARD comes once more',
    fate: (say, count) => (say === 'AWARD' && count === 1 ? [10, 900] : [10]),
    direct: (scenery) => {
      scenery.offers('provider', 0, worker)
      scenery.awards(1, 20, 'provider', worker)
      scenery.stage.restart(500, 'provider')
    },
    ends: { provider: 'leased', 'epoch 1': 'leased' },
  },
  {
    title: 'the owner of the provider takes its offer back while the AWARD is under way',
    direct: (scenery) => {
      scenery.offers('provider', 0, worker).input(25, 'withdraw', { is: 'withdraw', because: stopped })
      scenery.awards(1, 20, 'provider', worker)
    },
    ends: { provider: 'closed', 'epoch 1': 'closed' },
  },
  {
    title: 'the clock of the provider is an hour behind: nothing is lost by that',
    fate: lose('COMMIT', 1),
    direct: (scenery) => {
      scenery.offers('provider', 0, worker, -3_600_000)
      scenery.awards(1, 20, 'provider', worker)
    },
    ends: { provider: 'leased', 'epoch 1': 'leased' },
  },
  {
    title: 'two providers, one with a clock 20 s ahead and one 20 s behind: both are leased',
    fate: (say, count) => (say === 'COMMIT' && count % 2 === 1 ? [] : [10]),
    direct: (scenery) => {
      scenery.offers('ahead', 0, worker, 20_000)
      scenery.awards(1, 20, 'ahead', worker)
      scenery.offers('behind', 2_000, stranger, -20_000)
      scenery.awards(2, 2_020, 'behind', stranger)
    },
    ends: { ahead: 'leased', behind: 'leased', 'epoch 1': 'leased', 'epoch 2': 'leased' },
  },
  {
    title: 'an AWARD that is late is accepted, and the ACCEPT is refused: the capacity is free at once',
    fate: (say, count) => (say === 'AWARD' ? (count === 1 ? [4_100] : []) : [10]),
    direct: (scenery) => {
      scenery.offers('provider', 0, worker, 20_000)
      scenery.awards(1, 20, 'provider', worker)
    },
    ends: { provider: 'closed', 'epoch 1': 'closed' },
  },
]

test('the plays of races between an offer and a lease are the ones that were reviewed', (t) => {
  const acts = scenes.map(({ title, fate, direct, ends, faults = [] }) => {
    const scenery = new Scenery(fate)
    direct(scenery)
    const { lines, faults: blamed } = scenery.stage.run()
    const text = `${title}\n${lines.join('\n')}`
    assert.deepEqual(scenery.ends(), ends, text)
    assert.deepEqual(
      blamed.map(({ code }) => code),
      faults,
      text,
    )
    return { title, lines }
  })
  t.assert.fileSnapshot(playText(acts), join(import.meta.dirname, '..', 'vectors', 'negotiate-races-transcript.txt'), {
    serializers: [(value: unknown) => value as string],
  })
})
