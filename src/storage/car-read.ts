/** An object from a CAR (protocols/erasure/car.ts) to shards of our own: all of them, all checked, or none. */
import { equals } from 'uint8arrays'

import {
  BadCarError,
  InconsistentObjectError,
  carCidBytes,
  carHeaderBytesMax,
  carLengthBytesMax,
  cidOfCarBlock,
  createCoder,
  decodeCarBlock,
  decodeCarHeader,
  decodeCarLength,
  decodeObjectManifest,
  formatCode,
  hashLeaf,
  leafBytes,
  leafCount,
  leavesPerStrip,
  objectManifestBytesMax,
  segmentCount,
  segmentLength,
  stripLength,
  type CarBlock,
  type ObjectManifest,
} from '../../protocols/erasure/index.ts'
import { shardBytesMax } from '../../protocols/transfer/index.ts'
import { Fault } from '../../protocols/wire/index.ts'
import type { Files, OpenFile } from '../environment.ts'
import type { Mill } from './mill.ts'
import { ObjectTooLargeError } from './seal.ts'
import type { ShardStore } from './shard-store.ts'
import type { ShardWriter } from './shard-writer.ts'

export interface CarDeps {
  readonly disk: Pick<Files, 'open'>
  readonly mill: Mill
  readonly store: Pick<ShardStore, 'begin' | 'adopt'>
}

export interface TakenCar {
  readonly cid: string
  readonly manifest: Uint8Array
  readonly key: Uint8Array
  readonly bytes: number
}

/**
 * Takes an object up: when it resolves, all shards of it are here, durable, until `keepUntilMs`, have the roots that the manifest names, and
 * open under the key. `keyOf` is asked once the object's CID is known, and may throw. Nothing is kept of a file that is not right.
 * Rejects with BadCarError, InconsistentObjectError (the key is another's), ObjectTooLargeError, or the reason of `signal`.
 */
export async function takeCar(
  deps: CarDeps,
  path: string,
  keyOf: (cid: string) => Uint8Array,
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<TakenCar> {
  const file = await deps.disk.open(path)
  const writers: ShardWriter[] = []
  try {
    const car = new CarFile(file)
    const cid = decodeCarHeader(await car.section(carHeaderBytesMax))
    const document = decodeCarBlock(await car.section(carCidBytes + objectManifestBytesMax))
    if (document.codec !== 'document' || cidOfCarBlock(document) !== cid)
      throw new BadCarError('mismatch', 'its first block is not the manifest that its header names')
    const manifest = manifestOf(document)
    const key = keyOf(cid)
    for (const _root of manifest.shards) writers.push(await deps.store.begin())
    const opens = await takeSegments(deps.mill, car, manifest, key, writers, signal)
    if (!(await car.isOver())) throw new BadCarError('mismatch', 'there is more in it than the object')
    for (const [shard, writer] of writers.entries()) {
      if (!equals(writer.root, manifest.shards[shard]!))
        throw new BadCarError('mismatch', `its blocks do not make shard ${shard} of the object`)
    }
    if (!opens) throw new InconsistentObjectError('its blocks are right, and do not open under this key')
    await Promise.all(writers.map(async (writer) => writer.sync()))
    for (const writer of writers) await deps.store.adopt(writer, manifest.shardBytes, keepUntilMs)
    return { cid, manifest: document.bytes.slice(), key, bytes: manifest.bytes }
  } catch (error) {
    await Promise.all(writers.map(async (writer) => writer.discard()))
    throw error
  } finally {
    await file.close()
  }
}

/**
 * Reads the leaves of the data shards, makes parity of them, and writes all shards. Holds a segment: k MiB. Resolves with whether all opened
 * under the key: what does not may be the key's fault or the file's, which the roots will tell.
 */
async function takeSegments(
  mill: Mill,
  car: CarFile,
  { code, bytes }: ObjectManifest,
  key: Uint8Array,
  writers: readonly ShardWriter[],
  signal: AbortSignal,
): Promise<boolean> {
  const coder = createCoder(code.k, code.m)
  let opens = true
  const segments = segmentCount(code, bytes)
  for (let number = 0; number < segments; number++) {
    signal.throwIfAborted()
    const stripBytes = stripLength(code, bytes, number)
    const strips: Uint8Array[] = []
    for (let shard = 0; shard < code.k; shard++) strips.push(await takeStrip(car, stripBytes))
    // A leaf at a time: between two, whoever else waits for this thread has it.
    for (let leaf = 0; leaf < leafCount(stripBytes); leaf++) {
      const pieces = strips.map((strip) => strip.subarray(leaf * leafBytes, (leaf + 1) * leafBytes))
      for (const [shard, piece] of [...pieces, ...coder.encode(pieces)].entries())
        await writers[shard]!.write(number * leavesPerStrip + leaf, piece, hashLeaf(piece))
    }
    const plainBytes = segmentLength(code, bytes, number)
    try {
      await mill.open(strips, { code, key, number, isLast: number === segments - 1, plainBytes }, signal)
    } catch (error) {
      if (!(error instanceof InconsistentObjectError)) throw error
      opens = false
    }
  }
  return opens
}

async function takeStrip(car: CarFile, stripBytes: number): Promise<Uint8Array> {
  const strip = new Uint8Array(stripBytes)
  for (let at = 0; at < stripBytes; at += leafBytes) {
    const wanted = Math.min(leafBytes, stripBytes - at)
    const { codec, bytes } = decodeCarBlock(await car.section(carCidBytes + leafBytes))
    if (codec !== 'leaf' || bytes.byteLength !== wanted)
      throw new BadCarError(
        'mismatch',
        `a block of ${wanted} raw bytes was due, and there is one of ${bytes.byteLength}`,
      )
    strip.set(bytes, at)
  }
  return strip
}

function manifestOf({ bytes }: CarBlock): ObjectManifest {
  let manifest: ObjectManifest
  try {
    manifest = decodeObjectManifest(bytes)
  } catch (error) {
    if (error instanceof Fault) throw new BadCarError('malformed', `it is not of an object of pleach: ${error.message}`)
    throw error
  }
  if (manifest.shardBytes <= shardBytesMax) return manifest
  throw new ObjectTooLargeError(`with the code ${formatCode(manifest.code)} a shard is over ${shardBytesMax} bytes`)
}

/** A file of sections, each with its length before it. */
class CarFile {
  readonly #file: OpenFile
  #at = 0

  constructor(file: OpenFile) {
    this.#file = file
  }

  /** The next section, which is to have no more than so many bytes: no more are ever read at once. Throws BadCarError. */
  async section(bytesMax: number): Promise<Uint8Array> {
    const head = new Uint8Array(carLengthBytesMax)
    const read = decodeCarLength(head.subarray(0, await this.#file.read(head, this.#at)))
    if (read === undefined) throw this.#truncated()
    const { length, bytes } = read
    if (length === 0 || length > bytesMax)
      throw new BadCarError(
        'malformed',
        `a section of ${length} bytes at ${this.#at}, where at most ${bytesMax} can be`,
      )
    const section = new Uint8Array(length)
    if ((await this.#file.read(section, this.#at + bytes)) !== length) throw this.#truncated()
    this.#at += bytes + length
    return section
  }

  async isOver(): Promise<boolean> {
    return (await this.#file.read(new Uint8Array(1), this.#at)) === 0
  }

  #truncated(): BadCarError {
    return new BadCarError('truncated', `it ends after ${this.#at} bytes of whole blocks, and the object goes on`)
  }
}
