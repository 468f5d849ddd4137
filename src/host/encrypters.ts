/**
 * How connections are encrypted. Every host has Noise, so that any two have one in common; TLS 1.3 stands beside it. Whoever dials
 * proposes in its own order, and the other side takes the first that it has. Which comes first, and the figures behind it: README.md.
 */
import { noise } from '@libp2p/noise'
import type { MessageStream, SecuredConnection } from '@libp2p/interface'
import { tls } from '@libp2p/tls'
import type { Libp2pOptions } from 'libp2p'

import { realTurns, type Clock } from '../environment.ts'
import { gatherWrites } from './gather-writes.ts'
import { socketTls } from './socket-tls.ts'
import { TurnBudget } from './turn-budget.ts'

export type EncrypterName = 'noise' | 'tls'

/** What libp2p takes in its list of encrypters. */
export type EncrypterFactory = NonNullable<Libp2pOptions['connectionEncrypters']>[number]

export interface EncrypterParts {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Told of what is written past libp2p's connections, where nothing else counts it. */
  readonly onWire: ((bytes: number) => void) | undefined
}

export const encryptersInOrder: readonly EncrypterName[] = ['tls', 'noise']

/** There is one event loop a process, whatever the hosts. */
const budget = new TurnBudget(realTurns)

const known: Readonly<
  Record<EncrypterName, { readonly protocol: string; readonly make: (parts: EncrypterParts) => EncrypterFactory }>
> = {
  noise: { protocol: '/noise', make: () => paced(noise()) },
  tls: {
    protocol: '/tls/1.0.0',
    make: (parts) => socketTls({ ...parts, turns: realTurns, budget, otherwise: paced(tls()) }),
  },
}

export function encryptersOf(names: readonly EncrypterName[], parts: EncrypterParts): EncrypterFactory[] {
  return names.map((name) => known[name].make(parts))
}

/**
 * For what is laid over libp2p's connection: counted below encryption, and held above it. TLS takes from below what it likes, but stops when
 * nobody takes from it. What a host has decrypted and not taken is a record or two of each connection.
 */
function paced(factory: EncrypterFactory): EncrypterFactory {
  return (components) => {
    const encrypter = factory(components)
    return {
      protocol: encrypter.protocol,
      async secureInbound(connection, options) {
        const secured = await encrypter.secureInbound(connection, options)
        return watched(connection, secured)
      },
      async secureOutbound(connection, options) {
        const secured = await encrypter.secureOutbound(connection, options)
        return watched(connection, secured)
      },
    }
  }
}

function watched<Secured extends SecuredConnection>(connection: MessageStream, secured: Secured): Secured {
  budget.watch(connection, secured.connection)
  gatherWrites(connection)
  gatherWrites(secured.connection)
  return secured
}

/** `none` is a transport's that encrypts by itself or, in a simulator, not at all. */
export function encrypterNamed(protocol: string | undefined): EncrypterName | 'none' {
  const found = (Object.keys(known) as EncrypterName[]).find((name) => known[name].protocol === protocol)
  return found ?? 'none'
}
