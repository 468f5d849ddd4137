/**
 * The requester's half of a gang: places of one job that are leased together, each to another provider, or not at all. One
 * place alone is a gang of one. Each place is negotiated as in requester.ts; what is decided here is when all of them are
 * committed, and that all of them are closed when one of them fails.
 *
 * Pure: the caller brings the time and carries out the effects.
 */
import type { Effect, PeerName, Refusal, Step } from '../wire/index.ts'
import type { Notary } from './codec.ts'
import { acceptWithinMs, gangAcceptWithinMs, type Award, type Lease, type Negotiation } from './messages.ts'
import { award, awardWakeAtMs, stepAward, type AwardEvent, type AwardInput, type AwardState } from './requester.ts'

export interface GangState {
  /** `awarding`: at least one place is not accepted. `committed`: all are leased. `closed`: none is, nor will be. */
  readonly at: 'awarding' | 'committed' | 'closed'
  readonly slots: readonly AwardState[]
}

export type GangInput = Exclude<AwardInput, { is: 'commit' }>

export interface SlotFailure {
  readonly slot: number
  readonly provider: PeerName
  readonly because: Refusal
}

export type GangEvent =
  /** In the order of the awards. */
  | { readonly happened: 'leased'; readonly leases: readonly Lease[] }
  /** The places because of which there is no lease for any; none when the gang was cancelled. */
  | { readonly happened: 'not-leased'; readonly failed: readonly SlotFailure[] }

type GangStep = Step<GangState, Negotiation, GangEvent>
type SlotEffect = Effect<Negotiation, AwardEvent>
type GangEffect = Effect<Negotiation, GangEvent>

/**
 * How long after its AWARDs a gang may wait for ACCEPTs. A provider's word holds for `commitWithinMs` from its ACCEPT, which
 * cannot be before the AWARD: what is left of that after this window must do for a COMMIT that is lost once.
 */
export function acceptWindowMs(slots: number): number {
  return slots === 1 ? acceptWithinMs : gangAcceptWithinMs
}

/** All awards are durable together before any of them is sent. Each names another place and another provider. */
export function openGang(notary: Notary, terms: readonly Award[], nowMs: number): GangStep {
  const isDistinct = (names: readonly unknown[]): boolean => new Set(names).size === terms.length
  if (terms.length === 0 || !isDistinct(terms.map(({ slot }) => slot)) || !isDistinct(terms.map((one) => one.provider)))
    throw new Error('a gang is of distinct places and distinct providers')
  const opened = terms.map((one) => award(notary, one, nowMs))
  return [{ at: 'awarding', slots: opened.map(([slot]) => slot) }, together(opened.flatMap(([, effects]) => effects))]
}

export function gangWakeAtMs(state: GangState): number | undefined {
  if (state.at !== 'awarding') return undefined
  // Never Infinity: while a gang is awarding, one of its places at least is still waited for.
  return Math.min(...state.slots.map((slot) => awardWakeAtMs(slot) ?? Infinity))
}

export function stepGang(notary: Notary, state: GangState, input: GangInput, nowMs: number): GangStep {
  const [slots, effects] = stepAll(notary, state.slots, input, nowMs)
  const isSame = slots.every((slot, index) => slot === state.slots[index])
  const next: GangState = isSame ? state : { ...state, slots }
  if (state.at !== 'awarding') return [next, together(effects)]
  if (slots.some(({ at }) => at === 'closed')) return closeAll(notary, slots, effects, input, nowMs)
  if (slots.every(({ at }) => at === 'accepted')) return commitAll(notary, slots, effects, nowMs)
  return [next, together(effects)]
}

/** The decision, and all of its statements, are durable before the first COMMIT leaves. */
function commitAll(
  notary: Notary,
  slots: readonly AwardState[],
  effects: readonly SlotEffect[],
  nowMs: number,
): GangStep {
  const [leased, said] = stepAll(notary, slots, { is: 'commit' }, nowMs)
  const leases = leased.flatMap((slot) => (slot.at === 'leased' ? [slot.lease] : []))
  const told: GangEffect = { do: 'tell', event: { happened: 'leased', leases } }
  return [{ at: 'committed', slots: leased }, [...together([...effects, ...said]), told]]
}

/** Whoever has accepted is told at once, so that it holds nothing for a gang that will not be. */
function closeAll(
  notary: Notary,
  slots: readonly AwardState[],
  effects: readonly SlotEffect[],
  input: GangInput,
  nowMs: number,
): GangStep {
  const failed = input.is === 'cancel' ? [] : slots.flatMap((slot) => failureOf(slot))
  const [closed, said] = stepAll(notary, slots, { is: 'cancel' }, nowMs)
  const told: GangEffect = { do: 'tell', event: { happened: 'not-leased', failed } }
  return [{ at: 'closed', slots: closed }, [...together([...effects, ...said]), told]]
}

function failureOf(state: AwardState): SlotFailure[] {
  if (state.at !== 'closed') return []
  const { slot, provider } = state.award.body
  return [{ slot, provider, because: state.because }]
}

function stepAll(
  notary: Notary,
  slots: readonly AwardState[],
  input: AwardInput,
  nowMs: number,
): [AwardState[], SlotEffect[]] {
  const steps = slots.map((slot) => stepAward(notary, slot, input, nowMs))
  return [steps.map(([slot]) => slot), steps.flatMap(([, effects]) => effects)]
}

/** Everything that several places have to write down, in one write, and then everything they say. */
function together(effects: readonly SlotEffect[]): GangEffect[] {
  const written: GangEffect[] = []
  const said: GangEffect[] = []
  for (const effect of effects) {
    if (effect.do === 'record') written.push(effect)
    else if (effect.do === 'send' || effect.do === 'blame') said.push(effect)
  }
  if (effects.some((effect) => effect.do === 'save')) written.push({ do: 'save' })
  return [...written, ...said]
}
