/** Stopping in good order: no more bids, records withdrawn, work handed back or finished, receipts written; in 10 s. */
import { exits } from '../config/error.ts'
import { safe } from './escape.ts'
import type { ForegroundPeer } from './foreground-peer.ts'
import type { Terminal } from './terminal.ts'

export const stopWithinMs = 10_000

/** Answers with an exit code: 0, or 1 when it failed or took too long. What could not be done is done at the next start. */
export async function stopPeers(
  peers: readonly ForegroundPeer[],
  terminal: Terminal,
  withinMs: number = stopWithinMs,
): Promise<number> {
  terminal.note('stopping')
  const overdue = new AbortController()
  const late = Promise.withResolvers<'late'>()
  const timer = setTimeout(() => {
    overdue.abort(new Error('the time to stop is over'))
    late.resolve('late')
  }, withinMs)
  const stopped = Promise.allSettled(peers.map(async (peer) => peer.stop(overdue.signal)))
  const outcome = await Promise.race([stopped, late.promise])
  clearTimeout(timer)
  if (outcome === 'late') {
    terminal.say(`warning: not stopped after ${withinMs / 1_000} s; ending as it is`)
    return exits.fault
  }
  const failed = outcome.filter((one) => one.status === 'rejected')
  for (const { reason } of failed)
    terminal.say(`warning: a peer did not stop in good order: ${safe(String(reason), 300)}`)
  return failed.length === 0 ? exits.ok : exits.fault
}
