/**
 * One connection that goes through this host: two streams that the relay library joins. It reads from one as fast as bytes come, however slow
 * the other is; here it is held back, and counted.
 */
import type { Stream } from '@libp2p/interface'

import type { Clock } from '../environment.ts'

export type CircuitEnd = Pick<Stream, 'send' | 'pause' | 'resume' | 'readStatus' | 'abort' | 'addEventListener'>

export interface CircuitRules {
  readonly bytesMax: number
  readonly msMax: number
  /** So much is carried; answers for how many milliseconds no more should come. */
  spend(bytes: number): number
  onEnd(): void
}

/** From the moment when the library says to `near` that `far` is there. Both must not have been joined yet. */
export function watchCircuit(
  near: CircuitEnd,
  far: CircuitEnd,
  rules: CircuitRules,
  clock: Pick<Clock, 'after'>,
): void {
  const cancels = new Set<() => void>()
  let leftBytes = rules.bytesMax
  let isOver = false

  const after = (ms: number, then: () => void): void => {
    const cancel = clock.after(ms, () => {
      cancels.delete(cancel)
      then()
    })
    cancels.add(cancel)
  }
  const end = (why: string): void => {
    near.abort(new Error(why))
    far.abort(new Error(why))
  }
  const onClose = (): void => {
    if (isOver) return
    isOver = true
    for (const cancel of cancels) cancel()
    rules.onEnd()
  }
  near.addEventListener('close', onClose)
  far.addEventListener('close', onClose)
  after(rules.msMax, () => end('the circuit has lasted as long as it may'))

  /** What comes of `from` and goes to `to`. */
  const carry = (from: CircuitEnd, to: CircuitEnd): void => {
    const send = to.send.bind(to)
    let isFull = false
    let isPaced = false
    const settle = (): void => {
      if (isFull || isPaced) {
        if (from.readStatus === 'readable') from.pause()
      } else letGo(from)
    }
    to.send = (data) => {
      leftBytes -= data.byteLength
      const waitMs = rules.spend(data.byteLength)
      const hasRoom = send(data)
      isFull = !hasRoom
      if (waitMs > 0 && !isPaced) {
        isPaced = true
        after(waitMs, () => {
          isPaced = false
          settle()
        })
      }
      settle()
      if (leftBytes < 0) end('the circuit has carried as much as it may')
      return hasRoom
    }
    to.addEventListener('drain', () => {
      isFull = false
      settle()
    })
    // The library takes nothing any more once it has heard this, and we hear it first: what was held goes through before.
    from.addEventListener('remoteCloseWrite', () => letGo(from))
  }

  // The first that goes back is the library's own answer, and not carried.
  const answer = near.send.bind(near)
  near.send = (data) => {
    near.send = answer
    carry(near, far)
    carry(far, near)
    return answer(data)
  }
}

function letGo(end: CircuitEnd): void {
  if (end.readStatus !== 'paused') return
  try {
    end.resume()
  } catch {
    // It closed while it was held; what it had has been handed over before this was thrown.
  }
}
