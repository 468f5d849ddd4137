/** A stop that ends, whatever libp2p waits for. */
import type { Libp2p } from '@libp2p/interface'

import type { Clock, Log } from '../environment.ts'

/** Stops gracefully while there is time, and cuts every connection when there is none left. Never rejects. */
export async function stopWithin(
  node: Pick<Libp2p, 'stop' | 'getConnections'>,
  stopMs: number,
  clock: Clock,
  log: Log,
): Promise<void> {
  const late = Promise.withResolvers<void>()
  const cancel = clock.after(stopMs, () => {
    log('warn', 'the host did not stop in time, and its connections are cut', { stopMs })
    for (const connection of node.getConnections()) connection.abort(new Error('the host stops'))
    late.resolve()
  })
  try {
    await Promise.race([node.stop(), late.promise])
  } catch (error) {
    log('warn', 'the host did not stop cleanly', { error })
  } finally {
    cancel()
  }
}
