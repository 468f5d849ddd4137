/** Objects looked after: audited, repaired when half of what may be lost is lost, their terms renewed, and said where they are. */
import { decodeObjectManifest, type ObjectManifest } from '../../protocols/erasure/index.ts'
import type { PlacementService, Version } from '../../protocols/placement/index.ts'
import type { ShardSource } from '../../protocols/transfer/index.ts'
import { RefusedError, refusal, type PeerName } from '../../protocols/wire/index.ts'
import type { AuditView, ObjectView, RepairView } from '../control/api.ts'
import type { Log } from '../environment.ts'
import { auditHoldings, healthyShards, type AuditResult } from '../storage/audit.ts'
import { NotEnoughShardsError } from '../storage/fetch.ts'
import { lossesBorne } from '../storage/happiness.ts'
import { placeShards, PlacementError, type Placed } from '../storage/place.ts'
import { claimRepair, rebuildShards, repairAt, urgentAt } from '../storage/repair.ts'
import { toldOf } from './object-errors.ts'
import { mergedPlaces, placesFrom, placesOf, placesText, sourcesFrom } from './object-places.ts'
import { objectsKeptMs, ownCopyKeptMs, type ObjectDeps, type OwnObjects, type Target } from './objects.ts'
import { countedTransfer, pacedTransfer, unwatched, type Progress } from './transfers.ts'
import { peerView } from './views.ts'

export interface CareDeps extends ObjectDeps {
  readonly own: OwnObjects
  readonly placement: PlacementService
  readonly log: Log
  /** A keeper has not got what it told us itself that it keeps. */
  readonly onBroken: (peer: PeerName, what: string) => void
}

/** How long a keeper may be away before its shard counts as lost, when nobody asked for a repair. */
const absentMs = 30 * 60_000
/** Terms are renewed when so little is left of them: a third. */
const renewBelowMs = objectsKeptMs / 3
/** What a repair that is not urgent takes of the line. */
const lazyBytesPerSecond = 8 * 1024 * 1024
/** Renewals at once. */
const renewalsMax = 4

interface Known {
  readonly target: Target
  readonly manifest: Uint8Array
  readonly decoded: ObjectManifest
  readonly places: readonly Placed[]
  readonly versions: readonly Version[]
}

export class ObjectCare {
  readonly #deps: CareDeps

  constructor(deps: CareDeps) {
    this.#deps = deps
  }

  async audit(text: string, signal: AbortSignal): Promise<AuditView> {
    const target = this.#deps.own.target(text)
    try {
      const known = await this.#known(target, signal)
      return this.#auditView(known, await this.#audited(known, signal))
    } catch (error) {
      throw toldOf(error, target.name, `pleach audit ${text}`)
    }
  }

  /** Brings an object back to all of its shards, now. */
  async repair(
    input: { readonly object: string; readonly transfer?: string },
    signal: AbortSignal,
  ): Promise<RepairView> {
    const { own, transfers } = this.#deps
    const target = own.target(input.object)
    return transfers.watch(input.transfer, async (progress) => {
      try {
        const known = await this.#known(target, signal)
        progress.begin('auditing', 0)
        const results = await this.#audited(known, signal)
        return await this.#repair(known, results, healthyShards(results), progress, signal)
      } catch (error) {
        throw toldOf(error, target.name, `pleach repair ${input.object}`)
      }
    })
  }

  /** From now on this peer looks after it, whoever put it; its terms are as long as they can be at once. */
  async pin(object: string, signal: AbortSignal): Promise<ObjectView> {
    const { own, objects } = this.#deps
    await own.importKey({ read: object }, signal)
    const target = own.target(object)
    try {
      await objects.put({ ...target.entry!, isKept: true })
      const known = await this.#known(own.target(object), signal)
      const places = await this.#renewed(known, Infinity, signal)
      await own.announce({ cid: target.cid, manifest: known.manifest }, places, known.versions, signal)
    } catch (error) {
      throw toldOf(error, target.name, `pleach pin ${object}`)
    }
    return own.list().find((view) => view.object === target.cid)!
  }

  /** One round over what the owner keeps, an object after the other. What fails for one is logged, and the next has its turn. */
  async tend(signal: AbortSignal): Promise<void> {
    for (const { object, kept } of this.#deps.own.list()) {
      signal.throwIfAborted()
      if (!kept) continue
      try {
        await this.#tendOne(this.#deps.own.target(object), signal)
      } catch (error) {
        signal.throwIfAborted()
        this.#deps.log('warn', 'an object could not be looked after', { object, error })
      }
    }
  }

  async #tendOne(target: Target, signal: AbortSignal): Promise<void> {
    const { own, audits, log } = this.#deps
    const known = await this.#known(target, signal)
    const { code } = known.decoded
    const results = await this.#audited(known, signal)
    const nowMs = this.#deps.clock.nowMs()
    const seen = new Map(audits.of(target.cid).map((entry) => [`${entry.shard} ${entry.keeper}`, entry.passedMs]))
    // Who does not answer has a while to come back.
    const healthy = healthyShards(results)
    for (const { shard, peer, verdict } of results) {
      const passedMs = Math.max(seen.get(`${shard} ${peer}`) ?? 0, target.entry?.createdMs ?? 0)
      if (verdict === 'absent' && nowMs - passedMs < absentMs) healthy.add(shard)
    }
    if (healthy.size <= repairAt(code)) {
      const report = await this.#repair(known, results, healthy, unwatched, signal)
      log('info', 'an object was repaired', { ...report })
      return
    }
    const places = await this.#renewed(known, renewBelowMs, signal)
    await own.announce({ cid: target.cid, manifest: known.manifest }, places, known.versions, signal)
  }

  /** Prolongs the terms of which less than `belowMs` is left. A keeper that lost the shard does not get it again here: that is a repair's. */
  async #renewed({ target, decoded, places }: Known, belowMs: number, signal: AbortSignal): Promise<readonly Placed[]> {
    const { transfer, clock, objects, store } = this.#deps
    const keepUntilMs = clock.nowMs() + objectsKeptMs
    const queue = places.filter((place) => place.keepUntilMs - clock.nowMs() < belowMs)
    const renewed: Placed[] = []
    const worker = async (): Promise<void> => {
      for (let place = queue.shift(); place !== undefined; place = queue.shift()) {
        const { shard, peer } = place
        const root = decoded.shards[shard]!
        const source = (await store.open(root).catch(() => undefined)) ?? gone(decoded.shardBytes)
        try {
          const untilMs = await transfer.put(peer, root, source, keepUntilMs, signal)
          renewed.push({ shard, peer, keepUntilMs: untilMs, heardUntilMs: untilMs })
        } catch {
          // The next audit says what is the matter with it.
        } finally {
          await source.close()
        }
      }
    }
    await Promise.all(Array.from({ length: renewalsMax }, worker))
    signal.throwIfAborted()
    const now = mergedPlaces(places, renewed)
    const text = placesText(now)
    if (target.entry !== undefined && text !== target.entry.placement)
      await objects.put({ ...target.entry, placement: text })
    return now
  }

  /** What we remember, and what others say: somebody may have repaired it meanwhile. */
  async #known(target: Target, signal: AbortSignal): Promise<Known> {
    const { own, clock } = this.#deps
    const { entry } = target
    const remembered = entry === undefined ? [] : placesOf(entry.placement)
    try {
      const { manifest, decoded, versions } = await own.locate(target.cid, true, signal)
      const found = placesFrom(versions, decoded.shards.length, clock.nowMs())
      return { target, manifest, decoded, versions, places: mergedPlaces(remembered, found) }
    } catch (error) {
      signal.throwIfAborted()
      if (entry === undefined) throw error
      const decoded = decodeObjectManifest(entry.manifest)
      return { target, manifest: entry.manifest, decoded, versions: [], places: remembered }
    }
  }

  async #audited({ target, decoded, places }: Known, signal: AbortSignal): Promise<AuditResult[]> {
    const { audits, onBroken, clock } = this.#deps
    const results = await auditHoldings(this.#deps, decoded, places, signal)
    const before = new Map(audits.of(target.cid).map((entry) => [`${entry.shard} ${entry.keeper}`, entry.verdict]))
    const promised = target.entry === undefined ? [] : placesOf(target.entry.placement)
    for (const { shard, peer, verdict, reason } of results) {
      // Only what we were told ourselves was promised: a record may say anything of anybody.
      const isPromised = promised.some(
        (place) => place.shard === shard && place.peer === peer && (place.heardUntilMs ?? 0) > clock.nowMs(),
      )
      const isNews = verdict === 'failed' && before.get(`${shard} ${peer}`) !== 'failed'
      if (isNews && isPromised && reason === 'NOT_FOUND') onBroken(peer, `shard ${shard} of ${target.cid} is not there`)
    }
    await audits.put(results.map(({ peer, ...result }) => ({ ...result, object: target.cid, keeper: peer })))
    return results
  }

  #auditView({ target, decoded, places }: Known, results: readonly AuditResult[]): AuditView {
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

  async #repair(
    known: Known,
    results: readonly AuditResult[],
    healthy: ReadonlySet<number>,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<RepairView> {
    const { target, manifest, decoded, places, versions } = known
    const { code, shards } = decoded
    const { k, m } = code
    const lost = rowsBut(healthy, k + m)
    const passed = results.filter(({ verdict }) => verdict === 'passed')
    const kept = places.filter(({ shard, peer }) => passed.some((one) => one.shard === shard && one.peer === peer))
    const report = (placed: readonly Placed[], why: string): RepairView => {
      const now = mergedPlaces(kept, placed)
      return {
        v: 1,
        object: target.cid,
        name: target.name,
        k,
        n: k + m,
        healthyBefore: healthy.size,
        healthyAfter: new Set([...healthy, ...placed.map(({ shard }) => shard)]).size,
        repaired: placed.map(({ shard, peer }) => ({ shard, keeper: peerView(peer) })),
        missing: lost.filter((row) => !placed.some(({ shard }) => shard === row)),
        why,
        lossesBorne: lossesBorne(now, k),
      }
    }
    if (lost.length === 0) return report([], '')
    const sources = sourcesFrom(kept, [])
    if (sources.length < k) {
      const failed = results.filter(({ verdict }) => verdict !== 'passed')
      throw new NotEnoughShardsError(k, sources.length, lost, failed)
    }
    const keepers = [...new Set(kept.map(({ peer }) => peer))]
    const release = await claimRepair(this.#deps, target.cid, decoded, keepers, signal)
    try {
      const isUrgent = healthy.size <= urgentAt(code)
      const counted = countedTransfer(this.#deps.transfer, progress)
      const transfer = isUrgent ? counted : pacedTransfer(counted, this.#deps.clock, lazyBytesPerSecond)
      const deps = { ...this.#deps, transfer }
      progress.begin('fetching', k * decoded.shardBytes)
      const nowMs = this.#deps.clock.nowMs()
      await rebuildShards(deps, decoded, lost, sources, nowMs + ownCopyKeptMs, signal)
      progress.begin('placing', lost.length * decoded.shardBytes)
      const unfit = new Set(results.filter(({ verdict }) => verdict !== 'passed').map(({ peer }) => peer))
      const candidates = (await this.#deps.keepers(signal)).filter((peer) => !unfit.has(peer))
      let [placed, why]: [readonly Placed[], string] = [[], '']
      try {
        const keepUntilMs = target.entry?.isKept === true ? nowMs + objectsKeptMs : termOf(places, nowMs)
        const object = { roots: shards, code }
        placed = await placeShards(deps, { object, shards: lost, held: kept, candidates, keepUntilMs }, signal)
      } catch (error) {
        if (!(error instanceof PlacementError)) throw error
        ;[placed, why] = [error.placed, error.message]
      }
      if (placed.length > 0) await this.#moved(known, mergedPlaces(kept, placed), versions, manifest, signal)
      return report(placed, why)
    } finally {
      await release()
    }
  }

  async #moved(
    { target }: Known,
    now: readonly Placed[],
    versions: readonly Version[],
    manifest: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    const { own, objects, self } = this.#deps
    if (target.entry !== undefined) await objects.put({ ...target.entry, placement: placesText(now) })
    const others = versions.filter(({ writer }) => writer !== self)
    await own.announce({ cid: target.cid, manifest }, now, others, signal)
  }
}

/** Somebody else's object is kept as long as it was to be kept. */
function termOf(places: readonly Placed[], nowMs: number): number {
  const latestMs = places.reduce((latest, { keepUntilMs }) => Math.max(latest, keepUntilMs), 0)
  return Math.min(Math.max(latestMs, nowMs + ownCopyKeptMs), nowMs + objectsKeptMs)
}

function rowsBut(healthy: ReadonlySet<number>, shards: number): number[] {
  return Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !healthy.has(shard))
}

/** To prolong a term needs no bytes, unless they are lost. */
function gone(shardBytes: number): ShardSource {
  return {
    shardBytes,
    leaf: async () => {
      throw new RefusedError(refusal('NOT_FOUND'))
    },
    close: async () => {},
  }
}
