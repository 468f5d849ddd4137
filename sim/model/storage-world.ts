/**
 * The world of the storage model: peers that put objects among each other and read them again while things go wrong, from one
 * seed. Then everything heals, what is not yet placed is placed, all of it is read once more, and what is left lying about shows.
 */
import { createHash } from 'node:crypto'

import { formatObjectCapability, type Code } from '../../protocols/erasure/index.ts'
import { placementRules } from '../../protocols/placement/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../clock.ts'
import { SeededRandom } from '../random.ts'
import type { StorageScenario } from '../scenarios/storage.ts'
import { LightSignal } from './light-signal.ts'
import { availableShards } from './shard-census.ts'
import { settled } from './settled.ts'
import { modelSigner } from './signer.ts'
import { StorageBulletin } from './storage-bulletin.ts'
import { storageNetwork } from './storage-caring.ts'
import { planStorageFaults } from './storage-faults.ts'
import { StoragePeer } from './storage-peer.ts'
import type { SealedObject } from '../../src/storage/seal.ts'
import { OwnShardError } from '../../src/storage/place.ts'
import type { ReadableObject } from './storage.ts'
import { StorageWatch } from './storage-watch.ts'
import { calmStreams, ModelStreams } from './streams.ts'

const startMs = 1_800_000_000_000
const never = new LightSignal().asSignal
/** A put that failed is tried again after so long, so often. */
const putAgainMs = 4_000
const putTriesMax = 8
/** After the faults: until nothing of them is under way any more, until all has been read, and until sweeps have done their work. */
const calmDownMs = 300_000
const finalReadsMs = 900_000
const finalStepMs = 10_000
const sweptMs = 12 * 60_000
/** The last start of all peers. */
const lastStartMs = 5_000
const placedAgainProbability = 0.4
const emptyProbability = 0.04
/** A little over a segment of the code 1+m. */
const longBytes = 1_100_000

export interface WorldObject {
  readonly number: number
  readonly owner: StoragePeer
  readonly plain: Uint8Array
  readonly code: Code
  readonly keptMs: number
  /** In the order in which they are asked. */
  readonly keepers: readonly PeerName[]
  tries: number
  /** In the owner's ledger, so that it can be placed again. */
  sealed: SealedObject | null
  /** Where it can be read, once all of it was acknowledged. */
  placed: ReadableObject | null
}

export interface Read {
  readonly object: WorldObject
  readonly reader: StoragePeer
  readonly isFinal: boolean
  /** Of a final read: distinct shards that honest keepers among its sources had, whole, when it began. */
  readonly available: number
  readonly beganMs: number
  endedMs: number | null
  /** Null: not over, or its reader died. */
  outcome: { readonly plain: Uint8Array } | { readonly error: unknown } | null
}

export class StorageWorld {
  readonly seed: number
  readonly scenario: StorageScenario
  readonly clock = new VirtualClock(startMs)
  readonly streams: ModelStreams
  readonly peers: StoragePeer[] = []
  readonly objects: WorldObject[] = []
  readonly reads: Read[] = []
  readonly cuts = new Set<{ readonly side: ReadonlySet<PeerName>; readonly oneWay: boolean }>()
  readonly trace: string[] = []
  readonly watch = new StorageWatch(this)
  /** The DHT; undefined where nobody looks after objects. */
  readonly bulletin: StorageBulletin | undefined
  isHealed = false
  /** Open streams and files when all was over, before the last start. */
  readonly leftOpen: { peer: number; streams: number; files: number }[] = []
  events = 0
  readonly #numbers = new Map<PeerName, number>()
  readonly #random: SeededRandom

  constructor(seed: number, scenario: StorageScenario) {
    this.seed = seed
    this.scenario = scenario
    this.#random = SeededRandom.of(seed, 'work')
    this.streams = new ModelStreams({
      clock: this.clock,
      random: SeededRandom.of(seed, 'streams'),
      faults: scenario.streams,
      isCut: (from, to) => this.#isCut(from, to),
      note: (from, to, what) => this.note(this.numberOf(from), `→ ${this.numberOf(to)} ${what}`),
    })
    if (scenario.care !== null) {
      const rules = placementRules(modelSigner(0), storageNetwork)
      this.bulletin = new StorageBulletin(rules, SeededRandom.of(seed, 'board'))
      this.bulletin.failProbability = scenario.care.boardFails
    }
    const random = SeededRandom.of(seed, 'peers')
    for (let number = 0; number < scenario.peers; number++) {
      const vice = random.chance(scenario.dishonestShare) ? random.pick(scenario.vices) : null
      const peer = new StoragePeer(this, number, vice, random.between(-scenario.skewMsMax, scenario.skewMsMax))
      this.#numbers.set(peer.name, number)
      this.peers.push(peer)
    }
    this.#planWork()
    planStorageFaults(this, SeededRandom.of(seed, 'faults'))
  }

  get elapsedMs(): number {
    return this.clock.nowMs() - startMs
  }

  get traceHash(): string {
    return createHash('sha256').update(this.trace.join('\n')).digest('hex')
  }

  numberOf(peer: PeerName): number {
    return this.#numbers.get(peer) ?? -1
  }

  peerOf(name: PeerName): StoragePeer | undefined {
    return this.peers[this.numberOf(name)]
  }

  note(peer: number, what: string): void {
    this.trace.push(`${this.elapsedMs} ${peer} ${what}`)
  }

  async run(): Promise<void> {
    const { faultsUntilMs } = this.scenario
    await this.runUntil(faultsUntilMs)
    this.#heal()
    const inCalm = new Map(await this.#loseOne())
    const calmMs = this.scenario.care?.calmMs ?? calmDownMs
    await this.runUntil(faultsUntilMs + calmMs)
    if (this.scenario.care !== null) for (const object of this.objects) this.watch.judge(object, inCalm.get(object)!)
    for (const object of this.objects) this.#read(object, true)
    const lastMs = faultsUntilMs + calmMs + finalReadsMs
    while (this.elapsedMs < lastMs && this.reads.some(({ outcome, isFinal }) => isFinal && outcome === null)) {
      await this.runUntil(Math.min(lastMs, this.elapsedMs + finalStepMs))
    }
    await this.runUntil(this.elapsedMs + sweptMs)
    if (this.scenario.care !== null) await this.watch.lookForRot()
    for (const { number, name, storage, isGone } of this.peers) {
      if (isGone) continue
      this.leftOpen.push({ peer: number, streams: this.streams.openAt(name), files: storage.opened })
    }
    for (const peer of this.peers) {
      peer.crash('process')
      peer.restart()
    }
    await this.runUntil(this.elapsedMs + lastStartMs)
  }

  /** A life has begun: what its owner wanted put is put again. */
  onBoot(peer: StoragePeer): void {
    for (const object of this.objects)
      if (object.owner === peer && object.tries > 0 && object.placed === null) this.#put(object)
  }

  /** Lets time pass, from the beginning of the world. */
  async runUntil(untilMs: number): Promise<void> {
    // What was asked for before the first event is under way by then.
    await settled()
    for (;;) {
      const { nextMs } = this.clock
      if (nextMs === undefined || nextMs > startMs + untilMs) break
      this.clock.jump()
      this.events++
      await settled()
    }
    // To the very moment, though nothing happens there.
    this.clock.after(startMs + untilMs - this.clock.nowMs(), () => {})
    this.clock.jump()
  }

  #heal(): void {
    this.isHealed = true
    this.note(-1, 'heal')
    this.cuts.clear()
    if (this.bulletin !== undefined) this.bulletin.failProbability = 0
    this.streams.faults = { ...calmStreams, bytesPerMs: this.scenario.streams.bytesPerMs }
    for (const peer of this.peers) {
      peer.disk.isFull = false
      peer.disk.onEffect = () => {}
      peer.life.frozenUntilMs = 0
      peer.restart()
    }
  }

  #planWork(): void {
    const { objects, putsWithinMs, faultsUntilMs, readsMax, care } = this.scenario
    for (let number = 0; number < objects; number++) {
      const object = this.#describe(number)
      this.objects.push(object)
      const putMs = this.#random.between(0, putsWithinMs)
      this.clock.after(putMs, () => this.#put(object))
      // Once more, to prolong the terms: perhaps while the first put is under way, or when they are just over.
      if (this.#random.chance(placedAgainProbability)) {
        this.clock.after(this.#random.between(putMs, faultsUntilMs), () => this.#put(object))
      }
      for (let reads = this.#random.between(0, readsMax); reads > 0; reads--) {
        this.clock.after(this.#random.between(putMs, faultsUntilMs), () => this.#read(object, false))
      }
      if (care !== null && this.#random.chance(care.pinShare)) {
        const pinner = this.#random.pick(this.peers)
        this.clock.after(this.#random.between(putMs, faultsUntilMs), () => this.#pin(object, pinner))
      }
    }
  }

  #describe(number: number): WorldObject {
    const random = this.#random
    const { objectBytesMin, objectBytesMax, longProbability, codes, keptMs, shortKeptMs, shortProbability } =
      this.scenario
    const isLong = random.chance(longProbability)
    const spread = Math.floor(objectBytesMin * (objectBytesMax / objectBytesMin) ** random.float())
    const bytes = isLong ? longBytes : random.chance(emptyProbability) ? 0 : spread
    const owner = random.pick(this.peers)
    return {
      number,
      owner,
      plain: plainOf(bytes, random.next()),
      code: isLong ? { k: 1, m: 2 } : random.pick(codes),
      keptMs: random.chance(shortProbability) ? shortKeptMs : keptMs,
      keepers: random.shuffled(this.peers).flatMap(({ name }) => (name === owner.name ? [] : [name])),
      tries: 0,
      sealed: null,
      placed: null,
    }
  }

  #put(object: WorldObject): void {
    const { owner, number } = object
    object.tries++
    // A peer that is down puts it when it comes back.
    if (!owner.isUp || owner.storage.store === undefined) return
    const { life } = owner
    this.note(owner.number, `put ${number}`)
    this.#sealAndPlace(object).then(
      (placed) => {
        object.placed = placed
        this.note(owner.number, `placed ${number} ${placed.cid}`)
      },
      (error: unknown) => {
        this.note(owner.number, `put ${number} failed ${(error as Error).name}`)
        // A copy that cannot be read is of no use: it is sealed anew.
        if (error instanceof OwnShardError) object.sealed = null
        if (object.tries < putTriesMax) life.after(putAgainMs, () => this.#put(object))
      },
    )
  }

  async #sealAndPlace(object: WorldObject): Promise<ReadableObject> {
    const { owner, plain, code, keepers, keptMs } = object
    if (object.sealed === null) {
      const sealed = await owner.storage.seal(plain, code, never)
      object.sealed ??= sealed
      this.watch.rootsOf.set(
        sealed.cid,
        sealed.roots.map((root) => Buffer.from(root).toString('hex')),
      )
    }
    return owner.storage.place(object.sealed, keepers, keptMs, never)
  }

  #read(object: WorldObject, isFinal: boolean): void {
    const random = this.#random
    const reader = random.pick(this.peers)
    const isWithOwner = random.chance(0.3)
    const { placed, owner, number } = object
    if (placed === null || !reader.isUp || reader.storage.store === undefined) return
    const { caring } = reader.storage
    const sources =
      caring === undefined
        ? placed.sources.map(({ shard, peers }) => ({
            shard,
            peers: isWithOwner ? peers : peers.filter((peer) => peer !== owner.name),
          }))
        : // Whoever looks finds them, wherever they are by now.
          placed.sources.map(({ shard }) => ({ shard, peers: this.peers.map(({ name }) => name) }))
    const available = isFinal ? availableShards(this, placed, sources) : 0
    const read: Read = { object, reader, isFinal, available, beganMs: this.elapsedMs, endedMs: null, outcome: null }
    this.reads.push(read)
    this.note(reader.number, `get ${number}`)
    const ended = (outcome: NonNullable<Read['outcome']>): void => {
      read.outcome = outcome
      read.endedMs = this.elapsedMs
      this.note(reader.number, `got ${number} ${'error' in outcome ? String(outcome.error) : 'all'}`)
    }
    const found = caring === undefined ? Promise.resolve(sources) : caring.sourcesOf(placed.cid, never)
    const got = found.then(async (where) => reader.storage.get({ ...placed, sources: where }, never))
    got.then(
      ({ plain }) => ended({ plain }),
      (error: unknown) => ended({ error }),
    )
  }

  /** A loss in the calm, which two may see at the same moment. Resolves with how many shards there are after it. */
  async #loseOne(): Promise<[WorldObject, number][]> {
    const { care, faultsUntilMs } = this.scenario
    if (care === null) return []
    await this.runUntil(faultsUntilMs + care.lossMs)
    const isNeeded = (peer: StoragePeer): boolean => this.objects.some(({ owner }) => owner === peer)
    const others = this.peers.filter((peer) => peer.vice === null && !peer.isGone && !isNeeded(peer))
    if (others.length > 0) this.#random.pick(others).wipe()
    await this.runUntil(faultsUntilMs + care.lossMs + lastStartMs)
    for (const { storage } of this.peers) void storage.caring?.tend(never).catch(() => {})
    return this.objects.map((object) => [object, this.watch.available(object)])
  }

  #pin({ number, placed }: WorldObject, pinner: StoragePeer): void {
    const { caring } = pinner.storage
    if (placed === null || caring === undefined || !pinner.isUp) return
    this.note(pinner.number, `pin ${number}`)
    caring.pin(formatObjectCapability({ can: 'read', object: placed.cid, key: placed.key }), never).then(
      () => this.note(pinner.number, `pinned ${number}`),
      (error: unknown) => this.note(pinner.number, `pin ${number} failed ${(error as Error).message}`),
    )
  }

  #isCut(from: PeerName, to: PeerName): boolean {
    for (const { side, oneWay } of this.cuts) {
      if (side.has(from) && !side.has(to)) return true
      if (!oneWay && side.has(to) && !side.has(from)) return true
    }
    return false
  }
}

/** Bytes that look like chance and cost little. */
function plainOf(bytes: number, salt: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4))
  for (let at = 0; at < words.length; at++) words[at] = Math.imul(at ^ salt, 0x9e3779b1) ^ (salt >>> 3)
  return new Uint8Array(words.buffer, 0, bytes)
}
