/** The third way to the records of others: the bulletin, where each is under its owner's key, and adverts name some of the owners. */
import { capabilityNamespace, type KnownCapability } from '../../protocols/capability/index.ts'
import { Fault, publicKeyOf, type Bulletin, type PeerName } from '../../protocols/wire/index.ts'
import type { Log } from '../environment.ts'
import type { RecordIndex } from './record-index.ts'

export interface DirectoryDeps {
  readonly bulletin: Bulletin
  readonly self: PeerName
  /** Where what is read goes. */
  readonly index: RecordIndex
  readonly log: Log
}

/** Look-ups of records under way at once. */
const fetchesMax = 8

export class Directory {
  readonly #deps: DirectoryDeps

  constructor(deps: DirectoryDeps) {
    this.#deps = deps
  }

  /** Asks the bulletin who advertises `advert`, and reads their records. Resolves with those that stand. */
  async find(advert: string, limit: number, signal: AbortSignal): Promise<KnownCapability[]> {
    const found: KnownCapability[] = []
    const fetches = new Set<Promise<void>>()
    try {
      for await (const peer of this.#deps.bulletin.find(advert, limit, signal)) {
        if (peer === this.#deps.self) continue
        const fetch = this.fetch(peer, signal).then((record) => {
          fetches.delete(fetch)
          if (record !== undefined) found.push(record)
        })
        fetches.add(fetch)
        if (fetches.size >= fetchesMax) await Promise.race(fetches)
      }
    } catch (error) {
      // A query that ran out of time has still found what it has found.
      if (!signal.aborted) throw error
    }
    await Promise.all(fetches)
    return found
  }

  /** The record of one peer that stands, from the bulletin; what is known already when the bulletin has none. */
  async fetch(peer: PeerName, signal: AbortSignal): Promise<KnownCapability | undefined> {
    const { bulletin, index, log } = this.#deps
    try {
      const envelope = await bulletin.get(capabilityNamespace, publicKeyOf(peer), signal)
      if (envelope !== undefined) index.take(peer, envelope)
    } catch (error) {
      if (error instanceof Fault) log('debug', 'an unlawful record was read', { peer, error })
      else if (!signal.aborted) log('debug', 'a record could not be read', { peer, error })
    }
    return index.get(peer)
  }
}
