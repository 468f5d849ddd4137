/** What is known of an object that is looked after, and what audits and repairs make of it. */
import type { ObjectManifest } from '../../protocols/erasure/index.ts'
import type { Version } from '../../protocols/placement/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { AuditView, RepairView } from '../control/api.ts'
import type { AuditEntry } from '../ledger/audits.ts'
import { healthyShards, type AuditResult } from '../storage/audit.ts'
import { lossesBorne, operatorsBorne } from '../storage/happiness.ts'
import type { Placed } from '../storage/place.ts'
import { repairAt } from '../storage/repair.ts'
import { mergedPlaces } from './object-places.ts'
import { objectsKeptMs, ownCopyKeptMs, type Target } from './objects.ts'
import { peerView } from './views.ts'

export interface Known {
  readonly target: Target
  readonly manifest: Uint8Array
  readonly decoded: ObjectManifest
  readonly places: readonly Placed[]
  readonly versions: readonly Version[]
}

export function auditViewOf(
  { target, decoded, places }: Known,
  results: readonly AuditResult[],
  operatorOf: (peer: PeerName) => string | undefined,
): AuditView {
  const { k, m } = decoded.code
  const healthy = healthyShards(results)
  const passed = results.filter(({ verdict }) => verdict === 'passed')
  return {
    v: 1,
    object: target.cid,
    name: target.name,
    k,
    n: k + m,
    healthy: healthy.size,
    missing: rowsBut(healthy, k + m),
    repairAt: repairAt({ k, m }),
    lossesBorne: lossesBorne(passed, k),
    operatorsBorne: operatorsBorne(passed, k, operatorOf),
    results: results.map(({ shard, peer, verdict, reason, atMs }) => ({
      shard,
      keeper: peerView(peer),
      verdict,
      reason,
      atMs,
      keptUntilMs: places.find((place) => place.shard === shard && place.peer === peer)?.keepUntilMs ?? 0,
    })),
  }
}

export function placesOfPassed({ places }: Known, results: readonly AuditResult[]): Placed[] {
  const passed = new Set(results.flatMap((result) => (result.verdict === 'passed' ? [nameOf(result)] : [])))
  return places.filter((place) => passed.has(nameOf(place)))
}

/** Those that passed, and who does not answer and may come back. */
export function placesThatStay(
  { places }: Known,
  results: readonly AuditResult[],
  healthy: ReadonlySet<number>,
): Placed[] {
  const stays = ({ shard, verdict }: AuditResult): boolean =>
    verdict === 'passed' || (verdict === 'absent' && healthy.has(shard))
  const staying = new Set(results.flatMap((result) => (stays(result) ? [nameOf(result)] : [])))
  return places.filter((place) => staying.has(nameOf(place)))
}

/** Keepers that lost or spoilt a shard of the object, as the last audit that said anything of them has it. */
export function keepersThatFailed(audits: readonly AuditEntry[]): PeerName[] {
  return [...Map.groupBy(audits, ({ keeper }) => keeper)].flatMap(([keeper, own]) => {
    const passedMs = Math.max(...own.map((entry) => entry.passedMs))
    return own.some(({ verdict, atMs }) => verdict === 'failed' && atMs > passedMs) ? [keeper] : []
  })
}

export function nameOf({ shard, peer }: Pick<Placed, 'shard' | 'peer'>): string {
  return `${shard} ${peer}`
}

export function reportOf(
  known: Known,
  results: readonly AuditResult[],
  healthy: ReadonlySet<number>,
  placed: readonly Placed[],
  why: string,
): RepairView {
  const { k, m } = known.decoded.code
  return {
    v: 1,
    object: known.target.cid,
    name: known.target.name,
    k,
    n: k + m,
    healthyBefore: healthy.size,
    healthyAfter: new Set([...healthy, ...placed.map(({ shard }) => shard)]).size,
    repaired: placed.map(({ shard, peer }) => ({ shard, keeper: peerView(peer) })),
    missing: rowsBut(healthy, k + m).filter((row) => !placed.some(({ shard }) => shard === row)),
    why,
    lossesBorne: lossesBorne(mergedPlaces(placesOfPassed(known, results), placed), k),
  }
}

/** Somebody else's object is kept as long as it was to be kept. */
export function termOf(places: readonly Placed[], nowMs: number): number {
  const latestMs = places.reduce((latest, { keepUntilMs }) => Math.max(latest, keepUntilMs), 0)
  return Math.min(Math.max(latestMs, nowMs + ownCopyKeptMs), nowMs + objectsKeptMs)
}

export function rowsBut(healthy: ReadonlySet<number>, shards: number): number[] {
  return Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !healthy.has(shard))
}
