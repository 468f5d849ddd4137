/** A running peer, to whoever started it. */
import type { KnownCapability } from '../../protocols/capability/index.ts'
import type { Want } from '../../protocols/discover/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { PeerControl } from '../control/api.ts'

export interface ReadyFacts {
  readonly connections: number
  readonly meshDegree: number
  readonly records: number
  readonly firstRun: boolean
  readonly keyPath: string
  readonly offering: {
    readonly cpuMilli: number
    readonly memoryBytes: number
    readonly keepBytes: number
    readonly price: string
    readonly gasPrice: string
    readonly unit: string
  } | null
  readonly isolation: string
  readonly measured: { readonly cores: number; readonly memoryBytes: number; readonly diskFreeBytes: number }
}

export interface Peer {
  readonly name: PeerName
  readonly petname: string
  addresses(): string[]
  readonly control: PeerControl
  /** Records of others that fit, of peers that live as far as is known: at once when there are so many, or after a look of seconds. */
  find(want: Want, limit: number, signal: AbortSignal): Promise<readonly KnownCapability[]>
  /** Resolves once the peer is in the mesh and can be found, or, alone as yet, after a moment. */
  ready(signal: AbortSignal): Promise<ReadyFacts>
  /** Takes the record back, ends work in good order and closes everything, within ten seconds. Never rejects. */
  stop(): Promise<void>
}
