/**
 * The images of strangers in the owner's engine: loaded under names of our own, kept within a quota for who runs the same
 * again, removed after. The owner's images are never touched: what is removed is a name that we gave.
 */
import { z } from 'zod'

import type { Log } from '../../environment.ts'
import { encodeEntry, paddingBytes, tarEnd } from '../tar-format.ts'
import type { ContainerImage } from '../executor.ts'
import { EngineError, type Engine } from './engine.ts'
import { blobStream, ImageInvalidError, readImageArchive, type Blob, type ImageArchive } from './image-archive.ts'
import type { Architecture } from './least-image.ts'

/** Loading is reading and writing: 10 minutes are 2 GiB at 4 MB/s. The task's own time ends it before. */
const loadMs = 10 * 60_000
const entriesMax = 1_000_000
/** Of one image, unpacked; and of all that are kept. */
export const imageBytesMaxDefault = 10 * 2 ** 30
/** Folders that an image wants to be written to; each becomes memory of the task. */
export const imageVolumesMax = 16

const inspectionSchema = z.object({
  Id: z.string().max(200),
  RepoDigests: z.array(z.string().max(500)).nullish(),
  RootFS: z.object({ Layers: z.array(z.string()).nullish() }),
  Size: z.number().nullish(),
  Config: z.object({ Volumes: z.record(z.string().max(4_096), z.unknown()).nullish() }).nullish(),
})

/** An image that may be run until it is let go. */
export interface ReadyImage extends Disposable {
  readonly reference: string
  /** As the engine names it: the digest of its configuration, with most engines. */
  readonly digest: string
  /** The same in every engine; null for an image of a registry. */
  readonly configDigest: string | null
  /** Folders that the image declares to be volumes. */
  readonly volumes: readonly string[]
}

export interface ImagesDeps {
  readonly engine: Engine
  readonly log: Log
  readonly architecture: Architecture
  /** Begins the names that we give: `localhost/pleach/OWNER`. */
  readonly prefix: string
  readonly bytesMax: number
  /** An image of our own, there already. */
  readonly ownReference: string
  /** Whether images may be fetched from the registries that they name. */
  readonly mayPull: boolean
}

interface Kept {
  readonly configDigest: string | null
  bytes: number
  users: number
  usedAt: number
}

export class Images {
  readonly #deps: ImagesDeps
  readonly #kept = new Map<string, Kept>()
  /** By what is wanted: two tasks with the same image load it once, and nobody waits for another's. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #uses = 0

  constructor(deps: ImagesDeps) {
    this.#deps = deps
  }

  /** Throws ImageInvalidError for an image that is not what it should be, EngineError, or the signal's reason. */
  async ready(image: ContainerImage, signal: AbortSignal): Promise<ReadyImage> {
    const wanted = image.archivePath === null ? image.reference : image.sha256
    const turn = (this.#turns.get(wanted) ?? Promise.resolve()).then(async () => {
      signal.throwIfAborted()
      return image.archivePath === null ? this.#pulled(image.reference, signal) : this.#loaded(image, signal)
    })
    const quietly = turn.catch(() => {})
    this.#turns.set(wanted, quietly)
    void quietly.then(() => {
      if (this.#turns.get(wanted) === quietly) this.#turns.delete(wanted)
    })
    const ready = await turn
    if (image.digest === null || image.digest === ready.digest || image.digest === ready.configDigest) return ready
    ready[Symbol.dispose]()
    throw new ImageInvalidError(`the image is ${ready.digest} in this engine, and the job wants ${image.digest}`)
  }

  /** Removes what an earlier life loaded for a run that is over now, unless it was loaded again. */
  async drop(reference: string, signal: AbortSignal): Promise<void> {
    if (reference.startsWith(`${this.#deps.prefix}/`) && !this.#kept.has(reference))
      await this.#remove(reference, signal)
  }

  /** Removes what an earlier life left, but for what is named. */
  async sweep(spared: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const { engine, prefix } = this.#deps
    const filters = JSON.stringify({ reference: [`${prefix}/*`] })
    const found = z
      .array(z.object({ RepoTags: z.array(z.string()).nullish() }))
      .parse(await engine.ask('GET', '/images/json', { query: { filters }, signal }))
    const names = found.flatMap(({ RepoTags }) => RepoTags ?? []).filter((name) => name.startsWith(`${prefix}/`))
    for (const name of names) if (!spared.has(name)) await this.#remove(name, signal)
  }

  async #loaded(
    { archivePath, sha256 }: Extract<ContainerImage, { archivePath: string }>,
    signal: AbortSignal,
  ): Promise<ReadyImage> {
    const { engine, prefix, architecture, bytesMax } = this.#deps
    const reference = `${prefix}/${sha256}:latest`
    if (this.#kept.has(reference)) {
      const known = await this.#inspect(reference, signal).catch(ifUnknown)
      if (known !== undefined) return this.#use(reference, known)
      this.#kept.delete(reference)
    }
    const archive = await readImageArchive(archivePath, architecture, { bytesMax, entriesMax }, signal)
    await this.#makeRoom(archive.bytesUnpacked, signal)
    this.#kept.set(reference, {
      configDigest: archive.config.digest,
      bytes: archive.bytesUnpacked,
      users: 0,
      usedAt: ++this.#uses,
    })
    try {
      const query = { quiet: '1' }
      await engine.upload('POST', '/images/load', saved(archive, reference, signal), {
        query,
        signal,
        withinMs: loadMs,
      })
      const inspected = await this.#inspect(reference, signal)
      const layers = inspected.RootFS.Layers ?? []
      if (layers.length !== archive.diffIds.length || layers.some((layer, index) => layer !== archive.diffIds[index]))
        throw new ImageInvalidError('the engine has loaded other layers than the archive holds')
      return this.#use(reference, inspected)
    } catch (error) {
      // Whatever is there of it is removed when room is made.
      if (error instanceof EngineError && !/no space left/.test(error.message))
        throw new ImageInvalidError(`the engine does not load the image: ${error.message}`)
      throw error
    }
  }

  async #pulled(reference: string, signal: AbortSignal): Promise<ReadyImage> {
    const { engine, mayPull, bytesMax, ownReference } = this.#deps
    if (reference === ownReference) return this.#use(reference, await this.#inspect(reference, signal))
    // Before anything is looked up: an image that the owner has for himself is nobody's to run.
    if (!mayPull) throw new Error('this provider fetches no images from registries: send it as an OCI archive')
    const here = await this.#inspect(reference, signal).catch(ifUnknown)
    if (here !== undefined) return this.#use(reference, here)
    await engine.ask('POST', '/images/create', { query: { fromImage: reference }, signal, withinMs: loadMs })
    const inspected = await this.#inspect(reference, signal).catch(ifUnknown)
    if (inspected === undefined) throw new ImageInvalidError(`${reference} was not found`)
    const bytes = inspected.Size ?? 0
    this.#kept.set(reference, { configDigest: null, bytes, users: 0, usedAt: ++this.#uses })
    if (bytes > bytesMax) throw new ImageInvalidError(`the image has ${bytes} bytes, more than ${bytesMax}`)
    await this.#makeRoom(0, signal)
    return this.#use(reference, inspected)
  }

  async #inspect(reference: string, signal: AbortSignal) {
    const { engine } = this.#deps
    return inspectionSchema.parse(await engine.ask('GET', `/images/${reference}/json`, { signal }))
  }

  #use(reference: string, inspected: z.infer<typeof inspectionSchema>): ReadyImage {
    const kept = this.#kept.get(reference)
    if (kept !== undefined) {
      kept.users++
      kept.usedAt = ++this.#uses
    }
    let isUsed = true
    return {
      ...readyOf(reference, inspected),
      configDigest: kept?.configDigest ?? null,
      [Symbol.dispose]() {
        if (isUsed && kept !== undefined) kept.users--
        isUsed = false
      },
    }
  }

  /** Those used longest ago go first; those in use stay, and then there is more than the quota for a while. */
  async #makeRoom(bytes: number, signal: AbortSignal): Promise<void> {
    const idle = [...this.#kept].filter(([, { users }]) => users === 0).sort(([, a], [, b]) => a.usedAt - b.usedAt)
    for (const [reference] of idle) {
      const total = [...this.#kept.values()].reduce((sum, kept) => sum + kept.bytes, bytes)
      if (total <= this.#deps.bytesMax) return
      await this.#remove(reference, signal)
      this.#kept.delete(reference)
    }
  }

  async #remove(reference: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#deps.engine.ask('DELETE', `/images/${reference}`, { signal })
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return
      this.#deps.log('warn', 'an image could not be removed', { reference, error })
    }
  }
}

function readyOf(reference: string, { Id, Config }: z.infer<typeof inspectionSchema>) {
  const volumes = Object.keys(Config?.Volumes ?? {})
  if (volumes.length > imageVolumesMax)
    throw new ImageInvalidError(`the image declares more than ${imageVolumesMax} volumes`)
  // Podman leaves the algorithm out in some answers.
  return { reference, digest: Id.startsWith('sha256:') ? Id : `sha256:${Id}`, volumes }
}

function ifUnknown(error: unknown): undefined {
  if (error instanceof EngineError && error.status === 404) return undefined
  throw error
}

/** The image in the form of `docker save` that every engine loads, under our name and no other. */
async function* saved(archive: ImageArchive, reference: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { path, config, layers } = archive
  const name = ({ digest }: Blob): string => `${digest.slice('sha256:'.length)}.blob`
  const manifest = Buffer.from(
    JSON.stringify([{ Config: name(config), RepoTags: [reference], Layers: layers.map(name) }]),
  )
  yield encodeEntry({ kind: 'file', path: 'manifest.json', bytes: manifest.byteLength })
  yield manifest
  yield new Uint8Array(paddingBytes(manifest.byteLength))
  const blobs = new Map([config, ...layers].map((blob) => [blob.digest, blob]))
  for (const blob of blobs.values()) {
    yield encodeEntry({ kind: 'file', path: name(blob), bytes: blob.bytes })
    yield* blobStream(path, blob, signal)
    yield new Uint8Array(paddingBytes(blob.bytes))
  }
  yield tarEnd
}
