/** Whether the owner is using the machine: with two thresholds and two waits, so that a moment's work does not turn it over. Pure. */

export interface IdleState {
  readonly isIdle: boolean
  /** Since when it has looked otherwise; null when it does not. */
  readonly otherwiseSinceMs: number | null
}

/** Of all processors, what the owner's own programs use: at or above the first they are at work, below the second they are not. */
export const busyShare = 0.5
export const idleShare = 0.2
/** A compilation of a few seconds is no reason to go away; five quiet minutes are one to come back. */
export const busyAfterMs = 10_000
export const idleAfterMs = 5 * 60_000

export const idleAtFirst: IdleState = { isIdle: true, otherwiseSinceMs: null }

/** `share`: of all processors, used by what is not ours since the last look; 0 to 1. */
export function stepIdle({ isIdle, otherwiseSinceMs }: IdleState, share: number, nowMs: number): IdleState {
  const looksOtherwise = isIdle ? share >= busyShare : share < idleShare
  if (!looksOtherwise) return { isIdle, otherwiseSinceMs: null }
  const sinceMs = otherwiseSinceMs ?? nowMs
  const afterMs = isIdle ? busyAfterMs : idleAfterMs
  return nowMs - sinceMs >= afterMs
    ? { isIdle: !isIdle, otherwiseSinceMs: null }
    : { isIdle, otherwiseSinceMs: sinceMs }
}
