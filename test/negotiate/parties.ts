/** Two parties to one job and a stranger, with what they would honestly say: what each test departs from. */
import assert from 'node:assert/strict'

import { encodeJobManifest, type JobManifest } from '../../protocols/execute/index.ts'
import {
  offer,
  openGang,
  sealAccept,
  sealAward,
  sealCommit,
  sealOffer,
  stepGang,
  stepHold,
  type Award,
  type Lease,
  type Notary,
  type Offer,
} from '../../protocols/negotiate/index.ts'
import { Fault, freeTariff, sha256, tariffNames, type Effect, type Signed } from '../../protocols/wire/index.ts'
import { notary } from '../support/peers.ts'

export const startMs = 1_700_000_000_000
export const [asker, worker, stranger] = [notary(1), notary(2), notary(3)]
export const [requester, provider, nobody] = [asker.signer.peer, worker.signer.peer, stranger.signer.peer]

export const manifestOf = (name: string): JobManifest => ({
  apiVersion: 'pleach/v1',
  kind: 'job',
  name,
  engine: 'wasi-preview1',
  module: { bytes: 8, sha256: '0'.repeat(64), object: null },
  container: null,
  args: ['--fast'],
  env: { HOME: '/' },
  inputs: [{ bytes: 3, sha256: '1'.repeat(64), object: null, path: '/in/data.csv', kind: 'file' }],
  stdin: null,
  resources: {
    cpuMilli: 1000,
    memoryBytes: 65_536,
    diskBytes: 0,
    wallMs: 60_000,
    logBytes: 1000,
    outputBytes: 0,
    gas: null,
  },
  deterministic: false,
  code: { k: 4, m: 2 },
  price: { unit: 'credit', cpuHourMicroMax: 2_000_000, ceilingMicro: 1_000_000 },
  nonce: 'one',
})

export const { job, bytes: manifest } = encodeJobManifest(manifestOf('tests'))
export const other = encodeJobManifest(manifestOf('another'))

/** Why an offer was not taken. */
export const released = { code: 'OUTBID', facts: { cpuHourMicro: 900_000 } }

export const offerTerms = (over: Partial<Offer> = {}): Offer => ({
  job,
  bid: sha256(Uint8Array.of(7)),
  unit: 'credit',
  ...freeTariff,
  cpuHourMicro: 1_000_000,
  cpuMilli: 1000,
  memoryBytes: 65_536,
  diskBytes: 0,
  gpus: 0,
  issuedMs: startMs,
  holdUntilMs: startMs + 6_000,
  bondMicro: 0,
  ...over,
})

export const awardTerms = (over: Partial<Award> = {}, to: Signed<Offer> = sealOffer(worker, offerTerms())): Award => ({
  job,
  slot: 0,
  epoch: 1,
  provider,
  offer: sha256(to.envelope),
  unit: 'credit',
  ...freeTariff,
  cpuHourMicro: 1_000_000,
  cpuMilli: 1000,
  memoryBytes: 65_536,
  diskBytes: 0,
  gpus: 0,
  wallMsMax: 60_000,
  ceilingMicro: 1_000_000,
  paymentIntervalMs: 1_000,
  paymentIntervalMsMax: 4_000,
  reclaimMs: 10_000,
  bondMicro: 0,
  issuedMs: startMs,
  acceptByMs: startMs + 4_000,
  manifest,
  ...over,
})

const offeredNames = [...tariffNames, 'cpuMilli', 'memoryBytes', 'diskBytes', 'gpus', 'bondMicro'] as const

/** A lease that the two machines came to. */
export function leaseOf(over: Partial<Award> = {}, [from, to]: [Notary, Notary] = [asker, worker]): Lease {
  const offered = offerTerms(
    Object.fromEntries(offeredNames.flatMap((name) => (over[name] === undefined ? [] : [[name, over[name]]]))),
  )
  const [offering] = offer(to, from.signer.peer, offered)
  assert.equal(offering.at, 'offered')
  const terms = awardTerms({ provider: to.signer.peer, ...over }, offering.offer)
  const [awarded, [, , sent]] = openGang(from, [terms], startMs)
  const [accepted] = stepHold(
    to,
    offering,
    { is: 'message', from: from.signer.peer, message: messageOf(sent!) },
    startMs,
  )
  assert.equal(accepted.at, 'accepted')
  const answer = { is: 'message', from: to.signer.peer, message: { say: 'accept', accept: accepted.accept } } as const
  const [{ slots }] = stepGang(from, awarded, answer, startMs)
  const leased = slots[0]!
  assert.ok(leased.at === 'leased')
  return leased.lease
}

export const statements = (over: Partial<Award> = {}, by: Notary = asker, acceptedBy: Notary = worker) => {
  const awarded = sealAward(by, awardTerms(over))
  const accepted = sealAccept(acceptedBy, {
    lease: sha256(awarded.envelope),
    issuedMs: startMs,
    commitByMs: startMs + 5_000,
  })
  const committed = sealCommit(by, {
    lease: sha256(awarded.envelope),
    accept: sha256(accepted.envelope),
    issuedMs: startMs,
  })
  return { award: awarded, accept: accepted, commit: committed }
}

export function messageOf<Message>(effect: Effect<Message, unknown>): Message {
  assert.equal(effect.do, 'send')
  return (effect as { message: Message }).message
}

/** What was done, as words: `record award`, `save`, `send AWARD`, `tell leased`, `blame EQUIVOCATION`. */
export function deeds(effects: readonly Effect<{ readonly say: string }, { readonly happened: string }>[]): string[] {
  return effects.map((effect) => {
    switch (effect.do) {
      case 'record':
        return `record ${effect.statement.kind}`
      case 'save':
        return 'save'
      case 'send':
        return `send ${effect.message.say.toUpperCase()}`
      case 'tell':
        return `tell ${effect.event.happened}`
      case 'blame':
        return `blame ${effect.fault.code}`
      default:
        return effect satisfies never
    }
  })
}

/** What every step of every machine owes: durable before it is said, and no change of state when it is the other's fault. */
export function checkStep<State extends { readonly at: string }>(
  before: State,
  [after, effects]: readonly [State, readonly Effect<{ readonly say: string }, { readonly happened: string }>[]],
  other: string | readonly string[],
): void {
  const others = [other].flat()
  const done = deeds(effects)
  const firstSend = effects.findIndex((effect) => effect.do === 'send')
  const lastWrite = effects.findLastIndex((effect) => effect.do === 'record' || effect.do === 'save')
  if (effects.some((effect) => effect.do === 'blame')) {
    assert.equal(after, before, 'a fault changes nothing')
    assert.equal(effects.length, 1, `a fault is all there is: ${done.join(', ')}`)
    const blame = effects[0]!
    assert.ok(blame.do === 'blame' && blame.fault instanceof Fault)
    assert.ok(others.includes(blame.peer), 'the other side is blamed')
  }
  if (firstSend >= 0 && lastWrite >= 0)
    assert.ok(lastWrite < firstSend, `said before it was written: ${done.join(', ')}`)
  if (effects.some((effect) => effect.do === 'record')) assert.ok(done.includes('save'), done.join(', '))
  for (const effect of effects) if (effect.do === 'send') assert.ok(others.includes(effect.to), effect.to)
}

export const isFault = (code: string) => (error: unknown) => error instanceof Fault && error.code === code

/** The code of the fault that `run` throws; any other exception is a failure of the test. */
export function faultOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof Fault, `not a fault: ${String(error)}`)
    return error.code
  }
  return 'no fault'
}

/** `bytes` with one bit turned over. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const bad = bytes.slice()
  const at = bit % (bytes.byteLength * 8)
  bad[at >> 3]! ^= 1 << (at & 7)
  return bad
}
