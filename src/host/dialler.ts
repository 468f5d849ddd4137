/**
 * Dials a few at a time, and begins the next only when identify of the last is through: under load, identify of many
 * connections at once runs out of time without a word, and those peers never join gossip.
 */
import type { Connection, DialTarget, IdentifyResult, Libp2p } from '@libp2p/interface'

import type { Clock } from '../environment.ts'
import type { HostLimits } from './limits.ts'

export interface Dialler {
  /** Resolves with the connection, new or old, once it is identified or has had its time for that. */
  dial(target: DialTarget, signal: AbortSignal): Promise<Connection>
  /** Whether the other end of the connection has told us its protocols. */
  isIdentified(connection: Connection): boolean
  stop(): void
}

type DiallingNode = Pick<Libp2p, 'dial' | 'addEventListener' | 'removeEventListener'>

export function createDialler(
  node: DiallingNode,
  limits: Pick<HostLimits, 'pacedDialsMax' | 'dialMs' | 'identifyMs'>,
  clock: Clock,
): Dialler {
  const identified = new WeakSet<Connection>()
  const waiting: (() => void)[] = []
  let running = 0

  const onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => void identified.add(detail.connection)
  node.addEventListener('peer:identify', onIdentify)

  const turn = async (): Promise<void> => {
    if (running < limits.pacedDialsMax) {
      running += 1
      return
    }
    // The place is handed over, and not given back: whoever comes meanwhile does not get in between.
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.push(resolve)
    await promise
  }

  const done = (): void => {
    const next = waiting.shift()
    if (next === undefined) running -= 1
    else next()
  }

  const identify = async (connection: Connection, signal: AbortSignal): Promise<void> => {
    if (identified.has(connection) || connection.status !== 'open') return
    const { promise, resolve } = Promise.withResolvers<void>()
    using deadline = clock.deadline(limits.identifyMs, signal)
    const onResult = ({ detail }: CustomEvent<IdentifyResult>): void => {
      if (detail.connection === connection) resolve()
    }
    node.addEventListener('peer:identify', onResult)
    connection.addEventListener('close', () => resolve(), { once: true })
    deadline.signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    node.removeEventListener('peer:identify', onResult)
  }

  return {
    async dial(target, signal) {
      await turn()
      try {
        using deadline = clock.deadline(limits.dialMs, signal)
        deadline.signal.throwIfAborted()
        const connection = await node.dial(target, { signal: deadline.signal })
        await identify(connection, signal)
        return connection
      } finally {
        done()
      }
    },

    isIdentified: (connection) => identified.has(connection),
    stop: () => node.removeEventListener('peer:identify', onIdentify),
  }
}
