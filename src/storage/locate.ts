/** Where an object is, for whoever has nothing but its CID: from those who let themselves be found for it, and from the DHT. */
import { decodeObjectManifest, type ObjectManifest } from '../../protocols/erasure/index.ts'
import {
  newestVersions,
  objectAdvert,
  pagesMax,
  placementKey,
  placementNamespace,
  openPlacement,
  type Dossier,
  type PlacementService,
  type Version,
} from '../../protocols/placement/index.ts'
import { Fault, RefusedError, type Bulletin, type PeerName, type Signer } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'

export interface LocateDeps {
  readonly self: PeerName
  readonly bulletin: Pick<Bulletin, 'get' | 'find'>
  readonly placement: Pick<PlacementService, 'ask'>
  readonly signer: Pick<Signer, 'verify'>
  readonly network: string
  readonly clock: Clock
  /** What is known here: as a keeper of it, or as its owner. */
  known(object: string): Promise<Dossier | undefined>
  onFault(peer: PeerName, fault: Fault): void
}

export interface Located {
  readonly manifest: Uint8Array
  readonly decoded: ObjectManifest
  /** The newest first. */
  readonly versions: readonly Version[]
  /** Who has shards without a promise: of use to a reader, and no place. */
  readonly cached: readonly CachedAt[]
}

export interface CachedAt {
  readonly shard: number
  readonly peer: PeerName
}

/** Nobody who could be asked knows the object, or nobody could be asked. */
export class ObjectNotFoundError extends Error {
  override readonly name = 'ObjectNotFoundError'

  constructor(found: number, asked: readonly string[]) {
    const who = found === 0 ? 'nobody lets itself be found for it' : `${found} let themselves be found for it`
    super(asked.length === 0 ? who : `${who}; ${asked.join('; ')}`)
  }
}

/** How long a look may take, and one who is asked: what one does not say another does. */
const lookWithinMs = 20_000
const askWithinMs = 4_000
/** Once the object is known and all have been asked, the DHT is waited for as long as it goes on naming others: its silent peers take 10 s. */
const quietMs = 2_000
/** Peers that are found, and that are asked at all: a lying record names who it likes. */
const foundMax = 20
const askedMax = 32
/** Questions at once, and dossiers that are enough when it need not be the newest. */
const questionsMax = 8
const enough = 3

/** `thorough` asks everybody who may know something newer. Rejects with ObjectNotFoundError, or the reason of `signal`. */
export async function locateObject(
  deps: LocateDeps,
  object: string,
  thorough: boolean,
  signal: AbortSignal,
): Promise<Located> {
  const search = new Search(deps, object, thorough)
  using deadline = deps.clock.deadline(lookWithinMs, signal)
  await search.run(deadline.signal)
  signal.throwIfAborted()
  return search.result()
}

class Search {
  readonly #deps: LocateDeps
  readonly #object: string
  readonly #thorough: boolean
  readonly #envelopes: Uint8Array[] = []
  readonly #asked = new Set<PeerName>()
  readonly #queue: PeerName[] = []
  readonly #failures: string[] = []
  readonly #cached: CachedAt[] = []
  #manifest: Uint8Array | undefined
  #dossiers = 0
  #found = 0

  constructor(deps: LocateDeps, object: string, thorough: boolean) {
    this.#deps = deps
    this.#object = object
    this.#thorough = thorough
    this.#asked.add(deps.self)
  }

  async run(signal: AbortSignal): Promise<void> {
    const known = await this.#deps.known(this.#object)
    if (known !== undefined) this.#take(known, this.#deps.self)
    const questions = new Set<Promise<void>>()
    const query = new AbortController()
    const onAbort = (): void => query.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    let cancel = (): void => {}
    const wait = (): void => {
      cancel()
      cancel = this.#deps.clock.after(quietMs, () => {
        if (this.#manifest !== undefined && questions.size === 0) query.abort()
      })
    }
    const ask = (): void => {
      wait()
      while (questions.size < questionsMax && !this.#isEnough) {
        const peer = this.#queue.shift()
        if (peer === undefined) break
        const question = this.#ask(peer, signal).finally(() => {
          questions.delete(question)
          ask()
        })
        questions.add(question)
      }
    }
    ask()
    try {
      const advert = objectAdvert(this.#deps.network, this.#object)
      for await (const peer of this.#deps.bulletin.find(advert, foundMax, query.signal)) {
        this.#found++
        this.#enqueue(peer)
        ask()
        if (questions.size >= questionsMax) await Promise.race(questions)
        if (this.#isEnough) break
      }
    } catch (error) {
      // A query that ran out of time has still found what it has found.
      if (!query.signal.aborted) this.#failures.push((error as Error).message)
    }
    while (questions.size > 0) await Promise.race(questions)
    cancel()
    signal.removeEventListener('abort', onAbort)
  }

  result(): Located {
    const { signer, network, clock } = this.#deps
    if (this.#manifest === undefined) throw new ObjectNotFoundError(this.#found, this.#failures)
    const versions = newestVersions(signer, network, this.#object, this.#envelopes, clock.nowMs())
    const decoded = decodeObjectManifest(this.#manifest)
    const cached = this.#cached.filter(({ shard }) => shard < decoded.shards.length)
    return { manifest: this.#manifest, decoded, versions, cached }
  }

  get #isEnough(): boolean {
    return !this.#thorough && this.#manifest !== undefined && this.#dossiers >= enough
  }

  #enqueue(peer: PeerName): void {
    if (this.#asked.has(peer) || this.#asked.size > askedMax) return
    this.#asked.add(peer)
    this.#queue.push(peer)
  }

  async #ask(peer: PeerName, until: AbortSignal): Promise<void> {
    using deadline = this.#deps.clock.deadline(askWithinMs, until)
    const { signal } = deadline
    await Promise.all([this.#askDossier(peer, signal), this.#readRecords(peer, signal)])
  }

  async #askDossier(peer: PeerName, signal: AbortSignal): Promise<void> {
    try {
      this.#take(await this.#deps.placement.ask(peer, this.#object, signal), peer)
      this.#dossiers++
    } catch (error) {
      if (error instanceof Fault) this.#deps.onFault(peer, error)
      this.#failures.push(`${peer.slice(-6)}: ${error instanceof RefusedError ? error.code : (error as Error).message}`)
    }
  }

  /** What this peer wrote itself. A keeper that only serves a dossier wrote nothing, which costs one look-up. */
  async #readRecords(writer: PeerName, signal: AbortSignal): Promise<void> {
    const { bulletin, signer, network, clock } = this.#deps
    try {
      for (let [page, pages] = [0, 1]; page < Math.min(pages, pagesMax); page++) {
        const envelope = await bulletin.get(placementNamespace, placementKey(this.#object, writer, page), signal)
        if (envelope === undefined) return
        pages = openPlacement(signer, network, envelope, clock.nowMs()).body.pages
        this.#learn([envelope])
      }
    } catch {
      // No record, or none that is lawful: the dossiers say the same.
    }
  }

  #take({ manifest, records, cached = [] }: Dossier, from: PeerName): void {
    this.#manifest ??= manifest
    for (const shard of cached) this.#cached.push({ shard, peer: from })
    this.#learn(records)
  }

  /** Keepers that a record names may know of a newer one. */
  #learn(records: readonly Uint8Array[]): void {
    const { signer, network, clock } = this.#deps
    this.#envelopes.push(...records)
    for (const { places, writer } of newestVersions(signer, network, this.#object, records, clock.nowMs())) {
      this.#enqueue(writer)
      for (const { keeper } of places) this.#enqueue(keeper)
    }
  }
}
