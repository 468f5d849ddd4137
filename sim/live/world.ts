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
import type { PeerName } from '../../protocols/wire/index.ts'
import { realClock, type Log } from '../../src/environment.ts'
import type { Executor, ExecutorProbe } from '../../src/execution/executor.ts'
import { createWasiExecutor } from '../../src/execution/wasi-executor.ts'
import { contactOf, identityFromSeed, memoryKeyValue, type Contact, type Identity } from '../../src/host/index.ts'
import { createPeer } from '../../src/node.ts'
import { SeededRandom } from '../random.ts'
import { bookEntries, type BookEntry } from './address-book.ts'
import type { Carrier, CarrierName, PeerPlace } from './carrier.ts'
import type { LinkQuality } from './link.ts'
import { LivePeer } from './live-peer.ts'
import { LiveNetwork } from './network.ts'
import { ownCarrier } from './own-carrier.ts'
import { SignatureMemo } from './signature-memo.ts'
import { tcpCarrier } from './tcp-carrier.ts'
import type { LiveNet } from './transport.ts'
import { TimerWheel } from './wheel.ts'

export const bootNames = ['fast', 'cold'] as const
export type BootName = (typeof bootNames)[number]

export interface LiveOptions {
  readonly peers: number
  readonly seed: number
  /** What carries connections; over TCP nothing is made of `link`. */
  readonly carrier: CarrierName
  readonly boot: BootName
  readonly link: LinkQuality
  /** One peer in so many lends, and has a record in the DHT. */
  readonly lendsOneIn: number
}

/** Class of the bids, as in src/node.ts. */
const bidClass = 'compute'
/** Peers that each dials; as many dial it. */
const neighbours = 5
/** Peers that start, and that dial, at the same time: enough to fill the waits for the disk, and for round trips. */
const bootingMax = 8
const diallingMax = 48
/** How long one peer may take to be connected. */
const connectedWithinMs = 15_000
const pollMs = 25
/** Linux's file system in memory. */
const memoryFolder = '/dev/shm'
/** What the folder of one peer comes to: its ledger, mostly, and what is under way to it. */
const folderBytes = 2 * 1024 * 1024

/** What a peer knows of others when it starts. */
interface Beginning {
  /** An address of the first peer. */
  readonly bootstrap: string | undefined
  /** Left out, it is to be found. */
  readonly table: readonly Contact[] | undefined
  readonly book: ReadonlyMap<PeerName, BookEntry>
}

export class LiveWorld {
  readonly network: string
  readonly carrier: Carrier
  readonly peers: LivePeer[] = []
  readonly topic: string
  /** What peers logged as errors: none is expected. */
  readonly errors: string[] = []
  readonly #options: LiveOptions
  readonly #folder: string
  readonly #random: SeededRandom
  readonly #memo = new SignatureMemo()
  /** By the numbers of the peers, which are not the order in which they came to run. */
  #places: readonly PeerPlace[] = []
  #uninstall = (): void => {}

  private constructor(options: LiveOptions, folder: string) {
    this.#options = options
    this.#folder = folder
    process.once('exit', this.#onExit)
    this.#random = SeededRandom.of(options.seed, 'live')
    this.network = `live-${options.seed}`
    this.topic = bidTopic(this.network, bidClass)
    this.carrier = carrierOf(options)
  }

  /** Resolves once every peer runs and has connections; `waitForMesh` is the next thing to do. */
  static async boot(options: LiveOptions, progress: (booted: number) => void): Promise<LiveWorld> {
    const folder = await mkdtemp(join(await parentFolder(options.peers), 'pleach-live-'))
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
    return this.peers.filter(({ lends }) => lends)
  }

  /** Signatures that were checked, and checks that were spared. */
  get checks(): SignatureMemo['counts'] {
    return this.#memo.counts
  }

  get meshDegreeMin(): number {
    return Math.min(...this.peers.map((peer) => peer.host.gossip.meshDegree(this.topic)))
  }

  /** Whether every peer came to have so many mesh neighbours on the topic of bids in time. */
  async waitForMesh(degree: number, withinMs: number): Promise<boolean> {
    return until(() => this.meshDegreeMin >= degree, withinMs)
  }

  /** Whether the record of everybody who lends came to be stored by others in time. */
  async waitForRecords(withinMs: number): Promise<boolean> {
    return until(() => this.lenders.every(({ recordIsOut }) => recordIsOut), withinMs)
  }

  async stop(): Promise<void> {
    await Promise.all(this.peers.map(async (peer) => peer.stop()))
    this.#uninstall()
    process.off('exit', this.#onExit)
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #boot(progress: (booted: number) => void): Promise<void> {
    const identities = Array.from({ length: this.#options.peers }, () =>
      this.#memo.identity(identityFromSeed(this.#random.bytes(32))),
    )
    this.#uninstall = this.#memo.install(identities[0]!.signer.publicKey)
    this.#places = await this.carrier.places(identities.length)
    const beginning = await this.#beginning(identities)
    const executor = sharedExecutor(createWasiExecutor({ clock: realClock, log: this.#log }))
    const bootOne = async (index: number): Promise<void> => {
      await this.#bootOne(index, identities[index]!, beginning, executor)
      progress(this.peers.length)
    }
    // Whom all others begin from is there first.
    await bootOne(0)
    await inTurn(identities.keys().drop(1), bootingMax, bootOne)
    if (this.#options.boot === 'fast')
      await inTurn(this.peers.values(), diallingMax, async (peer) => this.#dialSome(peer))
  }

  async #beginning(identities: readonly Identity[]): Promise<Beginning> {
    if (this.#options.boot === 'cold') {
      const bootstrap = `${this.#places[0]!.address}/p2p/${identities[0]!.peer}`
      return { bootstrap, table: undefined, book: new Map() }
    }
    const known = identities.map(({ peer }, index) => ({ peer, address: this.#places[index]!.address }))
    return {
      bootstrap: undefined,
      table: identities.map(({ peer }) => contactOf(peer)),
      book: await bookEntries(known),
    }
  }

  async #bootOne(index: number, identity: Identity, beginning: Beginning, executor: Executor): Promise<void> {
    const { bootstrap, table, book } = beginning
    const memory = memoryKeyValue()
    const place = this.#places[index]!
    const live = new LivePeer({ index, place, lends: index % this.#options.lendsOneIn === 0, identity })
    const peer = await createPeer(
      {
        network: this.network,
        reach: this.carrier.reach,
        dataDir: join(this.#folder, String(index)),
        listen: [place.address],
        bootstrap: bootstrap === undefined || index === 0 ? [] : [bootstrap],
        offer: live.offer,
        profile: 'live',
      },
      { clock: realClock, random: SeededRandom.of(this.#options.seed, 'live', index), log: this.#log },
      {
        identity: { ...identity, fresh: false },
        memory,
        executor,
        createHost: live.hostOn(this.carrier, table),
      },
    )
    live.runs(peer)
    // Not before it starts: libp2p and the host read the whole book then, to no use for a host that is told whom to dial.
    for (const [name, entry] of book) if (name !== identity.peer) entry(memory)
    this.peers.push(live)
  }

  /** As a host does on its own account, and paced by the host; but when all are there, and not those that came first. */
  async #dialSome(peer: LivePeer): Promise<void> {
    const chosen = new Set<number>([peer.index])
    while (chosen.size <= Math.min(neighbours, this.peers.length - 1))
      chosen.add(this.#random.between(0, this.peers.length - 1))
    using deadline = realClock.deadline(connectedWithinMs)
    const dials = [...chosen].filter((index) => index !== peer.index)
    await Promise.all(dials.map(async (index) => peer.host.dial(this.#places[index]!.address, deadline.signal)))
  }

  /** Whoever is interrupted has no time for a stop, but leaves nothing behind in the memory of the machine. */
  readonly #onExit = (): void => rmSync(this.#folder, { recursive: true, force: true })

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
