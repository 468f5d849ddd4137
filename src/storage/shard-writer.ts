/** A shard on its way to the disk, leaf after leaf, with the hashes of its leaves in a file beside it. */
import { MerkleTree, hashLeaves, leafBytes } from '../../protocols/erasure/index.ts'
import { hashBytes } from '../../protocols/wire/index.ts'
import type { Files, OpenFile } from '../environment.ts'

/** Room for the hashes of a shard of 16 MiB; doubled when it is full. */
const hashesAtFirst = 256

export class ShardWriter {
  readonly path: string
  readonly #disk: Files
  readonly #file: OpenFile
  #hashes = new Uint8Array(hashesAtFirst * hashBytes)
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
    return new MerkleTree(this.#hashes.subarray(0, this.#leaves * hashBytes)).root.slice()
  }

  /** Writes the next leaf. One that fails may be written again. */
  async write(leaf: number, bytes: Uint8Array, hash: Uint8Array): Promise<void> {
    await this.#append(leaf, bytes, [hash])
  }

  /** Writes a strip, which begins with the next leaf. */
  async writeStrip(firstLeaf: number, strip: Uint8Array): Promise<void> {
    await this.#append(firstLeaf, strip, hashLeaves(strip))
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
    await this.#file.datasync()
    await this.#close()
  }

  async discard(): Promise<void> {
    await this.#close()
    await this.#disk.remove(this.path)
    await this.#disk.remove(`${this.path}.leaves`)
  }

  async #append(firstLeaf: number, bytes: Uint8Array, hashes: readonly Uint8Array[]): Promise<void> {
    if (firstLeaf !== this.#leaves) throw new RangeError(`leaf ${firstLeaf} was written after ${this.#leaves} leaves`)
    await this.#file.write(bytes, firstLeaf * leafBytes)
    for (const hash of hashes) {
      if ((this.#leaves + 1) * hashBytes > this.#hashes.byteLength) this.#grow()
      this.#hashes.set(hash, this.#leaves * hashBytes)
      this.#leaves++
    }
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
