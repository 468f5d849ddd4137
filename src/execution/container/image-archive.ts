/**
 * Reads an OCI archive from a stranger (image-spec 1.1, "Image Layout", in a tar) far enough to hand an engine exactly what
 * it says it holds: one image, each blob under its digest, layers that unpack to no more than is allowed.
 *
 * The engine is never given the archive as it came: that could name the image like one of the owner's, and would replace it.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'

import { z } from 'zod'

import { TarDecoder } from '../tar-decoder.ts'
import { TarError } from '../tar-format.ts'
import type { Architecture } from './least-image.ts'
import { LayerReader } from './layer-reader.ts'

/** It is no OCI archive, or one that we do not load: the fault of who made it. */
export class ImageInvalidError extends Error {
  override readonly name = 'ImageInvalidError'
}

export interface ImageLimits {
  /** All layers together, unpacked. */
  readonly bytesMax: number
  /** Files, folders and links in all layers together. */
  readonly entriesMax: number
}

export interface Blob {
  readonly digest: string
  /** Where its bytes lie in the archive. */
  readonly at: number
  readonly bytes: number
}

export interface ImageArchive {
  readonly path: string
  readonly config: Blob
  readonly layers: readonly Blob[]
  /** Of the layers as they are unpacked, in order; an engine that has loaded them says the same. */
  readonly diffIds: readonly string[]
  readonly bytesUnpacked: number
}

const blobsMax = 1_024
export const layersMax = 128
const documentBytesMax = 4 * 1_024 * 1_024
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'is not a SHA-256 digest')
const descriptor = z.object({ mediaType: z.string().max(256), digest, size: z.int().min(0) })
const indexSchema = z.object({
  manifests: z
    .array(
      descriptor.extend({
        platform: z.object({ architecture: z.string().max(64), os: z.string().max(64) }).optional(),
      }),
    )
    .min(1)
    .max(64),
})
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor).max(layersMax) })
const configSchema = z.object({
  architecture: z.string().max(64),
  os: z.string().max(64),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digest).max(layersMax) }),
})
const indexTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]

/** Throws ImageInvalidError, or as the file system does. Every byte of the archive has been read when it resolves. */
export async function readImageArchive(
  path: string,
  architecture: Architecture,
  limits: ImageLimits,
  signal: AbortSignal,
): Promise<ImageArchive> {
  try {
    return await read(path, architecture, limits, signal)
  } catch (error) {
    if (error instanceof TarError) throw new ImageInvalidError(`the image is no OCI archive: ${error.message}`)
    throw error
  }
}

async function read(
  path: string,
  architecture: Architecture,
  limits: ImageLimits,
  signal: AbortSignal,
): Promise<ImageArchive> {
  const entries = await entriesOf(path, signal)
  if (!entries.has('oci-layout') || !entries.has('index.json'))
    throw new ImageInvalidError('the image is no OCI archive: it has no oci-layout and index.json')
  const blobs = new Map<string, Blob>()
  for (const [name, place] of entries) {
    const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1]
    if (hex !== undefined) blobs.set(`sha256:${hex}`, { digest: `sha256:${hex}`, ...place })
  }
  const blob = ({ digest: named, size }: { digest: string; size: number }): Blob => {
    const found = blobs.get(named)
    if (found === undefined) throw new ImageInvalidError(`the image names ${named}, which is not in the archive`)
    if (found.bytes !== size) throw new ImageInvalidError(`${named} has ${found.bytes} bytes and not ${size}`)
    return found
  }
  const document = async <Value>(of: Blob, schema: z.ZodType<Value>): Promise<Value> => {
    const bytes = await bytesOf(path, of, signal)
    if (sha256(bytes) !== of.digest) throw new ImageInvalidError(`the bytes of ${of.digest} have another digest`)
    return parsed(bytes, schema)
  }
  const index = parsed(
    await bytesOf(path, { digest: 'index.json', ...entries.get('index.json')! }, signal),
    indexSchema,
  )
  let chosen = fitting(index.manifests, architecture)
  if (indexTypes.includes(chosen.mediaType)) {
    chosen = fitting((await document(blob(chosen), indexSchema)).manifests, architecture)
  }
  const manifest = await document(blob(chosen), manifestSchema)
  const config = blob(manifest.config)
  const { rootfs, ...platform } = await document(config, configSchema)
  if (platform.architecture !== architecture || platform.os !== 'linux')
    throw new ImageInvalidError(`the image is for ${platform.os}/${platform.architecture}, not linux/${architecture}`)
  if (rootfs.diff_ids.length !== manifest.layers.length)
    throw new ImageInvalidError('the image has another number of layers than its configuration says')
  const layers = manifest.layers.map(blob)
  const bytesUnpacked = await checkLayers(path, layers, rootfs.diff_ids, limits, signal)
  return { path, config, layers, diffIds: rootfs.diff_ids, bytesUnpacked }
}

/** Unpacks all, to nowhere: what they come to, and that each is what it is said to be. */
async function checkLayers(
  path: string,
  layers: readonly Blob[],
  diffIds: readonly string[],
  limits: ImageLimits,
  signal: AbortSignal,
): Promise<number> {
  const reader = new LayerReader(limits)
  for (const [index, layer] of layers.entries()) {
    const packed = createHash('sha256')
    const unpacked = createHash('sha256')
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of blobStream(path, layer, signal)) {
        packed.update(chunk)
        yield chunk
      }
    }
    const take = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
      reader.begin()
      for await (const chunk of chunks) {
        unpacked.update(chunk)
        reader.push(chunk)
      }
      reader.end()
    }
    const decompress = await decompressorOf(path, layer, signal)
    try {
      if (decompress === null) await take(source())
      else await pipeline(source, decompress, take, { signal })
    } catch (error) {
      if (error instanceof TarError || isZlib(error))
        throw new ImageInvalidError(`layer ${index + 1} of the image: ${(error as Error).message}`)
      throw error
    }
    if (`sha256:${packed.digest('hex')}` !== layer.digest)
      throw new ImageInvalidError(`the bytes of ${layer.digest} have another digest`)
    if (`sha256:${unpacked.digest('hex')}` !== diffIds[index])
      throw new ImageInvalidError(`layer ${index + 1} of the image is another one than its configuration says`)
  }
  return reader.bytes
}

/** By its first bytes, as engines do it. Null: not compressed. */
async function decompressorOf(path: string, layer: Blob, signal: AbortSignal) {
  const magic = Buffer.from(await bytesOf(path, { ...layer, bytes: Math.min(4, layer.bytes) }, signal)).toString('hex')
  if (magic.startsWith('1f8b')) return createGunzip()
  return magic === '28b52ffd' ? createZstdDecompress() : null
}

function isZlib(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^Z(STD)?_|^ERR_/.test(String(error.code))
}

async function entriesOf(path: string, signal: AbortSignal): Promise<Map<string, { at: number; bytes: number }>> {
  const decoder = new TarDecoder({ entriesMax: 2 * blobsMax, bytesMax: Number.MAX_SAFE_INTEGER })
  const entries = new Map<string, { at: number; bytes: number }>()
  for await (const chunk of createReadStream(path, { signal }) as AsyncIterable<Uint8Array>) {
    for (const event of decoder.push(chunk)) {
      if (event.is === 'entry' && event.entry.kind === 'file')
        entries.set(event.entry.path, { at: event.at, bytes: event.entry.bytes })
    }
  }
  decoder.end()
  return entries
}

/** The bytes of one blob, from the archive. */
export function blobStream(path: string, { at, bytes }: Blob, signal: AbortSignal): AsyncIterable<Uint8Array> {
  if (bytes === 0) return nothing()
  return createReadStream(path, { start: at, end: at + bytes - 1, signal }) as AsyncIterable<Uint8Array>
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function bytesOf(path: string, blob: Blob, signal: AbortSignal): Promise<Uint8Array> {
  if (blob.bytes > documentBytesMax)
    throw new ImageInvalidError(`${blob.digest} has ${blob.bytes} bytes, more than ${documentBytesMax}`)
  const chunks: Uint8Array[] = []
  for await (const chunk of blobStream(path, blob, signal)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function fitting<Item extends { readonly platform?: { architecture: string; os: string } | undefined }>(
  manifests: readonly Item[],
  architecture: Architecture,
): Item {
  const fits = manifests.find(({ platform }) => platform?.architecture === architecture && platform.os === 'linux')
  if (fits !== undefined) return fits
  // Who saves one image need not say what it is for: its configuration does.
  const unsaid = manifests.filter(({ platform }) => platform === undefined)
  if (unsaid.length === 1) return unsaid[0]!
  if (unsaid.length > 1) throw new ImageInvalidError('the archive holds several images: save one')
  throw new ImageInvalidError(`the archive holds no image for linux/${architecture}`)
}

function parsed<Value>(bytes: Uint8Array, schema: z.ZodType<Value>): Value {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    throw new ImageInvalidError('a document of the image is not JSON')
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  throw new ImageInvalidError(`a document of the image is malformed: ${issue.path.join('.')}: ${issue.message}`)
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
