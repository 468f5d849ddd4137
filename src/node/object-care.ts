/** Objects looked after: audited, repaired when half of what may be lost is lost, their terms renewed, and said where they are. */
import { decodeObjectManifest } from '../../protocols/erasure/index.ts'
import type { PlacementService } from '../../protocols/placement/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { AuditView, ObjectView, RepairView } from '../control/api.ts'
import { auditHoldings, healthyShards, type AuditResult } from '../storage/audit.ts'
import { NotEnoughShardsError } from '../storage/fetch.ts'
import { shownBy } from '../storage/kept.ts'
import { placeShards, PlacementError, type Placed } from '../storage/place.ts'
import { renewTerms } from '../storage/renew.ts'
import { claimRepair, rebuildShards, repairAt, urgentAt } from '../storage/repair.ts'
import { sparePlaces } from '../storage/spares.ts'
import { toldOf } from './object-errors.ts'
import {
  auditViewOf,
  keepersThatFailed,
  nameOf,
  placesOfPassed,
  placesThatStay,
  reportOf,
  rowsBut,
  termOf,
  type Known,
} from './object-health.ts'
import {
  mergedPlaces,
  nowhere,
  placesFrom,
  placesOf,
  placesText,
  placesThatLast,
  sourcesFrom,
  untilUnknown,
} from './object-places.ts'
import { objectsKeptMs, ownCopyKeptMs, type ObjectDeps, type OwnObjects, type Target } from './objects.ts'
import type { AuditShown } from './storage-accounts.ts'
import { countedTransfer, pacedTransfer, unwatched, type Progress } from './transfers.ts'

export interface CareDeps extends ObjectDeps {
  readonly own: OwnObjects
  readonly placement: PlacementService
  /** A keeper has not got what it told us itself that it keeps. */
  readonly onBroken: (peer: PeerName, what: string) => void
  /** What keepers have shown of what they promised us. */
  readonly accounts: { shown(audits: readonly AuditShown[]): Promise<void> }
}

/** How long a keeper may be away before its shard counts as lost, when nobody asked for a repair. */
const absentMs = 30 * 60_000
/** Terms are renewed when so little is left of them: a third. */
const renewBelowMs = objectsKeptMs / 3
/** What a repair that is not urgent takes of the line. */
const lazyBytesPerSecond = 8 * 1024 * 1024
/** Keepers that were given up and are asked again in one round, those that passed last. */
const formerMax = 32

export class ObjectCare {
  readonly #deps: CareDeps

  constructor(deps: CareDeps) {
    this.#deps = deps
  }

  async audit(text: string, signal: AbortSignal): Promise<AuditView> {
    const target = this.#deps.own.target(text)
    try {
      const known = await this.#known(target, signal)
      const results = await this.#audited(known, signal)
      await this.#remember(known, results)
      return auditViewOf(known, results, this.#deps.operatorOf)
    } catch (error) {
      throw toldOf(error, target.name, `pleach audit ${text}`)
    }
  }

  /** Where others have placed it since: whoever said so may not be there when it is read. */
  async #remember(known: Known, results: readonly AuditResult[]): Promise<void> {
    const { entry } = known.target
    if (entry === undefined) return
    const placement = placesText(mergedPlaces(placesOf(entry.placement), placesOfPassed(known, results)))
    if (placement !== entry.placement) await this.#deps.objects.put({ ...entry, placement })
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
        progress.begin('auditing', 0)
        const asked = await this.#known(target, signal)
        const { k, m } = asked.decoded.code
        const [known, results] = await this.#withFormer(asked, await this.#audited(asked, signal), k + m - 1, signal)
        return await this.#repair(known, results, healthyShards(results), progress, signal)
      } catch (error) {
        throw await own.told(error, target, `pleach repair ${input.object}`, signal)
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
    const { own, audits } = this.#deps
    const asked = await this.#known(target, signal)
    const { code } = asked.decoded
    const [known, results] = await this.#withFormer(asked, await this.#audited(asked, signal), repairAt(code), signal)
    const nowMs = this.#deps.clock.nowMs()
    const seen = new Map(audits.of(target.cid).map((entry) => [`${entry.shard} ${entry.keeper}`, entry.passedMs]))
    // Who does not answer has a while to come back.
    const healthy = healthyShards(results)
    for (const { shard, peer, verdict } of results) {
      const passedMs = Math.max(seen.get(`${shard} ${peer}`) ?? 0, target.entry?.createdMs ?? 0)
      if (verdict === 'absent' && nowMs - passedMs < absentMs) healthy.add(shard)
    }
    let left = known
    if (healthy.size <= repairAt(code) && (await this.#repairIfItCan(known, results, healthy, signal))) {
      const repaired = own.target(target.cid)
      left = { ...known, target: repaired, places: placesOf(repaired.entry?.placement ?? nowhere) }
    }
    // Though there was nobody to repair with: what is left is to last until there is.
    const spare = this.#spareOf(left, results)
    const renewed = await this.#renewed(left, renewBelowMs, signal, spare)
    const places = await this.#withoutSpare(left, renewed, spare, signal)
    await own.announce({ cid: target.cid, manifest: known.manifest }, places, known.versions, signal)
  }

  /** What its keepers need not go on with, as another has it. */
  #spareOf(known: Known, results: readonly AuditResult[]): Placed[] {
    const passed = new Set(placesOfPassed(known, results).map(nameOf))
    const steady = new Map(
      this.#deps.audits.of(known.target.cid).map(({ shard, keeper, steadyMs }) => [`${shard} ${keeper}`, steadyMs]),
    )
    return sparePlaces(known.places, (place) => ({
      passed: passed.has(nameOf(place)),
      steadyMs: steady.get(nameOf(place)) ?? 0,
    }))
  }

  /**
   * Lets go of what is spare, once the other has a term that lasts. Who was asked by another to keep it goes on until the term ends: that
   * is the other's to say.
   */
  async #withoutSpare(
    { target, manifest }: Known,
    places: readonly Placed[],
    spare: readonly Placed[],
    signal: AbortSignal,
  ): Promise<readonly Placed[]> {
    const { own, audits, objects, clock } = this.#deps
    const isSpare = new Set(spare.map(nameOf))
    const lastsMs = clock.nowMs() + renewBelowMs
    const lasting = new Set(
      places.filter((place) => !isSpare.has(nameOf(place)) && place.keepUntilMs >= lastsMs).map(({ shard }) => shard),
    )
    const idle = spare.filter(({ shard }) => lasting.has(shard))
    if (idle.length === 0) return places
    const gone = new Set((await own.release({ manifest }, idle, signal)).map(nameOf))
    if (gone.size === 0) return places
    for (const { shard, peer } of idle.filter((place) => gone.has(nameOf(place))))
      await audits.forgetOne(target.cid, shard, peer)
    const now = places.filter((place) => !gone.has(nameOf(place)))
    if (target.entry !== undefined) await objects.put({ ...target.entry, placement: placesText(now) })
    return now
  }

  /** Whether any shard found a keeper. What stands in the way is logged: another round comes. */
  async #repairIfItCan(
    known: Known,
    results: readonly AuditResult[],
    healthy: ReadonlySet<number>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { log } = this.#deps
    try {
      const report = await this.#repair(known, results, healthy, unwatched, signal)
      const isRepaired = report.repaired.length > 0
      log('info', isRepaired ? 'an object was repaired' : 'an object was not repaired', { ...report })
      return isRepaired
    } catch (error) {
      signal.throwIfAborted()
      const named = await this.#deps.own.withPlacers(error, known.target.cid, signal)
      log('warn', 'an object could not be repaired', { object: known.target.cid, error: named })
      return false
    }
  }

  /**
   * Prolongs the terms of which less than `belowMs` is left, but those that are spare. It goes by what the keepers told us themselves: in a
   * placement record anybody may claim a long one. A keeper that lost the shard does not get it again here: that is a repair's.
   */
  async #renewed(
    { target, decoded, places }: Known,
    belowMs: number,
    signal: AbortSignal,
    spare: readonly Placed[] = [],
  ): Promise<readonly Placed[]> {
    const { transfer, clock, objects, store, onFault } = this.#deps
    const keepUntilMs = clock.nowMs() + objectsKeptMs
    const isSpare = new Set(spare.map(nameOf))
    const due = places.filter(
      (place) => !isSpare.has(nameOf(place)) && (place.heardUntilMs ?? 0) - clock.nowMs() < belowMs,
    )
    const renewed = await renewTerms({ transfer, store, onFault }, decoded, due, keepUntilMs, signal)
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
    const remembered = entry === undefined ? [] : placesThatLast(placesOf(entry.placement), clock.nowMs())
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

  async #audited({ target, decoded, places: asked }: Known, signal: AbortSignal): Promise<AuditResult[]> {
    const { audits, accounts, onBroken, clock } = this.#deps
    const results = await auditHoldings(this.#deps, decoded, asked, signal)
    const before = new Map(audits.of(target.cid).map((entry) => [`${entry.shard} ${entry.keeper}`, entry]))
    const places = target.entry === undefined ? [] : placesOf(target.entry.placement)
    // Only what we were told ourselves was promised: a record may say anything of anybody.
    const promised = new Map(places.map((place) => [nameOf(place), place.heardUntilMs ?? 0]))
    const shown: AuditShown[] = []
    for (const result of results) {
      const { shard, peer, verdict, reason, atMs } = result
      const last = before.get(nameOf(result))
      const promisedMs = promised.get(nameOf(result)) ?? 0
      const isNews = verdict === 'failed' && last?.verdict !== 'failed' && promisedMs > clock.nowMs()
      if (isNews && reason === 'NOT_FOUND') onBroken(peer, `shard ${shard} of ${target.cid} is not there`)
      if (verdict === 'passed' && promisedMs > 0)
        shown.push({ keeper: peer, kept: shownBy(last, decoded.shardBytes, atMs, promisedMs) })
    }
    await audits.put(results.map(({ peer, ...result }) => ({ ...result, object: target.cid, keeper: peer })))
    // After that: a crash between the two takes time from a keeper, and never gives it twice.
    await accounts.shown(shown)
    return results
  }

  /**
   * Who was given up may be back, with what it had, and no record names it any more. When no more than `atMost` shards are healthy, such
   * keepers are asked as well, before anything is made again.
   */
  async #withFormer(
    known: Known,
    results: readonly AuditResult[],
    atMost: number,
    signal: AbortSignal,
  ): Promise<[Known, readonly AuditResult[]]> {
    const healthy = healthyShards(results)
    if (healthy.size > atMost) return [known, results]
    const isAsked = new Set(known.places.map(nameOf))
    const former = this.#deps.audits
      .of(known.target.cid)
      .filter(({ shard, verdict, passedMs }) => (verdict !== 'failed' || passedMs > 0) && !healthy.has(shard))
      .toSorted((left, right) => right.passedMs - left.passedMs)
      .map(({ shard, keeper }) => ({ shard, peer: keeper, keepUntilMs: untilUnknown }))
      .filter((place) => !isAsked.has(nameOf(place)))
      .slice(0, formerMax)
    if (former.length === 0) return [known, results]
    const found = await this.#audited({ ...known, places: former }, signal)
    const back = placesOfPassed({ ...known, places: former }, found)
    return [
      { ...known, places: mergedPlaces(known.places, back) },
      [...results, ...found.filter(({ verdict }) => verdict === 'passed')],
    ]
  }

  async #repair(
    known: Known,
    results: readonly AuditResult[],
    healthy: ReadonlySet<number>,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<RepairView> {
    const { target, decoded } = known
    const { k, m } = decoded.code
    const lost = rowsBut(healthy, k + m)
    const kept = placesOfPassed(known, results)
    if (lost.length === 0) return reportOf(known, results, healthy, [], '')
    if (new Set(kept.map(({ shard }) => shard)).size < k) {
      const failed = results.filter(({ verdict }) => verdict !== 'passed')
      throw new NotEnoughShardsError(k, sourcesFrom(kept, []).length, lost, failed)
    }
    const byShard = kept.toSorted((left, right) => left.shard - right.shard)
    const keepers = [...new Set(byShard.map(({ peer }) => peer))]
    const release = await claimRepair(this.#deps, target.cid, decoded, keepers, signal)
    try {
      const [now, news] = await this.#lookedAgain(known, signal)
      const all = [...results, ...news]
      const healthyNow = new Set([...healthy, ...healthyShards(news)])
      if (healthyNow.size === k + m) return reportOf(now, all, healthyNow, [], '')
      return await this.#rebuild(now, all, healthyNow, progress, signal)
    } finally {
      await release()
    }
  }

  /**
   * Who gets the claim may have audited while another repaired, who gave it back just now: what is said only since then is audited
   * too, or the same shards would be placed twice.
   */
  async #lookedAgain(known: Known, signal: AbortSignal): Promise<[Known, AuditResult[]]> {
    const now = await this.#known(known.target, signal)
    const isKnown = ({ shard, peer }: Placed): boolean =>
      known.places.some((place) => place.shard === shard && place.peer === peer)
    const places = now.places.filter((place) => !isKnown(place))
    return [now, places.length === 0 ? [] : await this.#audited({ ...now, places }, signal)]
  }

  async #rebuild(
    known: Known,
    results: readonly AuditResult[],
    healthy: ReadonlySet<number>,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<RepairView> {
    const { target, decoded, places } = known
    const { code, shards, shardBytes } = decoded
    const lost = rowsBut(healthy, code.k + code.m)
    const isUrgent = healthy.size <= urgentAt(code)
    const counted = countedTransfer(this.#deps.transfer, progress)
    const transfer = isUrgent ? counted : pacedTransfer(counted, this.#deps.clock, lazyBytesPerSecond)
    const deps = { ...this.#deps, transfer }
    progress.begin('fetching', code.k * shardBytes)
    const nowMs = this.#deps.clock.nowMs()
    const sources = sourcesFrom(placesOfPassed(known, results), [])
    await rebuildShards(deps, decoded, lost, sources, nowMs + ownCopyKeptMs, signal)
    progress.begin('placing', lost.length * shardBytes)
    const unfit = new Set(results.filter(({ verdict }) => verdict !== 'passed').map(({ peer }) => peer))
    const candidates = (await this.#deps.keepers(signal)).filter((peer) => !unfit.has(peer))
    const lastResort = keepersThatFailed(this.#deps.audits.of(target.cid))
    const held = placesThatStay(known, results, healthy)
    let [placed, why]: [readonly Placed[], string] = [[], '']
    try {
      const keepUntilMs = target.entry?.isKept === true ? nowMs + objectsKeptMs : termOf(places, nowMs)
      placed = await placeShards(
        deps,
        { object: { roots: shards, code }, shards: lost, held, candidates, lastResort, keepUntilMs },
        signal,
      )
    } catch (error) {
      if (!(error instanceof PlacementError)) throw error
      ;[placed, why] = [error.placed, error.message]
    }
    if (placed.length > 0) await this.#moved(known, mergedPlaces(held, placed), signal)
    return reportOf(known, results, healthy, placed, why)
  }

  async #moved({ target, manifest, versions }: Known, now: readonly Placed[], signal: AbortSignal): Promise<void> {
    const { own, objects, self } = this.#deps
    if (target.entry !== undefined) await objects.put({ ...target.entry, placement: placesText(now) })
    const others = versions.filter(({ writer }) => writer !== self)
    await own.announce({ cid: target.cid, manifest }, now, others, signal)
  }
}
