/**
 * Counts what a layer of an image unpacks to. A layer is a tar like any other, with links and devices, which an engine takes
 * and we only pass over; of interest here are the numbers, because what is a kilobyte compressed may be a terabyte.
 */
import { blockBytes, decodeHeader, paddingBytes, TarError } from '../tar-format.ts'
import type { ImageLimits } from './image-archive.ts'

/** A long name, or the pax records of one entry. */
const recordBytesMax = 1_024 * 1_024
/** It says itself how large it is to become, whatever stands in the archive, and an engine writes that many zeros. */
const sparse = 'it holds a sparse file'
const recordFlags = ['x', 'g', 'L', 'K']

export class LayerReader {
  readonly #limits: ImageLimits
  readonly #header = new Uint8Array(blockBytes)
  #filled = 0
  #skip = 0
  /** Of pax records, while they are passed over. */
  #record: Uint8Array[] | null = null
  #isOver = false
  #entries = 0
  /** Of all layers until now, headers included. */
  bytes = 0

  constructor(limits: ImageLimits) {
    this.#limits = limits
  }

  begin(): void {
    this.#filled = 0
    this.#skip = 0
    this.#record = null
    this.#isOver = false
  }

  /** Throws TarError for what is malformed or over a limit. */
  push(chunk: Uint8Array): void {
    this.bytes += chunk.byteLength
    if (this.bytes > this.#limits.bytesMax)
      throw new TarError(`the layers unpack to more than ${this.#limits.bytesMax} bytes`)
    let at = 0
    while (at < chunk.byteLength && !this.#isOver) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, chunk.byteLength - at)
        this.#record?.push(chunk.slice(at, at + step))
        this.#skip -= step
        at += step
        if (this.#skip === 0) this.#onRecord()
        continue
      }
      const step = Math.min(blockBytes - this.#filled, chunk.byteLength - at)
      this.#header.set(chunk.subarray(at, at + step), this.#filled)
      this.#filled += step
      at += step
      if (this.#filled === blockBytes) this.#onHeader()
    }
  }

  end(): void {
    if (this.#isOver || (this.#filled === 0 && this.#skip === 0)) return
    throw new TarError('the archive is cut off')
  }

  #onHeader(): void {
    this.#filled = 0
    const header = decodeHeader(this.#header)
    if (header === undefined) {
      this.#isOver = true
      return
    }
    const { flag, bytes } = header
    if (recordFlags.includes(flag) && bytes > recordBytesMax)
      throw new TarError(`a record of ${bytes} bytes before an entry is over ${recordBytesMax}`)
    if (flag === 'S') throw new TarError(sparse)
    if (flag === 'x' || flag === 'g') this.#record = []
    if (++this.#entries > this.#limits.entriesMax)
      throw new TarError(`the layers hold more than ${this.#limits.entriesMax} files`)
    this.#skip = bytes + paddingBytes(bytes)
  }

  #onRecord(): void {
    if (this.#record !== null && Buffer.concat(this.#record).includes('GNU.sparse')) throw new TarError(sparse)
    this.#record = null
  }
}
