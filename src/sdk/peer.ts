/** A peer inside a program: in memory by default, gone without a trace when it is disposed of. */
import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { workersByDefault } from '../config/capacity.ts'
import {
  plainRelay,
  type BandwidthOptions,
  type OfferOptions,
  type Reach,
  type RelayOptions,
} from '../config/options.ts'
import { reachOf } from '../config/resolve.ts'
import { cpuHourMicroDefault, networkDefault, unitDefault, wallMsMaxDefault } from '../config/settings.ts'
import {
  ControlError,
  type EstimateView,
  type MatchExplanation,
  type PeerControl,
  type PeersView,
} from '../control/api.ts'
import { realClock, realRandom, silentLog, type Log, type Random } from '../environment.ts'
import { createPeer as assemblePeer, type MakeLibp2p, type Peer } from '../node.ts'
import { Job, type Cancellable } from './job.ts'
import {
  providersIn,
  noContainers,
  runSpecOf,
  wishOfRequirements,
  type ContainerRequest,
  type Deployment,
  type Provider,
  type ProviderRequirements,
} from './providers.ts'
import { StatusPage } from './status-page.ts'
import { jobSpecOf, modulePath, wishOf, type ProviderWish, type RunSpec } from './run-spec.ts'

export interface CreatePeerOptions extends Cancellable {
  /** Peers of different networks do not hear each other. */
  readonly network?: string
  /** Multiaddrs of peers to begin from. */
  readonly bootstrap?: readonly string[]
  /** Multiaddrs; without, as far as `bootstrap` reaches: 127.0.0.1 alone, or all addresses, any free port. */
  readonly listen?: readonly string[]
  readonly reach?: Reach
  /** Where the key and the data are kept. Left out: a temporary folder, removed when the peer stops. */
  readonly dataDir?: string
  /** What is lent to others; left out: nothing. */
  readonly offer?: Partial<OfferOptions>
  readonly bandwidth?: BandwidthOptions
  /** Whether it is a relay for peers behind NATs, and which it uses itself. Left out: none, and those that it needs. */
  readonly relay?: Partial<RelayOptions>
  /** Disk space for what was read, to be given to others. */
  readonly cacheBytes?: number
  /** Threads that encrypt, code and hash. */
  readonly workers?: number
  /**
   * Makes the libp2p node, of the options that it is given and of more: `(options) => createLibp2p({ ...options, metrics: … })`. Rejects with
   * LIBP2P_UNFIT when what the peer rests on is not in it.
   */
  readonly libp2p?: MakeLibp2p
  /** Left out: silence. */
  readonly log?: Log
  /** Chance; for tests. Whoever knows it knows the peer's key. */
  readonly random?: Random
}

const gib = 2 ** 30
const offerDefault: OfferOptions = {
  cpuMilli: 1_000,
  memoryBytes: gib,
  keepBytes: gib,
  cpuHourMicro: cpuHourMicroDefault,
  unit: unitDefault,
  wallMsMax: wallMsMaxDefault,
}

/** Resolves when the peer can be used. Throws a ControlError, or the error of src/host for what this machine does not allow. */
export async function createPeer(options: CreatePeerOptions = {}): Promise<EmbeddedPeer> {
  const { network = networkDefault, bootstrap = [], offer, bandwidth, cacheBytes, signal } = options
  signal?.throwIfAborted()
  // None to begin from is as far as this machine.
  const reachOfOthers = reachOf(bootstrap)
  const listen = options.listen ?? [`/ip4/${reachOfOthers === 'loopback' ? '127.0.0.1' : '0.0.0.0'}/tcp/0`]
  const own = options.dataDir === undefined ? await mkdtemp(join(tmpdir(), 'pleach-')) : undefined
  const dataDir = own ?? resolve(options.dataDir!)
  const remove = async (): Promise<void> => {
    if (own !== undefined) await rm(own, { recursive: true, force: true })
  }
  let peer: Peer | undefined
  try {
    peer = await assemblePeer(
      {
        network,
        reach: options.reach ?? (options.listen === undefined ? reachOfOthers : reachOf(listen)),
        dataDir,
        listen,
        bootstrap,
        offer: offer === undefined ? null : { ...offerDefault, ...offer },
        ...(bandwidth === undefined ? {} : { bandwidth }),
        relay: { ...plainRelay, ...options.relay },
        ...(cacheBytes === undefined ? {} : { cacheBytes }),
        workers: options.workers ?? workersByDefault({ cores: availableParallelism() }),
        profile: 'embedded',
      },
      { clock: realClock, random: options.random ?? realRandom, log: options.log ?? silentLog },
      options.libp2p === undefined ? {} : { libp2p: options.libp2p },
    )
    await peer.ready(signal ?? new AbortController().signal)
    signal?.throwIfAborted()
    return new EmbeddedPeer(peer, dataDir, remove)
  } catch (error) {
    await peer?.stop()
    await remove()
    throw error
  }
}

export class EmbeddedPeer implements AsyncDisposable {
  readonly id: string
  readonly petname: string
  /** All that the command line can ask of a peer. */
  readonly control: PeerControl
  readonly #peer: Peer
  readonly #dataDir: string
  readonly #remove: () => Promise<void>
  readonly #ending = new AbortController()
  #stopping: Promise<void> | undefined
  #statusPage: Promise<StatusPage> | undefined

  constructor(peer: Peer, dataDir: string, remove: () => Promise<void>) {
    this.id = peer.name
    this.petname = peer.petname
    this.control = peer.control
    this.#peer = peer
    this.#dataDir = dataDir
    this.#remove = remove
  }

  /** Multiaddrs: what others begin from. */
  addresses(): string[] {
    return this.#peer.addresses()
  }

  /**
   * Asks for a job. Resolves once it is written down, and everything that it names has been read; the job then goes its way until it is
   * done or cancelled. Throws a ControlError, such as BAD_SPEC or NO_SUCH_FILE.
   */
  async run(spec: RunSpec, { signal }: Cancellable = {}): Promise<Job> {
    const until = this.#until(signal)
    until.throwIfAborted()
    const { module } = spec
    if (!(module instanceof Uint8Array)) {
      const { id } = await this.control.submit(
        jobSpecOf(spec, module === undefined ? undefined : modulePath(module)),
        until,
      )
      return this.job(id)
    }
    const folder = join(this.#dataDir, 'modules')
    const path = join(folder, `${randomUUID()}.wasm`)
    await mkdir(folder, { recursive: true })
    try {
      await writeFile(path, module)
      const { id } = await this.control.submit(jobSpecOf({ name: 'module', ...spec }, path), until)
      return this.job(id)
    } finally {
      await rm(path, { force: true })
    }
  }

  /** A job of ours, by its id. */
  job(id: string): Job {
    return new Job(id, this.control, this.#ending.signal)
  }

  /** What a job would come to; binds nobody. */
  async estimate(wish: ProviderWish, { signal }: Cancellable = {}): Promise<EstimateView> {
    return this.control.estimate({ module: '', ...wishOf(wish) }, this.#until(signal))
  }

  /** Best standing first; empty when none fits: `explain` says why. */
  async findProviders(requirements: ProviderRequirements = {}, { signal }: Cancellable = {}): Promise<Provider[]> {
    const wish = wishOfRequirements(requirements)
    return providersIn(await this.control.findOffers(wish, true, this.#until(signal)), requirements)
  }

  /** What speaks against the providers that are known, first by first, and what would have to give. */
  async explain(requirements: ProviderRequirements = {}, { signal }: Cancellable = {}): Promise<MatchExplanation> {
    const wish = wishOfRequirements(requirements)
    return (await this.control.findOffers(wish, false, this.#until(signal))).explanation
  }

  /** Runs an image at a provider. Rejects with a ControlError: BAD_SPEC, or NO_CONTAINER_RUNTIME when that provider has none. */
  async deployContainer(request: ContainerRequest, { signal }: Cancellable = {}): Promise<Deployment> {
    const spec = runSpecOf(request)
    const until = this.#until(signal)
    const { offers } = await this.control.findOffers({ runtime: 'oci', allow: [request.providerId] }, true, until)
    if (!offers.some(({ peer, runtimes }) => peer === request.providerId && runtimes.includes('oci')))
      throw noContainers(request)
    const job = await this.run(spec, { signal: until })
    this.#statusPage ??= StatusPage.open(this.control, randomUUID())
    return { job, statusUrl: (await this.#statusPage).urlOf(job.id) }
  }

  /** Connects to a peer by its multiaddr. Rejects with a ControlError ADDRESS_INVALID or UNREACHABLE. */
  async join(address: string, { signal }: Cancellable = {}): Promise<PeersView> {
    return this.control.join(address, this.#until(signal))
  }

  /** In good order, within ten seconds; all that waits rejects with PEER_STOPPING. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(): Promise<void> {
    this.#ending.abort(
      new ControlError({
        code: 'PEER_STOPPING',
        what: 'the peer is stopping',
        why: 'its program stopped it',
        cure: 'wait for what is to be done before peer.stop(), or the end of its await using',
        exit: 5,
      }),
    )
    await this.#statusPage?.then(
      (page) => page.close(),
      () => {},
    )
    await this.#peer.stop()
    await this.#remove().catch(() => {})
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#ending.signal : AbortSignal.any([signal, this.#ending.signal])
  }
}
