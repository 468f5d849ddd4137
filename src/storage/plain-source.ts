/** Where plaintext comes from: read straight to where it is wanted, so that nothing is copied that need not be. */
import { createHash } from 'node:crypto'

import type { Files, OpenFile } from '../environment.ts'

export interface PlainSource extends AsyncDisposable {
  /** How much may still come, in bytes; Infinity when nobody knows. */
  readonly bytesLeftMax: number
  /** Fills `into` from its beginning. Fewer bytes than it has room for: it is over. */
  fill(into: Uint8Array): Promise<number>
  /** Whether nothing comes any more. */
  isOver(): Promise<boolean>
}

/** A file that changed while it was read would be sealed as something that never was. */
export class SourceChangedError extends Error {
  override readonly name = 'SourceChangedError'
}

/** A file. Rejects at its end when it was written to meanwhile. */
export class FileSource implements PlainSource {
  readonly #file: OpenFile
  readonly #path: string
  readonly #before: Awaited<ReturnType<OpenFile['look']>>
  #at = 0

  private constructor(file: OpenFile, path: string, before: Awaited<ReturnType<OpenFile['look']>>) {
    this.#file = file
    this.#path = path
    this.#before = before
  }

  static async of(disk: Pick<Files, 'open'>, path: string): Promise<FileSource> {
    const file = await disk.open(path)
    try {
      return new FileSource(file, path, await file.look())
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get bytesLeftMax(): number {
    return this.#before.bytes - this.#at
  }

  async fill(into: Uint8Array): Promise<number> {
    const count = await this.#file.read(into, this.#at)
    this.#at += count
    return count
  }

  async isOver(): Promise<boolean> {
    const { bytes, version } = await this.#file.look()
    if (bytes !== this.#before.bytes || version !== this.#before.version) {
      throw new SourceChangedError(`${this.#path} changed while it was read`)
    }
    return this.bytesLeftMax === 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }
}

/** Read at a time where it is hashed in this thread: a tenth of a millisecond's work, or two. */
export const readBytesMax = 256 * 1024

/** A source of which the content is known. Rejects at its end when it was another: before anything that was made of it has a name. */
export class KnownSource implements PlainSource {
  readonly #source: PlainSource
  readonly #hash = createHash('sha256')
  #expected: Uint8Array | undefined

  /** `contentHash`: SHA-256. */
  constructor(source: PlainSource, contentHash: Uint8Array) {
    this.#source = source
    this.#expected = contentHash
  }

  get bytesLeftMax(): number {
    return this.#source.bytesLeftMax
  }

  async fill(into: Uint8Array): Promise<number> {
    for (let at = 0; ;) {
      const piece = into.subarray(at, at + readBytesMax)
      const count = await this.#source.fill(piece)
      this.#hash.update(piece.subarray(0, count))
      at += count
      if (count < piece.byteLength || at === into.byteLength) return at
    }
  }

  async isOver(): Promise<boolean> {
    if (!(await this.#source.isOver())) return false
    if (this.#expected !== undefined && this.#hash.digest().compare(this.#expected) !== 0)
      throw new SourceChangedError('the file changed after it was hashed')
    this.#expected = undefined
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source[Symbol.asyncDispose]()
  }
}

/** Chunks of any size, which are copied. */
export class ChunkSource implements PlainSource {
  readonly bytesLeftMax = Infinity
  readonly #chunks: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = new Uint8Array()

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  async fill(into: Uint8Array): Promise<number> {
    let filled = 0
    while (filled < into.byteLength && !(await this.isOver())) {
      const piece = this.#chunk.subarray(0, into.byteLength - filled)
      into.set(piece, filled)
      this.#chunk = this.#chunk.subarray(piece.byteLength)
      filled += piece.byteLength
    }
    return filled
  }

  async isOver(): Promise<boolean> {
    while (this.#chunk.byteLength === 0) {
      const next = await this.#chunks.next()
      if (next.done === true) return true
      this.#chunk = next.value
    }
    return false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chunks.return?.()
  }
}
