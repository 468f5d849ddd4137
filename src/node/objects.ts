/** The objects of this peer's owner: sealed, placed, fetched, and their keys kept. */

import {
  decodeObjectManifest,
  keyBytes,
  parseCode,
  parseObjectCapability,
  type Code,
} from '../../protocols/erasure/index.ts'
import type { TransferService } from '../../protocols/transfer/index.ts'
import type { Fault, PeerName } from '../../protocols/wire/index.ts'
import { ControlError, type GetView, type PutView } from '../control/api.ts'
import type { Clock, Files, Random } from '../environment.ts'
import type { ObjectEntry, Objects } from '../ledger/objects.ts'
import { fetchObject, NotEnoughShardsError } from '../storage/fetch.ts'
import type { Mill } from '../storage/mill.ts'
import type { PeerRates } from '../storage/peer-rates.ts'
import { placeObject, PlacementError } from '../storage/place.ts'
import { sealFile, type SealedObject } from '../storage/seal.ts'
import type { ShardStore } from '../storage/shard-store.ts'
import { peerView } from './views.ts'

/** Placement of an object that is with us alone. */
const nowhere = '[]'

export interface ObjectDeps {
  readonly self: PeerName
  readonly disk: Files
  readonly mill: Mill
  readonly clock: Clock
  readonly random: Random
  readonly objects: Objects
  readonly store: ShardStore
  readonly transfer: TransferService
  readonly rates: PeerRates
  keepers(signal: AbortSignal): Promise<readonly PeerName[]>
  readonly onFault: (peer: PeerName, fault: Fault) => void
}

/** How long inputs of jobs are kept, and objects that were put: keepers take no longer terms by default. */
export const inputsKeptMs = 2 * 60 * 60_000
const objectsKeptMs = 30 * 24 * 60 * 60_000 - 60 * 60_000
/** Once placed, an object is with its keepers; here its shards stay only until that is done. */
const ownCopyKeptMs = 60 * 60_000

export class OwnObjects {
  readonly #deps: ObjectDeps

  constructor(deps: ObjectDeps) {
    this.#deps = deps
  }

  /** Seals a file under a key of its own and remembers both. All shards are here; none is placed. */
  async seal(path: string, code: Code, keptMs: number, name: string, signal: AbortSignal): Promise<SealedObject> {
    const { random, clock, objects } = this.#deps
    const object = await sealFile(this.#deps, path, code, random.bytes(keyBytes), clock.nowMs() + keptMs, signal)
    await objects.put({
      cid: object.cid,
      key: object.key,
      manifest: object.manifest,
      placement: nowhere,
      bytes: object.bytes,
      name,
      createdMs: clock.nowMs(),
    })
    return object
  }

  /** What was sealed here, so that it can be placed again. */
  sealed(cid: string): SealedObject | undefined {
    const entry = this.#deps.objects.get(cid)
    if (entry === undefined) return undefined
    const { code, shards, shardBytes, bytes } = decodeObjectManifest(entry.manifest)
    return {
      cid,
      manifest: entry.manifest,
      key: entry.key,
      bytes,
      shardBytes,
      code: { k: code.k, m: code.m },
      roots: shards,
    }
  }

  async put(
    input: { readonly path: string; readonly code?: string; readonly name?: string },
    signal: AbortSignal,
  ): Promise<PutView> {
    const code = parseCode(input.code ?? 'keep')
    if (code === undefined) {
      throw new ControlError({
        code: 'BAD_SPEC',
        what: `${input.code ?? ''} is not an erasure code`,
        why: 'a code is K+M, or small, ship, keep, deep',
        cure: 'pleach put --code 4+2 FILE',
        exit: 2,
      })
    }
    const { store, transfer, clock, objects } = this.#deps
    const name = input.name ?? input.path.split('/').at(-1)!
    const object = await this.seal(input.path, code, ownCopyKeptMs, name, signal)
    try {
      const placed = await placeObject(
        transfer,
        store,
        object,
        await this.#deps.keepers(signal),
        clock.nowMs() + objectsKeptMs,
        signal,
      )
      const placement = JSON.stringify(placed.map(({ shard, peer }) => ({ shard, peers: [peer] })))
      await objects.put({ ...entryOf(object, name, clock.nowMs()), placement })
      const keepers = [...new Set(placed.map(({ peer }) => peer))].map(peerView)
      return { v: 1, object: object.cid, bytes: object.bytes, k: code.k, n: code.k + code.m, keepers, name }
    } catch (error) {
      if (!(error instanceof PlacementError)) throw error
      throw new ControlError({
        code: 'NO_KEEPERS',
        what: `${error.missing.length} of ${code.k + code.m} shards found no keeper`,
        why: error.message,
        cure: 'pleach offers   shows who keeps data; or take fewer shards: --code 2+1',
        exit: 4,
      })
    }
  }

  async get(input: { readonly object: string; readonly path: string }, signal: AbortSignal): Promise<GetView> {
    const entry = this.#find(input.object)
    const sources = JSON.parse(entry.placement) as { shard: number; peers: string[] }[]
    try {
      const { manifest, key } = entry
      const report = await fetchObject(this.#deps, { manifest, key, sources, path: input.path }, signal)
      return {
        v: 1,
        object: entry.cid,
        bytes: report.bytes,
        path: input.path,
        sources: report.sources.map(({ peer, bytes }) => ({ peer: peerView(peer), bytes })),
        decodedSegments: report.decodedSegments,
      }
    } catch (error) {
      if (!(error instanceof NotEnoughShardsError)) throw error
      throw new ControlError({
        code: 'NOT_ENOUGH_SHARDS',
        what: `${entry.name} cannot be read now: ${error.need} shards are needed, ${error.have} can be had`,
        why: error.message,
        cure: `wait until more keepers are back, then: pleach get ${entry.cid.slice(-8)} -o ${input.path}`,
        exit: 5,
      })
    }
  }

  #find(text: string): ObjectEntry {
    const { objects } = this.#deps
    const cid = parseObjectCapability(text)?.object ?? text
    const found = (objects.get(cid) === undefined ? objects.find(cid) : [cid])
      .map((name) => objects.get(name))
      // What was sealed for a job, or found no keepers, was never put.
      .filter((entry) => entry !== undefined && entry.placement !== nowhere)
    if (found.length === 1) return found[0]!
    throw new ControlError({
      code: 'NOT_FOUND',
      what: `${text} is no object of this peer`,
      why: 'only the peer that put an object knows its key and where its shards are',
      cure: 'ask the peer that ran: pleach put',
      exit: 2,
    })
  }
}

function entryOf(object: SealedObject, name: string, createdMs: number): Omit<ObjectEntry, 'placement'> {
  return { cid: object.cid, key: object.key, manifest: object.manifest, bytes: object.bytes, name, createdMs }
}
