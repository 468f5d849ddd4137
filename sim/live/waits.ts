/** Ways to wait in a live world. */
import { realClock } from '../../src/environment.ts'

/** Between two looks at whether something has come about. */
const pollMs = 25

/**
 * Does `work` for all items, so many at a time. They share the iterator: each takes what is next. When one fails no other is
 * begun, and it rejects once those that were begun are over.
 */
export async function inTurn<Item>(
  items: Iterator<Item>,
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let hasFailed = false
  const some = async (): Promise<void> => {
    try {
      for (let next; !hasFailed && (next = items.next()).done !== true;) await work(next.value)
    } catch (error) {
      hasFailed = true
      throw error
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, some))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

/** Whether it came about in time. */
export async function until(holds: () => boolean, withinMs: number): Promise<boolean> {
  using deadline = realClock.deadline(withinMs)
  while (!holds()) {
    if (deadline.signal.aborted) return false
    await pause(pollMs)
  }
  return true
}

export async function pause(delayMs: number): Promise<void> {
  return realClock.sleep(delayMs, new AbortController().signal)
}
