/** Waits until every promise that can settle without a timer has: the next tick comes when the queue of microtasks is empty. */
export async function settled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve)
  })
}
