/**
 * Who watches over one program, whatever becomes of the peer: a container of ours with the least program, whose namespace of
 * processes the other one shares. When its first process ends, the kernel ends all others in it; nobody else need be there.
 */
import type { Clock } from '../../environment.ts'
import type { Container } from './container.ts'
import type { GuardTimes } from './create-body.ts'

/** For a run that is not to outlive its peer: an engine may be slow to hand on a word. */
const aloneMsPlain = 10_000
const wordMsMin = 500
const wordMsMax = 5_000
const wordsInTime = 3

/** How often it is told that the peer is there, when it may be without it for so long. */
export function wordMsOf(aloneMs: number): number {
  return Math.min(wordMsMax, Math.max(wordMsMin, Math.floor(aloneMs / wordsInTime)))
}

/** `aloneMs` counts from the death of the peer, the guard from its last word: it waits for one word more. */
export function guardTimes(aloneMs: number | undefined, wallMs: number): GuardTimes {
  const alone = aloneMs ?? aloneMsPlain
  return {
    aloneSeconds: Math.ceil((alone + wordMsOf(alone)) / 1_000),
    // The peer itself ends it to the millisecond.
    wallSeconds: Math.ceil(wallMs / 1_000) + 1,
  }
}

/** Tells the guard again and again that its peer is there. Returns what stops that. */
export function reassure(
  guard: Container,
  aloneMs: number | undefined,
  clock: Clock,
  onError: (error: unknown) => void,
): () => void {
  const over = new AbortController()
  const go = async (): Promise<void> => {
    for (;;) {
      try {
        await guard.send('SIGUSR1', over.signal)
      } catch (error) {
        // An engine that is busy now may hear the next word.
        if (!over.signal.aborted) onError(error)
      }
      await clock.sleep(wordMsOf(aloneMs ?? aloneMsPlain), over.signal)
    }
  }
  // It ends in no other way than by its signal.
  void go().catch(() => {})
  return () => over.abort()
}
