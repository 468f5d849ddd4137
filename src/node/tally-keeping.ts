/** A provider's tally outlives its peer: hints are of the last day, and a peer may be started again many times in one. */
import { z } from 'zod'

import type { Clock, Log } from '../environment.ts'
import type { KeyValue } from '../host/index.ts'
import type { Tally } from '../market/tally.ts'

const key = '/tally'
/** What was counted since is lost when the peer is killed. */
const keepEveryMs = 60_000

const count = z.int().min(0)
const words = z.record(z.string().max(80), count)
const keptSchema = z.strictObject({
  bidsSeen: count,
  answered: count,
  won: count,
  notAnswered: words,
  lost: words,
  losses: z.array(z.strictObject({ atMs: z.number(), ours: count, winners: count })),
})

/** Recalls what was kept, and keeps it anew every minute and when the returned function is called. */
export function keepTally(tally: Tally, memory: KeyValue, clock: Clock, log: Log): () => void {
  let written = ''
  try {
    const bytes = memory.get(key)
    if (bytes !== undefined) tally.recall(keptSchema.parse(JSON.parse(new TextDecoder().decode(bytes))))
  } catch (error) {
    log('warn', 'what was counted of bids before cannot be read', { error })
  }
  const keep = (): void => {
    const text = JSON.stringify(tally.keep())
    if (text === written) return
    try {
      memory.put(key, new TextEncoder().encode(text))
      written = text
    } catch (error) {
      log('warn', 'what was counted of bids is not kept', { error })
    }
  }
  let cancel = (): void => {}
  const again = (): void => {
    cancel = clock.after(keepEveryMs, () => {
      keep()
      again()
    })
  }
  again()
  return () => {
    cancel()
    keep()
  }
}
