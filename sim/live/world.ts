/**
 * Hundreds of real peers in this process: each is put together by the composition root of production, of production's parts.
 * What is other: the network is our own, memories are in memory, and one executor serves all.
 *
 * A fast boot: every peer begins with what a restart would have left it, an address book and a routing table, in the place of
 * finding both by asking. From there it is production's: peers are dialled, identified, and meshes form. A cold one is all
 * production's: a peer knows one address, that of the first, and nobody but itself dials for it.
 */
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

import { bidTopic } from '../../protocols/bid/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { OfferOptions } from '../../src/config/options.ts'
import { workersByDefault } from '../../src/config/capacity.ts'
import { realClock, type Log } from '../../src/environment.ts'
import type { Executor } from '../../src/execution/executor.ts'
import { createWasiExecutor } from '../../src/execution/wasi-executor.ts'
import { contactOf, identityFromSeed, memoryKeyValue, type Contact, type Identity } from '../../src/host/index.ts'
import { WorkerMill } from '../../src/storage/workers/worker-mill.ts'
import { SeededRandom } from '../random.ts'
import type { LiveSettings } from '../scenarios/schema.ts'
import { AddressBook } from './address-book.ts'
import type { Carrier, CarrierName, PeerPlace } from './carrier.ts'
import type { LinkQuality } from './link.ts'
import { parentFolder } from './disks.ts'
import { LivePeer, type Ground } from './live-peer.ts'
import { neighboursOf } from './neighbours.ts'
import { LiveNetwork } from './network.ts'
import { ownCarrier } from './own-carrier.ts'
import { PeerStoreMemo } from './peer-store-memo.ts'
import { sharedExecutor } from './shared-executor.ts'
import { shareHeap } from './shared-heap.ts'
import { SignatureMemo } from './signature-memo.ts'
import { tcpCarrier } from './tcp-carrier.ts'
import type { LiveNet } from './transport.ts'
import type { LiveVice, ViceContext } from './vices/index.ts'
import { inTurn, pause, until } from './waits.ts'
import { Unhurried } from './unhurried.ts'
import { TimerWheel } from './wheel.ts'

/** Who a peer is to be. */
export interface LiveRole {
  readonly lends: boolean
  /** Null: honest. */
  readonly vice: LiveVice | null
  /** By how much its clock is ahead. */
  readonly skewMs: number
  /** Who it is, when it has chosen its name. */
  readonly identity?: Identity
  /** The peers, by number, for which alone it works, and to which it is dishonest. Everybody when left out. */
  readonly victims?: readonly number[]
  /** What it lends in the place of what all do. */
  readonly offer?: Partial<OfferOptions>
  /** The number of the peer whose IP address it shares. */
  readonly at?: number
}

export interface LiveOptions {
  readonly peers: readonly LiveRole[]
  readonly seed: number
  /** What carries connections; over TCP nothing is made of `link`. */
  readonly carrier: CarrierName
  readonly boot: LiveSettings['boot']
  readonly link: LinkQuality | ((from: string, to: string) => LinkQuality)
  /** What runs programs; production's when left out. */
  readonly executor?: Executor
  /** Which of the peers are in this process, from the first to before the last; the others are elsewhere. All when left out. */
  readonly mine?: readonly [from: number, to: number]
  /** Over TCP: an IP address of this machine at which the others reach it. Loopback when left out. */
  readonly host?: string
}

/** Who is where, of all peers of a world. */
export interface Resident {
  readonly index: number
  readonly peer: PeerName
  readonly address: string
}

/** Class of the bids, as in src/node.ts. */
const bidClass = 'compute'
/** Peers that each dials; as many dial it. Twice gossipsub's Dlo less one would do for a mesh; connections are what a boot costs. */
const dialsEach = 4
/** Peers that start, and that dial, at the same time: enough to fill the waits for the disk, and for round trips. */
const bootingMax = 8
const diallingMax = 48
/**
 * Peers whose records go out at the same time, once all are there: whoever publishes sooner dials those that have not
 * started, and asks those that know nobody.
 */
const publishingMax = 24
/** After this the next one has its turn all the same: a publisher's own deadline. */
const publishedWithinMs = 20_000
/** Between two first announcements: each costs a sixth of a second of processor time at 300 peers. */
const announceEveryMs = 250
/** How long one peer may take to be connected. */
const connectedWithinMs = 30_000

export class LiveWorld {
  readonly network: string
  readonly carrier: Carrier
  /** Those that are in this process, by their numbers. */
  readonly peers: LivePeer[] = []
  readonly topic: string
  /** The disks of all peers; gone when the world has stopped. */
  readonly folder: string
  /** What peers logged as errors: none is expected. */
  readonly errors: string[] = []
  readonly #options: LiveOptions
  readonly #random: SeededRandom
  readonly #memo = new SignatureMemo()
  readonly #peerStores = new PeerStoreMemo()
  readonly #unhurried = new Unhurried()
  readonly #mill: WorkerMill
  /** Of our own peers, by their numbers: those of thousands elsewhere take seconds to be made. */
  readonly #identities = new Map<number, Identity>()
  readonly #byIndex = new Map<number, LivePeer>()
  /** Of our own peers. */
  readonly #places = new Map<number, PeerPlace>()
  /** Of all peers, by their numbers. */
  #residents: readonly Resident[] = []
  #uninstall = (): void => {}
  #announcing: Promise<void> = Promise.resolve()
  #isOver = false

  private constructor(options: LiveOptions, folder: string) {
    this.#options = options
    this.folder = folder
    this.#mill = new WorkerMill(
      { workersMax: workersByDefault({ cores: availableParallelism() }) },
      { clock: realClock, log: this.#log },
    )
    process.once('exit', this.#onExit)
    this.#random = SeededRandom.of(options.seed, 'live')
    this.network = `live-${options.seed}`
    this.topic = bidTopic(this.network, bidClass)
    this.carrier = carrierOf(options)
    const [from, to] = options.mine ?? [0, options.peers.length]
    for (const [index, { identity }] of options.peers.entries()) {
      // Drawn for each, so that a peer is the same whoever has it.
      const seed = identity === undefined ? this.#random.bytes(32) : undefined
      if (index >= from && index < to)
        this.#identities.set(index, this.#memo.identity(identity ?? identityFromSeed(seed!)))
    }
  }

  /** Resolves once every peer runs and has connections; `waitForMesh` is the next thing to do. */
  static async boot(options: LiveOptions, progress: (booted: number) => void): Promise<LiveWorld> {
    const world = await LiveWorld.open(options)
    try {
      await world.start(world.own, progress)
      await world.join()
      return world
    } catch (error) {
      await world.stop()
      throw error
    }
  }

  /** A world whose peers have places, and do not run yet. */
  static async open(options: LiveOptions): Promise<LiveWorld> {
    shareHeap(options.peers.length)
    const { peers, mine = [0, peers.length] } = options
    const folder = await mkdtemp(join(await parentFolder(mine[1] - mine[0]), 'pleach-live-'))
    const world = new LiveWorld(options, folder)
    const places = await world.carrier.places(mine[1] - mine[0])
    for (const [count, place] of places.entries()) {
      const index = mine[0] + count
      world.#places.set(index, sharing(place, places[(peers[index]!.at ?? index) - mine[0]] ?? place, index))
    }
    const forget = [world.#memo.install(world.#identities.get(mine[0])!), await world.#peerStores.install()]
    world.#uninstall = () => forget.forEach((each) => each())
    return world
  }

  /** Our own peers, and where others reach them. */
  get own(): Resident[] {
    return [...this.#places].map(([index, { address }]) => ({
      index,
      peer: this.#identities.get(index)!.peer,
      address,
    }))
  }

  /** One of our own peers, by its number. */
  peer(index: number): LivePeer {
    const peer = this.#byIndex.get(index)
    if (peer === undefined) throw new RangeError(`peer ${index} is not in this process`)
    return peer
  }

  /** Where there is weather to be made. */
  get net(): LiveNet | undefined {
    return this.carrier.net
  }

  get lenders(): LivePeer[] {
    return this.peers.filter(({ lends, isUp }) => lends && isUp)
  }

  /** Signatures that were checked, and checks that were spared. */
  get checks(): SignatureMemo['counts'] {
    return this.#memo.counts
  }

  get meshDegreeMin(): number {
    return Math.min(...this.peers.filter(({ isUp }) => isUp).map(({ host }) => host.gossip.meshDegree(this.topic)))
  }

  /** Whether every peer came to have so many mesh neighbours on the topic of bids in time. */
  async waitForMesh(degree: number, withinMs: number): Promise<boolean> {
    return until(() => this.meshDegreeMin >= degree, withinMs)
  }

  /** Whether the record of everybody who lends came to be stored by others in time, and its adverts with it. */
  async waitForRecords(withinMs: number): Promise<boolean> {
    return until(() => this.lenders.every(({ recordIsOut, isPublishing }) => recordIsOut && !isPublishing), withinMs)
  }

  /** Ends all peers, in good order where they are up. Their disks stay, to be looked at. */
  async stopPeers(): Promise<void> {
    await Promise.all(this.peers.map(async (peer) => peer.stop()))
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#announcing
    await this.stopPeers()
    await this.#mill[Symbol.asyncDispose]()
    this.carrier.close()
    this.#uninstall()
    process.off('exit', this.#onExit)
    await rm(this.folder, { recursive: true, force: true })
  }

  /**
   * Runs our own peers. `residents` are all of the world, in this process or elsewhere. Rejects when the signal fires, once no
   * peer is on its way any more; those that run are left to `stop`.
   */
  async start(residents: readonly Resident[], progress: (booted: number) => void, signal?: AbortSignal): Promise<void> {
    const { peers: roles, seed, boot } = this.#options
    this.#residents = residents.toSorted((left, right) => left.index - right.index)
    const executor = this.#options.executor ?? sharedExecutor(createWasiExecutor({ clock: realClock, log: this.#log }))
    const ground: Ground = {
      network: this.network,
      seed,
      carrier: this.carrier,
      folder: this.folder,
      executor,
      mill: this.#mill,
      log: this.#log,
      viceContext: (peer) => this.#viceContext(peer),
      ...(await this.#beginning()),
    }
    for (const [index, place] of this.#places)
      this.#byIndex.set(
        index,
        new LivePeer(ground, { ...roles[index]!, index, place, identity: this.#identities.get(index)! }),
      )
    const start = async (peer: LivePeer): Promise<void> => {
      signal?.throwIfAborted()
      await peer.start()
      this.peers.push(peer)
      progress(this.peers.length)
    }
    const peers = [...this.#byIndex.values()]
    if (boot === 'cold')
      for (const peer of peers) {
        peer.mayPublish()
        peer.mayAnnounce()
      }
    // Whom all others begin from is there first.
    const [first, ...others] = peers
    await start(first!)
    await inTurn(others.values(), bootingMax, start)
    this.peers.sort((left, right) => left.index - right.index)
  }

  /** What peers that know each other do once all are there: one's dials fill the waits of another's record. Nothing after a cold start. */
  async join(): Promise<void> {
    if (this.#options.boot === 'cold') return
    const neighbours = neighboursOf(this.#residents.length, dialsEach, this.#random)
    await Promise.all([
      inTurn(this.peers.values(), diallingMax, async (peer) => {
        await this.#unhurried.turn()
        await this.#dial(peer, neighbours[peer.index]!)
      }),
      this.#publishInTurn(),
    ])
    this.#announcing = this.#announceInTurn()
  }

  /** Whether everybody may have announced its record by now. */
  async announced(): Promise<void> {
    await this.#announcing
  }

  /**
   * One after the other, when all are there: that hundreds come within seconds happens to no network of machines, and each announcement
   * is heard by all.
   */
  async #announceInTurn(): Promise<void> {
    for (const peer of this.lenders) {
      if (this.#isOver) return
      await this.#unhurried.turn()
      peer.mayAnnounce()
      await pause(announceEveryMs)
    }
  }

  /** Resolves once the last may give its record out. */
  async #publishInTurn(): Promise<void> {
    const isRoom = (): boolean => this.lenders.filter(({ isPublishing }) => isPublishing).length < publishingMax
    for (const peer of this.lenders) {
      await this.#unhurried.turn()
      await until(isRoom, publishedWithinMs)
      peer.mayPublish()
    }
  }

  /** What peers know when they start: everybody, as after a restart, or one address. */
  async #beginning(): Promise<Pick<Ground, 'table' | 'bootstrap' | 'memory'>> {
    const residents = this.#residents
    if (this.#options.boot === 'cold') {
      const address = `${residents[0]!.address}/p2p/${residents[0]!.peer}`
      return { table: undefined, bootstrap: ({ index }) => (index === 0 ? [] : [address]), memory: memoryKeyValue }
    }
    const book = await AddressBook.of(residents)
    return {
      table: residents.map(({ peer }): Contact => contactOf(peer)),
      bootstrap: () => [],
      memory: ({ name }) => book.memoryOf(name),
    }
  }

  #viceContext({ index, identity, vice, clock }: LivePeer): ViceContext {
    const others = (): Resident[] => this.#residents.filter((other) => other.index !== index)
    const roles = this.#options.peers
    const victims = roles[index]?.victims
    return {
      identity,
      network: this.network,
      random: SeededRandom.of(this.#options.seed, 'live', 'vice', index),
      clock,
      others,
      accomplices: () => others().filter((other) => roles[other.index]!.vice === vice),
      victims:
        victims === undefined
          ? null
          : () => this.#residents.filter((other) => victims.includes(other.index)).map(({ peer }) => peer),
    }
  }

  /** As a host does on its own account, and paced by the host; but when all are there, and not those that came first. */
  async #dial(peer: LivePeer, neighbours: readonly number[]): Promise<void> {
    using deadline = realClock.deadline(connectedWithinMs)
    const dials = neighbours.map(async (index) => peer.host.dial(this.#residents[index]!.address, deadline.signal))
    // On a machine that is too busy some fail. Whether enough are left, the mesh tells.
    await Promise.allSettled(dials)
  }

  /** Whoever is interrupted has no time for a stop, but leaves nothing behind in the memory of the machine. */
  readonly #onExit = (): void => rmSync(this.folder, { recursive: true, force: true })

  readonly #log: Log = (level, message, facts) => {
    const error = facts?.['error']
    if (level === 'error') this.errors.push(error instanceof Error ? `${message}: ${error.message}` : message)
  }
}

function carrierOf({ carrier, seed, link, host }: LiveOptions): Carrier {
  if (carrier === 'tcp') return tcpCarrier(process.pid, host)
  return ownCarrier(new LiveNetwork(new TimerWheel(), SeededRandom.of(seed, 'live', 'net'), link))
}

/** The place of a peer that is at another's IP address, under another port. */
function sharing(own: PeerPlace, other: PeerPlace, index: number): PeerPlace {
  if (own === other) return own
  return { ip: other.ip, address: other.address.replace(/\d+$/, (port) => String(Number(port) + index)) }
}
