/**
 * Works on a stream of items in two halves: while one item is being finished, the next is begun and the one after that is awaited.
 * Items are finished one at a time and in their order; at most two are held. Rejects with what failed first, once nothing is under way.
 */
export async function overlap<Item, Half>(
  items: AsyncIterable<Item>,
  begin: (item: Item) => Promise<Half>,
  finish: (item: Item, half: Half) => Promise<void>,
  /** Called once for each item, when nothing is done with it any more. */
  release: (item: Item) => void = () => {},
): Promise<void> {
  let last = Promise.resolve()
  try {
    for await (const item of items) {
      const before = last
      last = both(item, before)
      // It is awaited one item later; until then its failure is nobody's.
      last.catch(() => {})
      await before
    }
    await last
  } finally {
    await last.catch(() => {})
  }

  async function both(item: Item, before: Promise<void>): Promise<void> {
    try {
      const half = await begin(item)
      await before
      await finish(item, half)
    } finally {
      release(item)
    }
  }
}
