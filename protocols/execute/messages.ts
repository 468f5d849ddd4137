/** What is said while a lease is being worked off. */
import type { PeerName, ProtocolLimits, StatementType } from '../wire/index.ts'

export const executeProtocol = '/pleach/execute/1'

/** What is smaller than this travels inside START; what is larger is placed on keepers. */
export const inlineBytesMax = 64 * 1024
/** All of START's inline bytes together. */
export const inlineTotalBytesMax = 160 * 1024
export const grantsMax = 64
export const logChunkBytesMax = 32 * 1024
/** How far ahead of what the requester has read the provider sends the log. */
export const logCreditBytes = 256 * 1024
export const executeLimits: ProtocolLimits = { frameBytesMax: 512 * 1024, streamsPerPeerMax: 4 }

export const resultType: StatementType = { name: 'result', version: 1 }

/** An unanswered START, CANCEL or RESULT is sent again after this. */
export const executeRetransmitMs = 1_000
/** A FOLLOW that brings nothing is repeated after twice as long each time, at most this: most programs say nothing for long. */
export const followAgainMsMax = 8_000
/** The provider says at least this often that it is alive. */
export const progressIntervalMs = 1_000
/** START must be answered within this, or the place is awarded again. */
export const startWithinMs = 8_000
/** A running provider that is silent for this long is given up by default; a lease may name another window. */
export const reclaimMsDefault = 20_000
export const keepersNamedMax = 64

export type Stage = 'waiting' | 'staging' | 'running' | 'sealing' | 'ended'

export type GrantKind = 'module' | 'file' | 'tar' | 'stdin'

/** Where the shards of one object are now: `peers[i]` all hold the shard. */
export interface ShardSource {
  readonly shard: number
  readonly peers: readonly PeerName[]
}

/** The right to read one input or output. Exactly one of `manifest` and `inline` is not empty, unless the input is empty. */
export interface Grant {
  readonly guestPath: string
  readonly kind: GrantKind
  readonly manifest: Uint8Array
  readonly key: Uint8Array
  readonly sources: readonly ShardSource[]
  readonly inline: Uint8Array
}

export interface StartOrder {
  readonly module: Grant
  readonly inputs: readonly Grant[]
  readonly outputKey: Uint8Array
  readonly outputKeepers: readonly PeerName[]
}

export type LogChannel = 'stdout' | 'stderr'

/** Envelope of the result document, and how to read the outputs it names. */
export interface ResultMessage {
  readonly statement: Uint8Array
  readonly outputs: Grant | null
}

export interface ProgressReport {
  readonly stage: Stage
  readonly wallMs: number
  readonly cpuMs: number
  readonly memoryBytes: number
  readonly gas: number
  /** Only of a service with a health check, while it runs. */
  readonly health?: ServiceHealth
}

/** What the last checks of a service said. */
export interface ServiceHealth {
  /** `starting`: it was not well yet, since it was started or attached to. */
  readonly state: 'starting' | 'healthy' | 'failing'
  /** In a row; with `failuresMax` of them it is ended. */
  readonly failures: number
  readonly failuresMax: number
}

export type ExecutionBody =
  | { readonly say: 'start'; readonly order: StartOrder }
  | { readonly say: 'started' }
  | {
      readonly say: 'follow'
      readonly stdoutOffset: number
      readonly stderrOffset: number
      readonly creditBytes: number
    }
  | { readonly say: 'log'; readonly channel: LogChannel; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly say: 'progress'; readonly progress: ProgressReport }
  | { readonly say: 'cancel' }
  | { readonly say: 'result'; readonly result: ResultMessage }
  | { readonly say: 'result-seen' }
  | { readonly say: 'unknown' }

/** `lease` is the lease's id as hex. */
export type Execution = ExecutionBody & { readonly lease: string }
