/**
 * The queue of microtasks, run dry between two events. Node's next tick comes when that queue is empty, so whatever an event sets
 * off, through however many promises, has happened before the next one: no event can overtake another's consequences.
 */

/** Waits until every promise that can settle without a timer has. */
export async function settled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve)
  })
}

/**
 * Calls `next` again and again, each time when all that it set off has happened, until it returns false. Rejects when it throws.
 * As `while (next()) await settled()`, without a promise for each event. The step leaves the tick for a microtask, because ticks
 * that follow each other have no microtasks between them.
 */
export async function untilSettled(next: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const step = (): void => {
      try {
        if (next()) process.nextTick(tick)
        else resolve()
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    }
    const tick = (): void => queueMicrotask(step)
    process.nextTick(tick)
  })
}

/**
 * Lets the event loop turn once. What a `WeakRef` refers to, such as signals of the platform and all that listens to them, is held until
 * then: lives without a turn between them are kept, one as the other, and copied by the collector again and again.
 */
export async function turned(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
