/** Whether keepers still have what they promised: a few leaves of each shard, with their proofs, within a deadline. */
import { leafCount, type ObjectManifest } from '../../protocols/erasure/index.ts'
import { auditNonceBytes, drawLeaves } from '../../protocols/placement/index.ts'
import type { TransferService } from '../../protocols/transfer/index.ts'
import { Fault, RefusedError, type PeerName } from '../../protocols/wire/index.ts'
import type { Clock, Random } from '../environment.ts'
import type { Holding } from './happiness.ts'

/**
 * passed: it gave all leaves that were drawn. failed: it said itself that it has not got the shard, or sent what is not of it.
 * absent: it did not answer, or not now; that says nothing of the shard.
 */
export type Verdict = 'passed' | 'failed' | 'absent'

export interface AuditResult extends Holding {
  readonly verdict: Verdict
  /** The code of a refusal or fault, or what went wrong; empty when it passed. */
  readonly reason: string
  readonly atMs: number
}

export interface AuditDeps {
  readonly transfer: Pick<TransferService, 'get'>
  readonly clock: Clock
  readonly random: Random
  readonly onFault: (peer: PeerName, fault: Fault) => void
}

/** From the first word to the last leaf: 2 MiB at most. */
const auditWithinMs = 60_000
/** Keepers that are audited at once. */
const auditsMax = 8
/** Refusals that say the shard is gone. Any other is about now, and not about the shard. */
const lostCodes = ['NOT_FOUND', 'DAMAGED']

/** Audits each holding once. Rejects only with the reason of `signal`. */
export async function auditHoldings(
  deps: AuditDeps,
  manifest: Pick<ObjectManifest, 'shards' | 'shardBytes'>,
  holdings: readonly Holding[],
  signal: AbortSignal,
): Promise<AuditResult[]> {
  const results: AuditResult[] = []
  const queue = [...holdings]
  const worker = async (): Promise<void> => {
    for (let holding = queue.shift(); holding !== undefined; holding = queue.shift()) {
      results.push(await auditOne(deps, manifest, holding, signal))
      signal.throwIfAborted()
    }
  }
  await Promise.all(Array.from({ length: auditsMax }, worker))
  return results.toSorted((left, right) => left.shard - right.shard)
}

async function auditOne(
  { transfer, clock, random, onFault }: AuditDeps,
  { shards, shardBytes }: Pick<ObjectManifest, 'shards' | 'shardBytes'>,
  { shard, peer }: Holding,
  signal: AbortSignal,
): Promise<AuditResult> {
  const root = shards[shard]!
  const leaves = drawLeaves(random.bytes(auditNonceBytes), peer, root, leafCount(shardBytes))
  const result = (verdict: Verdict, reason: string): AuditResult => ({
    shard,
    peer,
    verdict,
    reason,
    atMs: clock.nowMs(),
  })
  using deadline = clock.deadline(auditWithinMs, signal)
  try {
    // Each leaf is proved before this is called.
    await transfer.get(peer, root, shardBytes, leaves, async () => {}, deadline.signal)
    return result('passed', '')
  } catch (error) {
    if (error instanceof Fault) {
      onFault(peer, error)
      return result('failed', error.code)
    }
    if (error instanceof RefusedError) return result(lostCodes.includes(error.code) ? 'failed' : 'absent', error.code)
    return result('absent', error instanceof Error ? error.message : String(error))
  }
}

/** Shards of which a keeper passed. */
export function healthyShards(results: readonly AuditResult[]): Set<number> {
  return new Set(results.filter(({ verdict }) => verdict === 'passed').map(({ shard }) => shard))
}
