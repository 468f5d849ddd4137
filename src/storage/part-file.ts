/**
 * What of an object is on the disk while it is being fetched: segments of plaintext in the file they will be, under another name,
 * and beside them the hashes of the leaves of their data strips.
 *
 *     <path>.<end of the CID>.part           segments at their places
 *     <path>.<end of the CID>.part.leaves    for each segment k × 16 hashes of 32 bytes, at its place too
 *
 * Nothing here is believed. A segment that is found is encrypted again, which gives the very strips it came from, and counts only
 * when their leaves have the hashes; and before the file gets its name, all hashes together must have the roots that the manifest
 * names. So it does not matter in which order writes reach the disk, nothing has to be synced until the end, and a write that was
 * torn, or a file that somebody else wrote to, costs a segment and no more. Plaintext is kept, not strips: it has to be written
 * anyway, and a segment of it is whole whichever shards it came from.
 */
import { dirname, resolve } from 'node:path'

import { concat, equals } from 'uint8arrays'

import {
  decodeObjectManifest,
  leafCount,
  leavesPerStrip,
  segmentBytesOf,
  segmentCount,
  segmentLength,
  stripLength,
  type ObjectManifest,
} from '../../protocols/erasure/index.ts'
import { cidOfDocument, hashBytes } from '../../protocols/wire/index.ts'
import type { Files, OpenFile } from '../environment.ts'
import type { Mill } from './mill.ts'

/** So much is written before the disk is told to settle it, beside the work, in bytes: left for the end it is what a reader of a fast line waits for. */
const settleBytes = 16 * 1024 * 1024
/** An object as large as that is written past the system's cache. Who opens a smaller file next finds it there. */
const pastCacheBytesMin = 64 * 1024 * 1024

export class PartFile {
  readonly #disk: Files
  readonly #path: string
  readonly #part: string
  readonly #manifest: ObjectManifest
  readonly #file: OpenFile
  readonly #leaves: OpenFile
  readonly #here = new Set<number>()
  /** Of segments that are here, until they are asked for: the hashes of their data strips' leaves, one after the other. */
  readonly #hashes = new Map<number, Uint8Array>()
  /** Written since the disk was last told. */
  #unsettledBytes = 0
  /** What it is settling now. Never rejects. */
  #settling: Promise<void> | undefined
  #settleError: Error | undefined

  private constructor(disk: Files, path: string, part: string, manifest: ObjectManifest, files: readonly OpenFile[]) {
    this.#disk = disk
    this.#path = path
    this.#part = part
    this.#manifest = manifest
    ;[this.#file, this.#leaves] = files as [OpenFile, OpenFile]
  }

  /** Goes on with what an earlier fetch of this object to this path left, or begins. Throws a Fault: the manifest is none. */
  static async open(
    { disk, mill }: { readonly disk: Files; readonly mill: Mill },
    path: string,
    manifest: Uint8Array,
    key: Uint8Array,
    signal: AbortSignal,
  ): Promise<PartFile> {
    const decoded = decodeObjectManifest(manifest)
    const part = `${path}.${cidOfDocument(manifest).slice(-8)}.part`
    const file = await createFor(disk, part, decoded.bytes)
    try {
      const files = [file, await disk.create(`${part}.leaves`, 'as-is')]
      const found = new PartFile(disk, path, part, decoded, files)
      await found.#look(mill, key, signal)
      return found
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** How many segments are here. */
  get count(): number {
    return this.#here.size
  }

  has(segment: number): boolean {
    return this.#here.has(segment)
  }

  /** Of the leaves of each data strip, one after the other, of a segment that is here. To be asked for once: they are not held longer. */
  takeHashes(segment: number): Uint8Array[] {
    const hashes = this.#hashes.get(segment)!
    this.#hashes.delete(segment)
    const { k } = this.#manifest.code
    const each = hashes.byteLength / k
    return Array.from({ length: k }, (_, shard) => hashes.subarray(shard * each, (shard + 1) * each))
  }

  /** `plain`: pieces, in their order. `hashes`: of the leaves of the data strips, one after the other. */
  async write(segment: number, plain: readonly Uint8Array[], hashes: Uint8Array): Promise<void> {
    let at = segment * segmentBytesOf(this.#manifest.code)
    for (const piece of joined(plain)) {
      await this.#file.write(piece, at)
      at += piece.byteLength
      this.#unsettledBytes += piece.byteLength
    }
    await this.#leaves.write(hashes, this.#leavesAt(segment))
    this.#keep(segment, hashes)
    if (this.#unsettledBytes >= settleBytes) this.#settling ??= this.#settle()
  }

  /** All segments are here: the file gets its name. Durable when it resolves. */
  async finish(): Promise<void> {
    await this.#settling
    await this.#settle()
    // A disk tells of what it could not write only once.
    if (this.#settleError !== undefined) throw this.#settleError
    await this.#close()
    await this.#disk.rename(this.#part, this.#path)
    await this.#disk.remove(`${this.#part}.leaves`)
    await this.#disk.syncFolder(dirname(resolve(this.#path)))
  }

  /** What is here waits for another fetch; when that is nothing, no file stays. */
  async leave(): Promise<void> {
    if (this.count === 0) return this.discard()
    await this.#close()
  }

  async discard(): Promise<void> {
    await this.#close()
    await this.#disk.remove(this.#part)
    await this.#disk.remove(`${this.#part}.leaves`)
  }

  async #look(mill: Mill, key: Uint8Array, signal: AbortSignal): Promise<void> {
    const { code, bytes } = this.#manifest
    const count = segmentCount(code, bytes)
    if ((await this.#leaves.look()).bytes === 0) return
    for (let number = 0; number < count; number++) {
      const stored = new Uint8Array(code.k * leafCount(stripLength(code, bytes, number)) * hashBytes)
      const isThere = (await this.#leaves.read(stored, this.#leavesAt(number))) === stored.byteLength
      if (!isThere || stored.every((byte) => byte === 0)) continue
      const plainBytes = segmentLength(code, bytes, number)
      const room = await mill.lend(code, plainBytes, signal)
      try {
        const plain = room.plain.subarray(0, plainBytes)
        if ((await this.#file.read(plain, number * segmentBytesOf(code))) !== plainBytes) continue
        const order = { code, key, number, isLast: number === count - 1, plainBytes }
        const { hashes } = await mill.seal(room, order, signal)
        if (equals(concat(hashes.slice(0, code.k)), stored)) this.#keep(number, stored)
      } finally {
        room.giveBack()
      }
    }
  }

  #keep(segment: number, hashes: Uint8Array): void {
    this.#here.add(segment)
    this.#hashes.set(segment, hashes)
  }

  #leavesAt(segment: number): number {
    return segment * this.#manifest.code.k * leavesPerStrip * hashBytes
  }

  async #settle(): Promise<void> {
    this.#unsettledBytes = 0
    try {
      await this.#file.datasync()
    } catch (error) {
      this.#settleError ??= error as Error
    }
    this.#settling = undefined
  }

  async #close(): Promise<void> {
    await this.#settling
    await this.#file.close()
    await this.#leaves.close()
  }
}

/** As few pieces as their places in memory allow. */
function joined(pieces: readonly Uint8Array[]): Uint8Array[] {
  const all: Uint8Array[] = []
  for (const { buffer, byteOffset, byteLength } of pieces) {
    const last = all.at(-1)
    const follows = last?.buffer === buffer && last.byteOffset + last.byteLength === byteOffset
    if (last === undefined || !follows) all.push(new Uint8Array(buffer, byteOffset, byteLength))
    else all[all.length - 1] = new Uint8Array(buffer, last.byteOffset, last.byteLength + byteLength)
  }
  return all
}

/** One that is longer than the object has become something else, and would make another file of it: none of it is kept. */
async function createFor(disk: Files, path: string, bytesMax: number): Promise<OpenFile> {
  const way = bytesMax >= pastCacheBytesMin ? 'past-cache' : undefined
  const file = await disk.create(path, 'as-is', way)
  try {
    if ((await file.look()).bytes <= bytesMax) return file
  } catch (error) {
    await file.close()
    throw error
  }
  await file.close()
  return disk.create(path, 'empty', way)
}
