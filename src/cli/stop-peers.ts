/** Stopping in good order: no more bids, records withdrawn, work handed back or finished, receipts written; in 10 s. */
import { exits } from '../config/error.ts'
import type { ForegroundPeer } from './foreground-peer.ts'
import type { Terminal } from './terminal.ts'

export const stopWithinMs = 10_000

/** Answers with an exit code: 0, or 1 when it took too long. What could not be done is done at the next start. */
export async function stopPeers(peers: readonly ForegroundPeer[], terminal: Terminal): Promise<number> {
  terminal.note('stopping')
  const overdue = AbortSignal.timeout(stopWithinMs)
  const late = new Promise<'late'>((resolve) => {
    overdue.addEventListener('abort', () => resolve('late'), { once: true })
  })
  const stopped = Promise.all(peers.map(async (peer) => peer.stop(overdue)))
  if ((await Promise.race([stopped, late])) !== 'late') return exits.ok
  // One that heard of the timeout may fail after it; nobody waits for that any more.
  stopped.catch(() => {})
  terminal.say(`warning: not stopped after ${stopWithinMs / 1_000} s; ending as it is`)
  return exits.fault
}
