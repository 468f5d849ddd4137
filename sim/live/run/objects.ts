/** The objects of a live run: put by their owners before things go wrong, and fetched afterwards, to the byte. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { realClock } from '../../../src/environment.ts'
import { SeededRandom } from '../../random.ts'
import type { LivePeer } from '../live-peer.ts'
import type { LivePlan, PlannedObject } from './plan.ts'

export interface ObjectOutcome {
  readonly plan: PlannedObject
  /** Null: it was put, fetched, and is what it was to the byte; otherwise what went wrong. */
  readonly code: string | null
}

export interface ObjectsDeps {
  readonly plan: LivePlan
  readonly folder: string
  /** Whether a peer is in this process. */
  readonly isMine: (index: number) => boolean
  readonly peer: (index: number) => LivePeer
  /** Around every transfer, to measure it. */
  readonly timed: <View extends { readonly bytes: number }>(
    kind: 'put' | 'get',
    work: () => Promise<View>,
  ) => Promise<View>
}

/** An object that was put, or was to be. */
interface StoredObject {
  readonly plan: PlannedObject
  /** Null: it could not be put; then `code` says why. */
  readonly object: string | null
  readonly code: string
  readonly sha256: string
}

const pieceBytes = 1024 * 1024
const transferWithinMs = 120_000

export class Objects {
  readonly #deps: ObjectsDeps
  #stored: readonly StoredObject[] = []

  constructor(deps: ObjectsDeps) {
    this.#deps = deps
  }

  async put(signal: AbortSignal): Promise<void> {
    const { plan, isMine } = this.#deps
    const own = plan.objects.filter(({ owner }) => isMine(owner))
    this.#stored = await Promise.all(own.map(async (object) => this.#put(object, signal)))
  }

  /** By who put it: nobody else has its key. */
  async get(signal: AbortSignal): Promise<ObjectOutcome[]> {
    return Promise.all(
      this.#stored.map(async ({ plan, object, code, sha256 }) => ({
        plan,
        code: object === null ? `PUT ${code}` : await this.#get(object, sha256, plan, signal),
      })),
    )
  }

  async #put(plan: PlannedObject, signal: AbortSignal): Promise<StoredObject> {
    const { peer, timed, folder } = this.#deps
    const path = join(folder, `object-${plan.index}`)
    const sha256 = await this.#write(path, plan)
    const { code } = this.#deps.plan.scenario.live.objects
    using deadline = realClock.deadline(transferWithinMs, signal)
    try {
      const view = await timed('put', async () =>
        peer(plan.owner).control.put({ path, code, name: `object-${plan.index}` }, deadline.signal),
      )
      return { plan, object: view.object, code: '', sha256 }
    } catch (error) {
      return { plan, object: null, code: codeOf(error), sha256 }
    } finally {
      await rm(path, { force: true })
    }
  }

  async #get(
    object: string,
    sha256: string,
    { index, owner }: PlannedObject,
    signal: AbortSignal,
  ): Promise<string | null> {
    const { peer, timed, folder } = this.#deps
    const from = peer(owner)
    if (!from.isUp) return 'OWNER_AWAY'
    const path = join(folder, `fetched-${index}`)
    using deadline = realClock.deadline(transferWithinMs, signal)
    try {
      await timed('get', async () => from.control.get({ object, path }, deadline.signal))
      return (await hashOf(path)) === sha256 ? null : 'OTHER_BYTES'
    } catch (error) {
      return codeOf(error)
    } finally {
      await rm(path, { force: true })
    }
  }

  /** Bytes of chance, a piece at a time. Resolves with their hash. */
  async #write(path: string, { index }: PlannedObject): Promise<string> {
    const { seed, scenario } = this.#deps.plan
    const piece = SeededRandom.of(seed, 'live', 'object', index).bytes(pieceBytes)
    const hash = createHash('sha256')
    await mkdir(this.#deps.folder, { recursive: true })
    const file = await open(path, 'w')
    try {
      for (let at = 0; at < scenario.live.objects.bytes; at += pieceBytes) {
        // Every piece is another one.
        new DataView(piece.buffer).setUint32(0, at / pieceBytes)
        const bytes = piece.subarray(0, Math.min(pieceBytes, scenario.live.objects.bytes - at))
        hash.update(bytes)
        await file.write(bytes)
      }
    } finally {
      await file.close()
    }
    return hash.digest('hex')
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array)
  return hash.digest('hex')
}

function codeOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string }
  return code ?? message ?? String(error)
}
