/** Relays from both sides, put together: by whom this host is reached when it cannot be dialled, and for whom it is a relay. */
import type { Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

import type { Clock, Log, Random } from '../environment.ts'
import type { PeerName } from '../../protocols/wire/peer.ts'
import { parseAddress } from './address.ts'
import { createCallBack } from './call-back.ts'
import { createCarrier, type Carrier, type Carrying } from './carrier.ts'
import type { Dialler } from './dialler.ts'
import type { Gater } from './gater.ts'
import type { HostLimits, Reach } from './limits.ts'
import { createRelaySeeker, type RelaySeeking } from './relay-seeker.ts'
import { createRelayTransport, type RelayTransport } from './relay-transport.ts'

export interface RelayOptions {
  /** Whether others are reached through this host. Left out: not. */
  readonly serve?: boolean
  /** What it carries for them in a second, in all. Left out, or null: relayedBytesPerSecondMax. */
  readonly bytesPerSecond?: number | null
  /** `auto`, and left out: those that are met, when there is no address of our own to announce. Or addresses of relays, used always. */
  readonly use?: 'auto' | 'never' | readonly string[]
}

/** Who counts what goes through relays. Called in the midst of it, often: it is quick, and throws nothing. */
export interface RelayCount {
  /** We carried so much to or from a peer that is reached through us. */
  onCarried(holder: PeerName, bytes: number): void
  /** So much came and went for us on connections that others opened through a relay of ours. */
  onServed(relay: PeerName, bytes: number): void
}

export interface RelayView extends RelaySeeking {
  /** Undefined when it is no relay. */
  readonly carries: Carrying | undefined
}

interface RelayingInit {
  readonly reach: Reach
  readonly gater: Gater
  readonly limits: HostLimits
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly count: RelayCount | undefined
}

export interface Relaying {
  readonly relays: RelayTransport | undefined
  readonly carrier: Carrier | undefined
  begin(node: Libp2p, dialler: Dialler): { start(): Promise<void>; stop(): void; view(): RelayView }
}

const uncounted: RelayCount = { onCarried: () => {}, onServed: () => {} }
const unreached: RelaySeeking = { isWanted: false, through: [], refusal: undefined }

/** `isOnTcp`: another transport has no relays. Throws HostError ADDRESS_INVALID. */
export function createRelaying(options: RelayOptions = {}, isOnTcp: boolean, init: RelayingInit): Relaying {
  const { reach, gater, clock, random, log, count = uncounted } = init
  const { relayedBytesPerSecondMax } = init.limits
  const limits = { ...init.limits, relayedBytesPerSecondMax: options.bytesPerSecond ?? relayedBytesPerSecondMax }
  const { use = 'auto' } = options
  const chosen = typeof use === 'string' ? use : use.map((text) => parseAddress(text, 'relay'))
  if (typeof chosen !== 'string') for (const address of chosen) gater.trust(address)
  const relays = isOnTcp ? createRelayTransport(limits, (relay, bytes) => count.onServed(relay, bytes)) : undefined
  const carrier =
    isOnTcp && options.serve === true
      ? createCarrier({
          limits,
          isPublic: reach === 'public',
          clock,
          log,
          onCarried: (holder, bytes) => count.onCarried(holder, bytes),
        })
      : undefined

  return {
    relays,
    carrier,
    begin(node, dialler) {
      const { addressesPerPeerMax } = limits
      const isAllowed = (address: Multiaddr): boolean => gater.allows(address)
      const callBack = createCallBack({ node, dialler, addressesPerPeerMax, isAllowed, log })
      const seeker =
        relays === undefined
          ? undefined
          : createRelaySeeker({ node, transport: relays, use: chosen, dialler, limits, clock, random, log })
      if (carrier !== undefined) node.addEventListener('peer:disconnect', ({ detail }) => carrier.gone(detail))
      return {
        async start() {
          callBack.start()
          await seeker?.start()
        },
        stop() {
          callBack.stop()
          seeker?.stop()
        },
        view: () => ({ ...(seeker?.view() ?? unreached), carries: carrier?.view() }),
      }
    },
  }
}
