/** A shard on its way to the disk, leaf after leaf, with the hashes of its leaves in a file beside it. */
import { MerkleBuilder, leafBytes } from '../../protocols/erasure/index.ts'
import { hashBytes } from '../../protocols/wire/index.ts'
import type { Files, OpenFile } from '../environment.ts'
import { LeafSums, writeSums } from './leaf-sums.ts'

/** Room for the hashes of a shard of 16 MiB; doubled when it is full. */
const hashesAtFirst = 256

export class ShardWriter {
  readonly path: string
  readonly #disk: Files
  readonly #file: OpenFile
  #hashes = new Uint8Array(hashesAtFirst * hashBytes)
  /** Grows with the shard: the tree of a large one, made at the end, would keep everything else waiting. */
  readonly #builder = new MerkleBuilder()
  readonly #sums = new LeafSums()
  #leaves = 0
  #isOpen = true

  constructor(disk: Files, path: string, file: OpenFile) {
    this.#disk = disk
    this.path = path
    this.#file = file
  }

  /** How many leaves are written: the first so many of the shard. */
  get leaves(): number {
    return this.#leaves
  }

  get root(): Uint8Array {
    return this.#builder.root()
  }

  /** Writes the next leaf, or the next leaves at once, with their hashes one after the other. What fails may be written again. */
  async write(firstLeaf: number, bytes: Uint8Array, hashes: Uint8Array): Promise<void> {
    if (firstLeaf !== this.#leaves) throw new RangeError(`leaf ${firstLeaf} was written after ${this.#leaves} leaves`)
    await this.#file.write(bytes, firstLeaf * leafBytes)
    this.#sums.add(firstLeaf, bytes)
    const end = this.#leaves * hashBytes + hashes.byteLength
    while (end > this.#hashes.byteLength) this.#grow()
    this.#hashes.set(hashes, this.#leaves * hashBytes)
    this.#builder.addAll(hashes)
    this.#leaves = this.#builder.leaves
  }

  /** Makes file and hashes durable under their temporary names, and closes them. */
  async sync(): Promise<void> {
    if (!this.#isOpen) return
    const beside = await this.#disk.create(`${this.path}.leaves`, 'empty')
    try {
      await beside.write(this.#hashes.subarray(0, this.#leaves * hashBytes), 0)
      await beside.datasync()
    } finally {
      await beside.close()
    }
    await writeSums(this.#disk, `${this.path}.sums`, this.#sums, this.#leaves)
    await this.#file.datasync()
    await this.#close()
  }

  async discard(): Promise<void> {
    await this.#close()
    await this.#disk.remove(this.path)
    await this.#disk.remove(`${this.path}.leaves`)
    await this.#disk.remove(`${this.path}.sums`)
  }

  #grow(): void {
    const wider = new Uint8Array(this.#hashes.byteLength * 2)
    wider.set(this.#hashes)
    this.#hashes = wider
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#file.close()
  }
}
