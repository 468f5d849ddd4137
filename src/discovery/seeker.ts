/**
 * Looks for who can do something: in the index first, which costs nothing; then those it has doubts about are asked whether they live, and
 * neighbours for whom they know; and the DHT when nobody was found. What one look costs others is bounded.
 */
import type { KnownCapability } from '../../protocols/capability/index.ts'
import {
  advertsFor,
  capabilityTopic,
  exchangesPerQueryMax,
  recordsPerAnswerMax,
  type DiscoverService,
  type Want,
} from '../../protocols/discover/index.ts'
import { Fault, type PeerName } from '../../protocols/wire/index.ts'
import type { Clock, Log, Random } from '../environment.ts'
import type { Directory } from './directory.ts'
import type { RecordIndex } from './record-index.ts'

export interface SeekerDeps {
  readonly index: RecordIndex
  readonly directory: Pick<Directory, 'find'>
  readonly discover: Pick<DiscoverService, 'ask'>
  /** Who can be asked at once: those that are connected. */
  readonly neighbours: () => readonly PeerName[]
  readonly network: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly onFault: (peer: PeerName, fault: Fault) => void
}

/** Neighbours asked at once; what is left of a look's exchanges goes to others when these are silent, or to peers whose lives are in doubt. */
const neighboursAskedMax = 3
/** Who says nothing for so long is not waited for: a connection outlives its peer. */
const patienceMs = 2_000
/** Somebody was found, but fewer than were wanted: neighbours are not asked for more again for so long. */
const askAgainMs = 10_000
/** With fewer than these, of as many as are wanted, the DHT is asked too: who has just come may have met nobody who knows. */
const fewRecords = 4
/** Answers that are wanted of one name in the DHT: it has no more. */
const providersMax = 20
const dhtWithinMs = 5_000
/** Peers asked in the background whether they live: in one round, at once, and how long until the next. */
const freshenMax = 64
const freshenAtOnce = 8
const freshenEveryMs = 10_000

/**
 * Who can be asked at once. Gossip's mesh of records: each peer has about as many neighbours there as any other, and is asked as often;
 * connections lead to those that many know. While the mesh is thin, whoever is connected.
 */
export function neighboursOf(
  host: {
    meshPeers(topic: string): readonly PeerName[]
    connections(): readonly { readonly peer: PeerName }[]
  },
  network: string,
): readonly PeerName[] {
  const inMesh = host.meshPeers(capabilityTopic(network))
  return inMesh.length >= neighboursAskedMax ? inMesh : [...new Set(host.connections().map(({ peer }) => peer))]
}

export class Seeker {
  readonly #deps: SeekerDeps
  /** When neighbours were last asked for more of each kind. */
  readonly #askedMs = new Map<Want['kind'], number>()
  #freshenedMs = -Infinity
  readonly #stop = new AbortController()
  #freshening: Promise<void> | undefined

  constructor(deps: SeekerDeps) {
    this.#deps = deps
  }

  /**
   * Records that fit, of peers that live as far as is known; the order is chance's. With `limit` of them in the index nobody is asked.
   * Does not reject: what was found until the signal fires is found.
   */
  async find(want: Want, limit: number, signal: AbortSignal): Promise<KnownCapability[]> {
    const { index } = this.#deps
    const look = new Look(() => index.pick(want).alive.length >= limit, signal)
    if (!look.isOver) {
      let left = exchangesPerQueryMax
      left -= await this.#probe(want, limit, left - neighboursAskedMax, look)
      if (!look.isOver) left -= await this.#askNeighbours(want, left, look)
      if (!look.isOver) await this.#probe(want, limit, left, look)
      if (index.pick(want).alive.length < Math.min(limit, fewRecords)) await this.#askDht(want, signal)
    }
    return this.#shuffled(index.pick(want).alive).slice(0, limit)
  }

  /** Asks neighbours what there is, for who has just come. */
  async fill(signal: AbortSignal): Promise<void> {
    const look = new Look(() => false, signal)
    await this.#askInTurn({ kind: 'anybody' }, exchangesPerQueryMax, look)
  }

  /** Asks, in the background, those whose lives are in doubt: somebody wants to see all that there are. */
  freshen(): void {
    const { clock, index } = this.#deps
    const isDue = clock.monotonicMs() - this.#freshenedMs >= freshenEveryMs
    if (!isDue || this.#freshening !== undefined || this.#stop.signal.aborted) return
    this.#freshenedMs = clock.monotonicMs()
    const queue = this.#shuffled(index.pick({ kind: 'anybody' }).doubtful).slice(0, freshenMax)
    const worker = async (): Promise<void> => {
      for (let record; (record = queue.pop()) !== undefined;) await this.#isThere(record.peer, this.#stop.signal)
    }
    const workers = Array.from({ length: freshenAtOnce }, worker)
    this.#freshening = Promise.all(workers).then(() => {
      this.#freshening = undefined
    })
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the peer stops'))
    await this.#freshening
  }

  /** Asks some of those in doubt, no more than are wanted. Resolves with how many were asked. */
  async #probe(want: Want, limit: number, most: number, look: Look): Promise<number> {
    const { alive, doubtful } = this.#deps.index.pick(want)
    const asked = this.#shuffled(doubtful).slice(0, Math.max(0, Math.min(most, limit - alive.length)))
    await Promise.all(
      asked.map(async ({ peer }) => {
        await this.#isThere(peer, look.signal)
        look.judge()
      }),
    )
    return asked.length
  }

  async #isThere(peer: PeerName, signal: AbortSignal): Promise<void> {
    const { index } = this.#deps
    using patience = this.#deps.clock.deadline(patienceMs, signal)
    const envelopes = await this.#askOne(peer, { kind: 'yourself' }, 1, patience.signal)
    if (signal.aborted) return
    // Who has no record of its own any more lends nothing.
    if (envelopes === undefined || envelopes.length === 0) return index.miss(peer)
    this.#take(peer, envelopes, peer)
    index.prove(peer)
  }

  async #askNeighbours(want: Want, most: number, look: Look): Promise<number> {
    const { index, clock } = this.#deps
    const { alive } = index.pick(want)
    const isSoon = clock.monotonicMs() - (this.#askedMs.get(want.kind) ?? -Infinity) < askAgainMs
    if (alive.length > 0 && isSoon) return 0
    this.#askedMs.set(want.kind, clock.monotonicMs())
    return this.#askInTurn(want, most, look)
  }

  /** Some neighbours, and others as long as all of those were silent. Resolves with how many were asked. */
  async #askInTurn(want: Want, most: number, look: Look): Promise<number> {
    const queue = this.#shuffled(this.#deps.neighbours()).slice(0, most)
    let asked = 0
    for (let answered = 0; answered === 0 && queue.length > 0 && !look.isOver;) {
      const some = queue.splice(0, neighboursAskedMax)
      asked += some.length
      answered = await this.#ask(some, want, look)
    }
    return asked
  }

  /** Resolves with how many answered. */
  async #ask(peers: readonly PeerName[], want: Want, look: Look): Promise<number> {
    const answers = await Promise.all(
      peers.map(async (peer) => {
        using patience = this.#deps.clock.deadline(patienceMs, look.signal)
        const envelopes = await this.#askOne(peer, want, recordsPerAnswerMax, patience.signal)
        this.#take(peer, envelopes ?? [])
        look.judge()
        return envelopes
      }),
    )
    return answers.filter((answer) => answer !== undefined).length
  }

  async #askDht(want: Want, signal: AbortSignal): Promise<void> {
    const { clock, directory, network, log } = this.#deps
    using deadline = clock.deadline(dhtWithinMs, signal)
    const adverts = advertsFor(network, want)
    await Promise.all(
      adverts.map(async (advert) => {
        try {
          const found = await directory.find(advert, providersMax, deadline.signal)
          // They were read, and their owners may be long gone; of those it is in doubt.
          await Promise.all(
            found
              .filter(({ peer }) => !this.#deps.index.isAlive(peer))
              .slice(0, neighboursAskedMax)
              .map(async ({ peer }) => this.#isThere(peer, deadline.signal)),
          )
        } catch (error) {
          log('debug', 'the DHT did not say who can', { advert, error })
        }
      }),
    )
  }

  /** Undefined: it did not answer. */
  async #askOne(
    peer: PeerName,
    want: Want,
    recordsMax: number,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[] | undefined> {
    const { discover, log, onFault } = this.#deps
    try {
      return await discover.ask(peer, want, recordsMax, signal)
    } catch (error) {
      if (error instanceof Fault) onFault(peer, error)
      else log('debug', 'a query was not answered', { peer, want: want.kind, error })
      return undefined
    }
  }

  /** What an answer says, as far as it is true: who hands on a record has checked it. `of`: whose it must be. */
  #take(from: PeerName, envelopes: readonly Uint8Array[], of?: PeerName): void {
    const { index, onFault } = this.#deps
    for (const envelope of envelopes) {
      try {
        if (of === undefined) index.takeAny(envelope)
        else index.take(of, envelope)
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        // It may have expired on its way.
        if (error.code !== 'FIELD_INVALID') return onFault(from, error)
      }
    }
  }

  #shuffled<Item>(items: readonly Item[]): Item[] {
    return items
      .map((item) => ({ item, dice: this.#deps.random.float() }))
      .toSorted((left, right) => left.dice - right.dice)
      .map(({ item }) => item)
  }
}

/** One look, which is over as soon as it has found enough: who answers last is not waited for. */
class Look {
  readonly #hasEnough: () => boolean
  readonly #enough = new AbortController()
  /** Fires when it is over. */
  readonly signal: AbortSignal

  constructor(hasEnough: () => boolean, signal: AbortSignal) {
    this.#hasEnough = hasEnough
    this.signal = AbortSignal.any([signal, this.#enough.signal])
    this.judge()
  }

  get isOver(): boolean {
    return this.signal.aborted
  }

  judge(): void {
    if (!this.isOver && this.#hasEnough()) this.#enough.abort(new Error('enough was found'))
  }
}
