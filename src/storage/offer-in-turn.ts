/**
 * One shard, offered to keepers one after the other until one has it. Most that are gone do not say so, and to find it out takes as long
 * as the deadline of an exchange: so who gives no sign is not waited for alone. The first that begins to take the shard gets it.
 */
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'

/** A way there and back, a connection and its handshake, on a slow line. Measured with silent keepers: half of the puts waited 10 s for one. */
export const silentAfterMs = 2_000
/** Keepers that are waited for at once. */
const atOnceMax = 3

export interface KeeperOffers {
  /** Whom to ask next; undefined when there is nobody. */
  next(): PeerName | undefined
  /** Resolves with the term once it is acknowledged. `onTaken`: the keeper asked for the first of it. */
  offer(peer: PeerName, onTaken: () => void, signal: AbortSignal): Promise<number>
  /** It refused, or broke off. What this throws ends the whole. */
  onFailed(peer: PeerName, error: unknown): void
  onSilent(peer: PeerName): void
  /** Another takes it. */
  onLeft(peer: PeerName): void
}

export interface Taken {
  readonly peer: PeerName
  readonly untilMs: number
}

interface Attempt {
  readonly peer: PeerName
  readonly controller: AbortController
  isTaking: boolean
  isSilent: boolean
  /** Never rejects. */
  over: Promise<void>
  outcome: { readonly untilMs: number } | { readonly error: unknown } | undefined
}

/** Undefined when nobody took it. Rejects with what `onFailed` throws, or the reason of `signal`. */
export async function offerInTurn(
  offers: KeeperOffers,
  timer: Pick<Clock, 'after'>,
  signal: AbortSignal,
): Promise<Taken | undefined> {
  const attempts = new Set<Attempt>()
  const left: Promise<void>[] = []
  let news = Promise.withResolvers<void>()

  const leave = (attempt: Attempt): void => {
    if (!attempts.delete(attempt)) return
    attempt.controller.abort(new Error('another keeper takes it'))
    left.push(attempt.over)
    offers.onLeft(attempt.peer)
  }
  const take = (attempt: Attempt): void => {
    if (attempt.isTaking || !attempts.has(attempt)) return
    attempt.isTaking = true
    for (const other of attempts) if (other !== attempt) leave(other)
  }
  const begin = (peer: PeerName): void => {
    const controller = new AbortController()
    const attempt: Attempt = {
      peer,
      controller,
      isTaking: false,
      isSilent: false,
      over: Promise.resolve(),
      outcome: undefined,
    }
    const cancel = timer.after(silentAfterMs, () => {
      if (attempt.isTaking || !attempts.has(attempt)) return
      attempt.isSilent = true
      offers.onSilent(peer)
      news.resolve()
    })
    attempts.add(attempt)
    attempt.over = offers
      .offer(peer, () => take(attempt), controller.signal)
      .then(
        (untilMs) => void (attempt.outcome = { untilMs }),
        (error: unknown) => void (attempt.outcome = { error }),
      )
      .then(() => {
        cancel()
        news.resolve()
      })
  }
  const onAbort = (): void => {
    for (const { controller } of attempts) controller.abort(signal.reason)
    news.resolve()
  }

  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (;;) {
      signal.throwIfAborted()
      for (const attempt of attempts) {
        const { peer, outcome } = attempt
        if (outcome === undefined) continue
        attempts.delete(attempt)
        if ('untilMs' in outcome) return { peer, untilMs: outcome.untilMs }
        offers.onFailed(peer, outcome.error)
      }
      const isAwaited = [...attempts].some(({ isTaking, isSilent }) => isTaking || !isSilent)
      if (!isAwaited && attempts.size < atOnceMax) {
        const peer = offers.next()
        if (peer === undefined && attempts.size === 0) return undefined
        if (peer !== undefined) {
          begin(peer)
          continue
        }
      }
      await news.promise
      news = Promise.withResolvers()
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    for (const attempt of attempts) leave(attempt)
    await Promise.all(left)
  }
}
