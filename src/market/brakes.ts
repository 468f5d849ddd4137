/**
 * Why nothing is worked for others at the moment, and what becomes of what runs: it is held at once, and handed back when it has been held
 * for long, since whoever asked for it waits, and its time goes on. Pure.
 */

/** The owner's word first, then what the machine says. */
export const brakeReasons = ['PAUSED', 'IN_DOUBT', 'OWNER_ACTIVE', 'TOO_HOT', 'DISK_LOW'] as const
export type BrakeReason = (typeof brakeReasons)[number]
/** For these nothing new is taken, and what runs may end: it is of use to nobody while it is held. */
const letsEnd: ReadonlySet<BrakeReason> = new Set(['IN_DOUBT', 'DISK_LOW'])

export interface BrakeState {
  readonly reasons: readonly BrakeReason[]
  /** When a pause ends by itself, by the machine's clock; null: not before it is ended, or there is none. */
  readonly pausedUntilMs: number | null
  /** Since when what runs is held; null: nothing is. */
  readonly heldSinceMs: number | null
}

export type BrakeInput =
  | { readonly is: 'pause'; readonly untilMs: number | null; readonly now: boolean }
  | { readonly is: 'resume' }
  | { readonly is: 'owner'; readonly isActive: boolean }
  | { readonly is: 'heat'; readonly isHot: boolean }
  | { readonly is: 'room'; readonly isLow: boolean }
  | { readonly is: 'doubt'; readonly isOn: boolean }
  | { readonly is: 'wake' }

/** `rest` and `hold` are said as they are from now on; saying one again is harmless. */
export type BrakeEffect =
  | { readonly do: 'rest'; readonly because: BrakeReason | null }
  | { readonly do: 'hold'; readonly isHeld: boolean }
  | { readonly do: 'evict' }

/** A moment's work of the owner's is no reason to lose what was done; longer, and another provider does it sooner. */
export const heldMsMax = 2 * 60_000

export const released: BrakeState = { reasons: [], pausedUntilMs: null, heldSinceMs: null }

export function brakeWakeAtMs({ pausedUntilMs, heldSinceMs }: BrakeState): number | undefined {
  const soonest = Math.min(pausedUntilMs ?? Infinity, heldSinceMs === null ? Infinity : heldSinceMs + heldMsMax)
  return soonest === Infinity ? undefined : soonest
}

export function stepBrakes(
  state: BrakeState,
  input: BrakeInput,
  nowMs: number,
): readonly [BrakeState, readonly BrakeEffect[]] {
  switch (input.is) {
    case 'pause': {
      const [next, effects] = settled({ ...state, pausedUntilMs: input.untilMs }, 'PAUSED', true, nowMs)
      return input.now ? evicted(next, effects) : [next, effects]
    }
    case 'resume':
      return settled({ ...state, pausedUntilMs: null }, 'PAUSED', false, nowMs)
    case 'owner':
      return settled(state, 'OWNER_ACTIVE', input.isActive, nowMs)
    case 'heat':
      return settled(state, 'TOO_HOT', input.isHot, nowMs)
    case 'room':
      return settled(state, 'DISK_LOW', input.isLow, nowMs)
    case 'doubt':
      return settled(state, 'IN_DOUBT', input.isOn, nowMs)
    case 'wake': {
      if (state.pausedUntilMs !== null && nowMs >= state.pausedUntilMs)
        return stepBrakes(state, { is: 'resume' }, nowMs)
      const isOver = state.heldSinceMs !== null && nowMs >= state.heldSinceMs + heldMsMax
      return isOver ? evicted(state, []) : [state, []]
    }
    default:
      return input satisfies never
  }
}

function settled(
  state: BrakeState,
  reason: BrakeReason,
  isOn: boolean,
  nowMs: number,
): readonly [BrakeState, readonly BrakeEffect[]] {
  const reasons = brakeReasons.filter((each) => (each === reason ? isOn : state.reasons.includes(each)))
  const holds = (some: readonly BrakeReason[]): boolean => some.some((each) => !letsEnd.has(each))
  const isHeld = holds(reasons)
  const isFirst = isHeld && !holds(state.reasons)
  const heldSinceMs = isFirst ? nowMs : isHeld ? state.heldSinceMs : null
  return [
    { ...state, reasons, heldSinceMs },
    [
      { do: 'rest', because: reasons[0] ?? null },
      { do: 'hold', isHeld },
    ],
  ]
}

/** Nothing is left that could be held. */
function evicted(state: BrakeState, effects: readonly BrakeEffect[]): readonly [BrakeState, readonly BrakeEffect[]] {
  return [{ ...state, heldSinceMs: null }, [...effects, { do: 'evict' }]]
}
