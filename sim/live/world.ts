/**
 * Hundreds of real peers in this process: each is put together by the composition root of production, of production's parts.
 * What is other: the network is our own, memories are in memory, and one executor serves all.
 *
 * A fast boot: every peer begins with what a restart would have left it, an address book and a routing table, in the place of
 * finding both by asking. From there it is production's: peers are dialled, identified, and meshes form. A cold one is all
 * production's: a peer knows one address, that of the first, and nobody but itself dials for it.
 */
import { rmSync } from 'node:fs'
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { bidTopic } from '../../protocols/bid/index.ts'
import { realClock, type Log } from '../../src/environment.ts'
import type { Executor, ExecutorProbe } from '../../src/execution/executor.ts'
import { createWasiExecutor } from '../../src/execution/wasi-executor.ts'
import { contactOf, identityFromSeed, memoryKeyValue, type Contact, type Identity } from '../../src/host/index.ts'
import type { PeerPorts } from '../../src/node/ports.ts'
import { SeededRandom } from '../random.ts'
import { AddressBook } from './address-book.ts'
import type { Carrier, CarrierName, PeerPlace } from './carrier.ts'
import type { LinkQuality } from './link.ts'
import { LivePeer, type Ground } from './live-peer.ts'
import { neighboursOf } from './neighbours.ts'
import { LiveNetwork } from './network.ts'
import { ownCarrier } from './own-carrier.ts'
import { PeerStoreMemo } from './peer-store-memo.ts'
import { SignatureMemo } from './signature-memo.ts'
import { tcpCarrier } from './tcp-carrier.ts'
import type { LiveNet } from './transport.ts'
import type { KnownPeer, LiveVice, ViceContext } from './vices/index.ts'
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
  /** The number of the peer whose IP address it shares. */
  readonly at?: number
}

export const bootNames = ['fast', 'cold'] as const
export type BootName = (typeof bootNames)[number]

export interface LiveOptions {
  readonly peers: readonly LiveRole[]
  readonly seed: number
  /** What carries connections; over TCP nothing is made of `link`. */
  readonly carrier: CarrierName
  readonly boot: BootName
  readonly link: LinkQuality
  /** What runs programs; production's when left out. */
  readonly executor?: Executor
}

/** So many honest peers, of which one in `lendsOneIn` lends. */
export function plainRoles(peers: number, lendsOneIn: number): LiveRole[] {
  return Array.from({ length: peers }, (_, index) => ({ lends: index % lendsOneIn === 0, vice: null, skewMs: 0 }))
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
const publishingMax = 16
/** After this the next one has its turn, and whoever waits for the records sees that one is missing. */
const publishedWithinMs = 15_000
/** How long one peer may take to be connected. */
const connectedWithinMs = 30_000
const pollMs = 25
/** Linux's file system in memory. */
const memoryFolder = '/dev/shm'
/** What the folder of one peer comes to: its ledger, mostly, and what is under way to it. */
const folderBytes = 2 * 1024 * 1024

export class LiveWorld {
  readonly network: string
  readonly carrier: Carrier
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
  /** By the numbers of the peers, which are not the order in which they came to run. */
  #places: readonly PeerPlace[] = []
  #uninstall = (): void => {}

  private constructor(options: LiveOptions, folder: string) {
    this.#options = options
    this.folder = folder
    process.once('exit', this.#onExit)
    this.#random = SeededRandom.of(options.seed, 'live')
    this.network = `live-${options.seed}`
    this.topic = bidTopic(this.network, bidClass)
    this.carrier = carrierOf(options)
  }

  /** Resolves once every peer runs and has connections; `waitForMesh` is the next thing to do. */
  static async boot(options: LiveOptions, progress: (booted: number) => void): Promise<LiveWorld> {
    const folder = await mkdtemp(join(await parentFolder(options.peers.length), 'pleach-live-'))
    const world = new LiveWorld(options, folder)
    try {
      await world.#boot(progress)
      return world
    } catch (error) {
      await world.stop()
      throw error
    }
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

  /** Whether the record of everybody who lends came to be stored by others in time. */
  async waitForRecords(withinMs: number): Promise<boolean> {
    return until(() => this.lenders.every(({ recordIsOut }) => recordIsOut), withinMs)
  }

  /** Ends all peers, in good order where they are up. Their disks stay, to be looked at. */
  async stopPeers(): Promise<void> {
    await Promise.all(this.peers.map(async (peer) => peer.stop()))
  }

  async stop(): Promise<void> {
    await this.stopPeers()
    this.#uninstall()
    process.off('exit', this.#onExit)
    await rm(this.folder, { recursive: true, force: true })
  }

  async #boot(progress: (booted: number) => void): Promise<void> {
    const { peers: roles, seed } = this.#options
    const identities = roles.map((role) =>
      this.#memo.identity(role.identity ?? identityFromSeed(this.#random.bytes(32))),
    )
    const forget = [this.#memo.install(identities[0]!), await this.#peerStores.install()]
    this.#uninstall = () => forget.forEach((each) => each())
    const places = await this.carrier.places(identities.length)
    this.#places = places.map((place, index) => sharing(place, places[roles[index]!.at ?? index]!, index))
    const executor = this.#options.executor ?? sharedExecutor(createWasiExecutor({ clock: realClock, log: this.#log }))
    const ground: Ground = {
      network: this.network,
      seed,
      carrier: this.carrier,
      folder: this.folder,
      executor,
      log: this.#log,
      ports: (_peer: LivePeer, ports: PeerPorts) => ports,
      viceContext: (peer) => this.#viceContext(peer),
      ...(await this.#beginning(identities)),
    }
    const peers = roles.map(
      (role, index) =>
        new LivePeer(ground, { ...role, index, place: this.#places[index]!, identity: identities[index]! }),
    )
    const start = async (peer: LivePeer): Promise<void> => {
      await peer.start()
      this.peers.push(peer)
      progress(this.peers.length)
    }
    if (this.#options.boot === 'cold') for (const peer of peers) peer.mayPublish()
    // Whom all others begin from is there first.
    const [first, ...others] = peers
    await start(first!)
    await inTurn(others.values(), bootingMax, start)
    this.peers.sort((left, right) => left.index - right.index)
    if (this.#options.boot === 'fast') await this.#join()
  }

  /** What peers that know each other do next, once all are there: one's dials fill the waits of another's record. */
  async #join(): Promise<void> {
    const neighbours = neighboursOf(this.peers.length, dialsEach, this.#random)
    await Promise.all([
      inTurn(this.peers.values(), diallingMax, async (peer) => this.#dial(peer, neighbours[peer.index]!)),
      inTurn(this.lenders.values(), publishingMax, async (peer) => {
        peer.mayPublish()
        await until(() => peer.recordIsOut, publishedWithinMs)
      }),
    ])
  }

  /** What peers know when they start: everybody, as after a restart, or one address. */
  async #beginning(identities: readonly Identity[]): Promise<Pick<Ground, 'table' | 'bootstrap' | 'memory'>> {
    if (this.#options.boot === 'cold') {
      const address = `${this.#places[0]!.address}/p2p/${identities[0]!.peer}`
      return { table: undefined, bootstrap: ({ index }) => (index === 0 ? [] : [address]), memory: memoryKeyValue }
    }
    const known = identities.map(({ peer }, index) => ({ peer, address: this.#places[index]!.address }))
    const book = await AddressBook.of(known)
    return {
      table: identities.map(({ peer }): Contact => contactOf(peer)),
      bootstrap: () => [],
      memory: ({ name }) => book.memoryOf(name),
    }
  }

  #viceContext({ index, identity, vice, clock }: LivePeer): ViceContext {
    const others = (): LivePeer[] => this.peers.filter((other) => other.index !== index)
    const knownAs = ({ name, place }: LivePeer): KnownPeer => ({ peer: name, address: place.address })
    const victims = this.#options.peers[index]?.victims
    return {
      identity,
      network: this.network,
      random: SeededRandom.of(this.#options.seed, 'live', 'vice', index),
      clock,
      others: () => others().map(knownAs),
      accomplices: () =>
        others()
          .filter((other) => other.vice === vice)
          .map(knownAs),
      victims:
        victims === undefined
          ? null
          : () => this.peers.filter((other) => victims.includes(other.index)).map(({ name }) => name),
    }
  }

  /** As a host does on its own account, and paced by the host; but when all are there, and not those that came first. */
  async #dial(peer: LivePeer, neighbours: readonly number[]): Promise<void> {
    using deadline = realClock.deadline(connectedWithinMs)
    const dials = neighbours.map(async (index) => peer.host.dial(this.#places[index]!.address, deadline.signal))
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

/**
 * Where the ledgers of all peers are: in memory where there is room for them. They wait for the disk at every statement, and
 * hundreds that wait for one disk would be a measurement of that disk.
 */
async function parentFolder(peers: number): Promise<string> {
  const { bavail, bsize } = await statfs(memoryFolder).catch(() => ({ bavail: 0, bsize: 0 }))
  return bavail * bsize > peers * folderBytes ? memoryFolder : tmpdir()
}

function carrierOf({ carrier, seed, link }: LiveOptions): Carrier {
  if (carrier === 'tcp') return tcpCarrier(process.pid)
  return ownCarrier(new LiveNetwork(new TimerWheel(), SeededRandom.of(seed, 'live', 'net'), link))
}

/** The place of a peer that is at another's IP address, under another port. */
function sharing(own: PeerPlace, other: PeerPlace, index: number): PeerPlace {
  if (own === other) return own
  return { ip: other.ip, address: other.address.replace(/\d+$/, (port) => String(Number(port) + index)) }
}

/** The machine is the same for all, so it is tried once. */
function sharedExecutor(executor: Executor): Executor {
  let probe: Promise<ExecutorProbe> | undefined
  return { ...executor, probe: async () => (probe ??= executor.probe()) }
}

/** Does `work` for all items, so many at a time. They share the iterator: each takes what is next. */
async function inTurn<Item>(items: Iterator<Item>, atOnce: number, work: (item: Item) => Promise<void>): Promise<void> {
  const some = async (): Promise<void> => {
    for (let next; (next = items.next()).done !== true;) await work(next.value)
  }
  await Promise.all(Array.from({ length: atOnce }, some))
}

async function until(holds: () => boolean, withinMs: number): Promise<boolean> {
  using deadline = realClock.deadline(withinMs)
  while (!holds()) {
    if (deadline.signal.aborted) return false
    await realClock.sleep(pollMs, new AbortController().signal)
  }
  return true
}
