/**
 * One peer of a live world: production's own, on what carries the world, through all its lives. It starts, leaves, ends as by
 * SIGKILL and comes back with what its disk has; what is heard and stored meanwhile is noted down.
 */
import { cpSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { Bulletin, PeerName } from '../../protocols/wire/index.ts'
import type { OfferOptions } from '../../src/config/options.ts'
import type { PeerControl } from '../../src/control/api.ts'
import { realClock, realFiles, type Log } from '../../src/environment.ts'
import type { Executor } from '../../src/execution/executor.ts'
import {
  createHost,
  limitsFor,
  type Contact,
  type Host,
  type HostLimits,
  type Identity,
  type KeyValue,
} from '../../src/host/index.ts'
import type { Mill } from '../../src/storage/mill.ts'
import { createPeer, type Peer } from '../../src/node.ts'
import type { PeerPorts } from '../../src/node/ports.ts'
import { SeededRandom } from '../random.ts'
import type { Carrier, PeerPlace } from './carrier.ts'
import { metered } from './measures/traffic.ts'
import { Watchers } from './measures/watchers.ts'
import { FullDisk } from './full-disk.ts'
import { SkewedClock } from './skewed-clock.ts'
import { act, offerOf, withVice, type LiveVice, type ViceContext } from './vices/index.ts'

/**
 * Peers of a bucket, and so also those that store a record. Each costs whoever publishes a connection, and that is what a
 * host costs most; kad-dht's 20 are for networks in which most of them are gone by the time one asks.
 */
const bucketPeersMax = 6
/** Fewer connections, rarer looks for more, and rarer pings than production's: all peers share a processor. Not in a cold boot. */
const changedLimits: Partial<HostLimits> = { connectionsMin: 4, lookEveryMs: 60_000, pingEveryMs: 120_000 }
const hour = 3_600_000

/** What all peers of a world have in common. */
export interface Ground {
  readonly network: string
  readonly seed: number
  readonly carrier: Carrier
  /** The disks of all, a folder each. */
  readonly folder: string
  readonly executor: Executor
  readonly mill: Mill
  readonly log: Log
  /** The routing table that a peer begins with; undefined: it finds its own. */
  readonly table: readonly Contact[] | undefined
  /** Whom a peer is told to join by. */
  bootstrap(peer: LivePeer): readonly string[]
  /** What the host of a peer with a new disk remembers: at most where others are. */
  memory(peer: LivePeer): KeyValue
  /** What a dishonest peer knows of the others. */
  viceContext(peer: LivePeer): ViceContext
}

export interface LivePeerInit {
  readonly index: number
  readonly place: PeerPlace
  readonly lends: boolean
  readonly identity: Identity
  readonly vice?: LiveVice | null
  readonly skewMs?: number
  /** What it lends in the place of what all do. */
  readonly offer?: Partial<OfferOptions>
}

/** What a peer is doing, as its world knows. */
export type PeerState = 'new' | 'up' | 'frozen' | 'left' | 'crashed'

export class LivePeer {
  readonly index: number
  readonly place: PeerPlace
  readonly lends: boolean
  readonly identity: Identity
  /** Null: an honest peer. */
  readonly vice: LiveVice | null
  readonly clock: SkewedClock
  readonly disk = new FullDisk(realFiles)
  /** Told of what its host hears and asks. */
  readonly watchers: Watchers
  /** Faults that it held against others since the world began. */
  readonly holds = new Map<PeerName, number>()
  /** Whether others acknowledged this peer's record. */
  recordIsOut = false
  state: PeerState = 'new'
  /** How long it hung, in all. */
  frozenMs = 0
  /** What it knew before it lost its disk, it knows no more. */
  hasLostDisk = false
  readonly #ground: Ground
  readonly #offer: Partial<OfferOptions>
  #host: Host | undefined
  #peer: Peer | undefined
  #memory: KeyValue
  /** Records and adverts that are under way: one after another. */
  #publications = 0
  #isReleased = false
  readonly #mayPublish = Promise.withResolvers<void>()
  readonly #mayAnnounce = Promise.withResolvers<void>()
  /** Lives so far: each after a crash has a folder of its own. */
  #lives = 0
  #frozenAtMs = 0
  #thaw = (): void => {}
  #life = new AbortController()
  readonly #waiting = new Set<() => void>()
  /** Ends what its vice does on its own account, in this life. */
  #behave: () => Promise<void> = async () => {}
  /** Lives that are over, and whose parts still end. */
  #ending: Promise<void> = Promise.resolve()

  constructor(ground: Ground, { index, place, lends, identity, vice = null, skewMs = 0, offer = {} }: LivePeerInit) {
    this.#offer = offer
    this.#ground = ground
    this.index = index
    this.place = place
    this.lends = lends
    this.identity = identity
    this.vice = vice
    this.clock = new SkewedClock(realClock, skewMs)
    this.#memory = ground.memory(this)
    // A network of our own counts by itself.
    const { net, wire } = ground.carrier
    this.watchers = new Watchers(net === undefined ? metered(wire, this.name) : undefined)
  }

  get name(): PeerName {
    return this.identity.peer
  }

  /** Its disk. */
  get folder(): string {
    return this.#folderOf(this.#lives)
  }

  get isUp(): boolean {
    return this.state === 'up'
  }

  /** Fires when the life that the peer has now is over. */
  get life(): AbortSignal {
    return this.#life.signal
  }

  /** Resolves when it runs, now or again. Rejects when the signal fires first. */
  async untilUp(signal: AbortSignal): Promise<void> {
    while (this.state !== 'up' && this.state !== 'frozen') {
      signal.throwIfAborted()
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.add(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      await promise
      this.#waiting.delete(resolve)
    }
  }

  /** The host as the network made it, below what notes down. */
  get host(): Host {
    if (this.#host === undefined) throw new Error('the peer has no host yet')
    return this.#host
  }

  get control(): PeerControl {
    if (this.#peer === undefined) throw new Error('the peer does not run')
    return this.#peer.control
  }

  /** Who can do something, as this peer finds it. */
  async find(...look: Parameters<Peer['find']>): ReturnType<Peer['find']> {
    if (this.#peer === undefined) throw new Error('the peer does not run')
    return this.#peer.find(...look)
  }

  get offer(): OfferOptions | null {
    if (!this.lends) return null
    const honest: OfferOptions = {
      cpuMilli: 2_000,
      memoryBytes: 2 ** 32,
      keepBytes: 10 ** 9,
      cpuHourMicro: 1_000_000,
      unit: 'credit',
      wallMsMax: hour,
      ...this.#offer,
    }
    return this.vice === null ? honest : offerOf(this.vice, honest)
  }

  /** Runs, with what its disk and its memory have. */
  async start(): Promise<void> {
    const ground = this.#ground
    const { network, seed, carrier, executor, mill, log } = ground
    const memory = this.#memory
    const peer = await createPeer(
      {
        network,
        reach: carrier.reach,
        dataDir: this.folder,
        listen: [this.place.address],
        bootstrap: ground.bootstrap(this),
        offer: this.offer,
        workers: 1,
        profile: 'live',
      },
      { clock: this.clock, random: SeededRandom.of(seed, 'live', this.index, this.#lives), log },
      this.#bent({
        identity: { ...this.identity, fresh: false },
        memory,
        executor,
        mill,
        files: this.disk,
        openLedger: this.disk.openLedger,
        createHost: this.#hostOn(carrier),
        mayPublish: this.#mayPublish.promise,
        mayAnnounce: this.#mayAnnounce.promise,
        networksMatter: false,
        // Some hundred of them are on one disk.
        reserveBytes: 0,
        onFault: (peer) => this.holds.set(peer, (this.holds.get(peer) ?? 0) + 1),
      }),
    )
    this.#peer = peer
    this.#life = new AbortController()
    this.state = 'up'
    for (const resolve of this.#waiting) resolve()
    this.#misbehave()
  }

  /** Whether its first record is under way, or what comes with a record. */
  get isPublishing(): boolean {
    return this.isUp && ((this.#isReleased && !this.recordIsOut) || this.#publications > 0)
  }

  /** From now on, and in all its lives, the record of what it lends is given to others. */
  mayPublish(): void {
    this.#isReleased = true
    this.#mayPublish.resolve()
  }

  /** From now on, and in all its lives, changes of its record are gossiped. */
  mayAnnounce(): void {
    this.#mayAnnounce.resolve()
  }

  /** Takes its record back and stops in good order. */
  async leave(): Promise<void> {
    if (this.state === 'frozen') this.thaw()
    if (this.state !== 'up') return
    this.state = 'left'
    this.#life.abort(new Error('the peer left'))
    await this.#behave()
    await this.#peer!.stop()
  }

  /**
   * Ends at once, as by SIGKILL. It is cut off from everybody before it can say anything more, and of its disk the next life
   * gets what is there at this moment; what the old life's parts do until they have ended, they do to a disk that nobody reads again.
   */
  crash(): void {
    if (this.state !== 'up' && this.state !== 'frozen') return
    if (this.state === 'frozen') this.thaw()
    this.state = 'crashed'
    this.#life.abort(new Error('the peer was killed'))
    this.recordIsOut = false
    this.#ground.carrier.pull(this.place)
    const [old, peer] = [this.folder, this.#peer!]
    this.#lives += 1
    // Who held the ledger is known by a file beside it, and is gone.
    cpSync(old, this.folder, { recursive: true, filter: (path) => !path.endsWith('.pid') })
    const memory = this.#ground.memory(this)
    for (const [key, value] of this.#memory.list('')) memory.put(key, value)
    this.#memory = memory
    this.#ending = Promise.all([
      this.#ending,
      this.#behave(),
      peer.stop().then(async () => rm(old, { recursive: true, force: true })),
    ]).then(() => {})
  }

  /** Comes back after it left or crashed. */
  async restart(): Promise<void> {
    if (this.state === 'left' || this.state === 'crashed') await this.start()
  }

  /** Its disk is gone: with a crash, or after it left. It is who it was, and remembers nothing. */
  async loseDisk(): Promise<void> {
    this.hasLostDisk = true
    this.#memory = this.#ground.memory(this)
    await rm(this.folder, { recursive: true, force: true })
  }

  freeze(): void {
    if (this.state !== 'up') return
    this.state = 'frozen'
    this.#frozenAtMs = realClock.monotonicMs()
    this.#thaw = this.#net().freeze(this.place.ip)
  }

  thaw(): void {
    if (this.state !== 'frozen') return
    this.state = 'up'
    this.frozenMs += realClock.monotonicMs() - this.#frozenAtMs
    this.#thaw()
  }

  /** Ends for good, whatever it was doing, with all its former lives. Its disk stays. */
  async stop(): Promise<void> {
    await Promise.all([this.leave(), this.#ending])
  }

  #bent(honest: PeerPorts): PeerPorts {
    return this.vice === null ? honest : withVice(this.vice, honest, this.#ground.viceContext(this))
  }

  #misbehave(): void {
    if (this.vice === null) return
    const ending = new AbortController()
    const acting = act(this.vice, this.host, this.#ground.viceContext(this), ending.signal)
    this.#behave = async () => {
      ending.abort(new Error('the peer ends'))
      await acting
    }
  }

  #net() {
    const { net } = this.#ground.carrier
    if (net === undefined) throw new Error('over TCP nobody can be cut off from others')
    return net
  }

  #folderOf(life: number): string {
    return join(this.#ground.folder, life === 0 ? String(this.index) : `${this.index}.${life}`)
  }

  #hostOn(carrier: Carrier): typeof createHost {
    const { table } = this.#ground
    // Who has to find its own goes by production's limits.
    const limits = table === undefined ? {} : changedLimits
    const transport = carrier.transport(this.place, limitsFor(carrier.reach, limits))
    return async (options, environment) => {
      const host = await createHost(
        {
          ...options,
          limits,
          dht: { bucketPeersMax, ...(table === undefined ? {} : { table }), ...options.dht },
        },
        { ...environment, watch: this.watchers, transport },
      )
      this.#host = host
      return { ...host, bulletin: this.#noting(host.bulletin) }
    }
  }

  async #publishes<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#publications += 1
    try {
      return await work()
    } finally {
      this.#publications -= 1
    }
  }

  #noting(bulletin: Bulletin): Bulletin {
    return {
      ...bulletin,
      put: async (...record) =>
        this.#publishes(async () => {
          const acknowledged = await bulletin.put(...record)
          if (acknowledged > 0) this.recordIsOut = true
          return acknowledged
        }),
      advertise: async (...advert) => this.#publishes(async () => bulletin.advertise(...advert)),
    }
  }
}
