import type { Clock } from '../environment.ts'

const pollMs = 50

/** Waits until something is true, at most so long. */
export async function idle(clock: Clock, isTrue: () => boolean, withinMs: number, signal?: AbortSignal): Promise<void> {
  const untilMs = clock.monotonicMs() + withinMs
  const never = signal ?? new AbortController().signal
  while (!isTrue() && clock.monotonicMs() < untilMs) await clock.sleep(pollMs, never)
}
