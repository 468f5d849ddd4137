/** Why an object cannot be read now. */
import type { PeerName } from '../../protocols/wire/index.ts'

export interface FailedSource {
  readonly peer: PeerName
  readonly shard: number
  /** The code of a refusal, or what went wrong. */
  readonly reason: string
}

/** Fewer than k shards can be had. */
export class NotEnoughShardsError extends Error {
  override readonly name = 'NotEnoughShardsError'
  readonly need: number
  readonly have: number
  readonly missing: readonly number[]
  readonly failed: readonly FailedSource[]

  constructor(need: number, have: number, missing: readonly number[], failed: readonly FailedSource[]) {
    const why = failed.map(({ peer, shard, reason }) => `shard ${shard} at ${peer.slice(-6)}: ${reason}`).join('; ')
    super(
      `${need} shards are needed and ${have} can be had; missing ${missing.join(', ')}${why === '' ? '' : ` (${why})`}`,
    )
    this.need = need
    this.have = have
    this.missing = missing
    this.failed = failed
  }
}
