/** What the command line needs of a peer that it runs itself; src/node.ts makes one. */
import type { PeerControl } from '../control/api.ts'

/** What a peer knows of itself when it is ready. */
export interface ReadyFacts {
  readonly connections: number
  readonly meshDegree: number
  /** Capability records known, its own among them. */
  readonly records: number
  /** Whether its key was made just now. */
  readonly firstRun: boolean
  readonly keyPath: string
  readonly offering: {
    readonly cpuMilli: number
    readonly memoryBytes: number
    readonly keepBytes: number
    /** Of one processor for one hour, as decimal text. */
    readonly price: string
    /** Of 10^9 instructions. */
    readonly gasPrice: string
    readonly unit: string
  } | null
  /** How strangers' work is shut in, in words. */
  readonly isolation: string
  readonly measured: { readonly cores: number; readonly memoryBytes: number; readonly diskFreeBytes: number }
}

export interface ForegroundPeer {
  /** Its peer id. */
  readonly name: string
  readonly petname: string
  addresses(): readonly string[]
  readonly control: PeerControl
  /** Resolves when it can be used, also when nobody else is there. Rejects when the signal fires. */
  ready(signal: AbortSignal): Promise<ReadyFacts>
  /** Stops in good order until the signal fires. */
  stop(signal?: AbortSignal): Promise<void>
}
