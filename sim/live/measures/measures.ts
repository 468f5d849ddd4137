/** Everything that a live world is measured by. Nothing of it changes what peers do; what is not started costs nothing. */
import type { PeerName } from '../../../protocols/wire/index.ts'
import { realClock } from '../../../src/environment.ts'
import { SeededRandom } from '../../random.ts'
import type { Carrier } from '../carrier.ts'
import type { LivePeer } from '../live-peer.ts'
import { FindTap } from './find-tap.ts'
import type { LiveFindings, PeerFindings } from './findings.ts'
import { GossipTap } from './gossip-tap.ts'
import { JobTap } from './job-tap.ts'
import { Phases } from './phases.ts'
import { probeBids, probeFinds } from './probes.ts'
import type { ProcessTap } from './process-tap.ts'
import { Traffic } from './traffic.ts'
import { TransferTap } from './transfer-tap.ts'

export interface MeasuredWorld {
  readonly network: string
  /** Of the bids. */
  readonly topic: string
  readonly peers: readonly LivePeer[]
  readonly carrier: Pick<Carrier, 'net' | 'wire'>
}

export interface MeasuresOptions {
  /** Of the probes. */
  readonly seed: number
  /** Where a peer is, when the scenario knows regions. */
  readonly regionOf?: (peer: LivePeer) => string | null
  /** Watched already, so that it has seen the boot. */
  readonly process: ProcessTap
}

/** Peers that have just booted tell each other what they are, and the process compiles what it has begun to use. */
const settlingMs = 5_000

export class Measures {
  readonly #world: MeasuredWorld
  readonly #regionOf: (peer: LivePeer) => string | null
  readonly #process: ProcessTap
  readonly #random: SeededRandom
  readonly #peers = new Map<PeerName, { readonly peer: LivePeer; readonly unwatch: () => void }>()
  readonly #gossip = new GossipTap(() => this.#listening(), nowMs)
  readonly #finds = new FindTap(nowMs)
  readonly #jobs = new JobTap()
  readonly #transfers = new TransferTap(nowMs)
  readonly #traffic = new Traffic()
  readonly #phases: Phases
  #startedMs = nowMs()
  #stoppedMs: number | undefined

  constructor(world: MeasuredWorld, { seed, regionOf, process }: MeasuresOptions) {
    this.#world = world
    this.#regionOf = regionOf ?? (() => null)
    this.#process = process
    this.#random = SeededRandom.of(seed, 'live', 'probes')
    this.#phases = new Phases(process, () => this.#traffic.carried(world.network))
  }

  /** From here on everything counts, of the peers that the world has; others are added. */
  start(): void {
    const { carrier, peers } = this.#world
    this.#startedMs = nowMs()
    for (const peer of peers) this.add(peer)
    carrier.wire.meter = this.#traffic
    if (carrier.net !== undefined) this.#process.wheel = carrier.net.wheel
    this.#process.counts = () => this.counts()
    this.#process.judgeFromHere()
  }

  /** One more peer. A peer that is started again is the same. */
  add(peer: LivePeer): void {
    const { name } = peer
    if (this.#peers.has(name)) return
    const unwatch = peer.watchers.add({
      onPublish: (topic, message) => {
        // Records are announced too, and are not what this is about. Of a life that was cut off nobody hears any more.
        if (topic === this.#world.topic && peer.state !== 'crashed') this.#gossip.onPublish(name, message)
      },
      onCopy: (message) => this.#gossip.onCopy(name, message),
      onFirst: (message, copy) => {
        if (copy.topic === this.#world.topic) this.#gossip.onFirst(name, message, copy)
      },
      onQuery: (kind, key) => this.#finds.onQuery(name, kind, key),
    })
    this.#peers.set(name, { peer, unwatch })
  }

  /** Nothing is done that peers do not do by themselves. Throws when it is interrupted. */
  async rest(forMs: number, signal: AbortSignal): Promise<void> {
    await this.#phases.run('settling', 0, async () => realClock.sleep(settlingMs, signal))
    await this.#phases.run('rest', 0, async () => realClock.sleep(forMs, signal))
  }

  /** Bids that nobody answers, so far apart, and a wait until they are everywhere. */
  async probeBids(bids: number, everyMs: number): Promise<void> {
    await this.#phases.run('bids', bids, async () =>
      probeBids(this.#probed(), bids, everyMs, this.#random, this.#gossip),
    )
  }

  /** Look-ups of the records of those that lend. */
  async probeFinds(lookUps: number): Promise<void> {
    await this.#phases.run('look-ups', lookUps, async () =>
      probeFinds(this.#probed(), lookUps, this.#random, this.#finds),
    )
  }

  /** Resolves once the job, which this peer asked for, is over or is not told of any more. After a restart: once again. */
  async watchJob(peer: LivePeer, job: string): Promise<void> {
    const { name, control, vice } = peer
    await this.#jobs.watch(
      { name, control, region: this.#regionOf(peer), isHonest: vice === null, isThere: () => peer.state !== 'frozen' },
      job,
    )
  }

  /** Times a put or a get. */
  async transfer<View extends { readonly bytes: number }>(
    kind: 'put' | 'get',
    work: () => Promise<View>,
  ): Promise<View> {
    return this.#transfers.time(kind, work)
  }

  /** Counters so far: for the samples of the process, and for whoever watches the run. */
  counts(): Readonly<Record<string, number>> {
    const { asked, paid, otherwise } = this.#jobs.counts
    const { coverage } = this.#gossip
    return {
      peersUp: this.#listening(),
      jobsAsked: asked,
      jobsPaid: paid,
      jobsOtherwise: otherwise,
      ...(coverage === null ? {} : { coverage }),
      sentBytes: this.#traffic.bytes,
    }
  }

  findings(): LiveFindings {
    const { network } = this.#world
    const endMs = this.#stoppedMs ?? nowMs()
    const served = this.#traffic.takenBy(`/pleach/${network}/kad/1`)
    const gossip = this.#gossip.findings()
    const finds = this.#finds.findings()
    const market = this.#jobs.findings()
    return {
      v: 1,
      forMs: endMs - this.#startedMs,
      peers: [...this.#peers.values()].map(({ peer }) => this.#findingsOf(peer, served)),
      traffic: this.#traffic.carried(network),
      gossip: gossip.copies + gossip.messages.length === 0 ? null : gossip,
      finds: finds.asked === 0 && Object.keys(finds.queries).length === 0 ? null : finds,
      market: market.jobs === 0 ? null : market,
      storage: this.#transfers.findings(),
      processes: [this.#process.findings()],
      phases: this.#phases.findings(),
      missing: { repair: 'nothing repairs yet' },
    }
  }

  /** What was measured stays, and is not added to. */
  stop(): void {
    this.#stoppedMs ??= nowMs()
    this.#jobs.stop()
    for (const { unwatch } of this.#peers.values()) unwatch()
    const { wire } = this.#world.carrier
    if (wire.meter === this.#traffic) wire.meter = undefined
  }

  #findingsOf(peer: LivePeer, served: ReadonlyMap<PeerName, number>): PeerFindings {
    const { name, lends, vice, isUp, holds } = peer
    return {
      name,
      lends,
      vice,
      region: this.#regionOf(peer),
      isUp,
      served: served.get(name) ?? 0,
      holds: Object.fromEntries(holds),
    }
  }

  #probed(): { network: string; topic: string; peers: LivePeer[] } {
    const { network, topic } = this.#world
    const peers = [...this.#peers.values()].map(({ peer }) => peer)
    return { network, topic, peers: peers.filter(({ isUp }) => isUp) }
  }

  #listening(): number {
    let count = 0
    for (const { peer } of this.#peers.values()) if (peer.isUp) count += 1
    return count
  }
}

/** Since the epoch, with a fraction; the same in all processes of a machine, but for what its clock is set by. */
function nowMs(): number {
  return performance.timeOrigin + performance.now()
}
