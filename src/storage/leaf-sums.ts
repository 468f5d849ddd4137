/**
 * Checksums of a shard's leaves, in a file beside it: CRC-32, 4 bytes each, little-endian. A keeper looks at every leaf that it gives out, lest it be
 * blamed for what its disk did; by SHA-256 that is 0.52 ns a byte, half of what serving takes beside the network, and by CRC-32 0.15.
 *
 * They only ever spare the hash: a leaf that does not have its sum is hashed, and that decides. So the file is not made durable, may be lost
 * or rot, and is not looked for by those who look whether all is well. What rots by chance has its old sum once in 4 billion times, and then its
 * reader notices.
 */
import { crc32 } from 'node:zlib'

import { leafBytes } from '../../protocols/erasure/index.ts'
import type { Files } from '../environment.ts'
import { ifTheSystemLets } from './system-code.ts'

const sumBytes = 4

export class LeafSums {
  #view: DataView<ArrayBuffer>

  /** `bytes` as `bytes()` gave them. */
  constructor(bytes: Uint8Array<ArrayBuffer> = new Uint8Array()) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Of the leaves from this one on, which are given one after the other. */
  add(firstLeaf: number, bytes: Uint8Array): void {
    const leaves = Math.ceil(bytes.byteLength / leafBytes)
    this.#makeRoom(firstLeaf + leaves)
    for (let index = 0; index < leaves; index++) {
      const leaf = bytes.subarray(index * leafBytes, (index + 1) * leafBytes)
      this.#view.setUint32((firstLeaf + index) * sumBytes, crc32(leaf), true)
    }
  }

  /** Whether the leaf has its sum. If not, nothing is said. */
  has(leaf: number, bytes: Uint8Array): boolean {
    const at = leaf * sumBytes
    return at + sumBytes <= this.#view.byteLength && this.#view.getUint32(at, true) === crc32(bytes)
  }

  /** Of so many leaves, or of those that there are. */
  bytes(leaves: number): Uint8Array {
    const { buffer, byteOffset, byteLength } = this.#view
    return new Uint8Array(buffer, byteOffset, Math.min(leaves * sumBytes, byteLength))
  }

  #makeRoom(leaves: number): void {
    const { byteLength } = this.#view
    if (leaves * sumBytes <= byteLength) return
    const wider = new Uint8Array(Math.max(leaves * sumBytes, 2 * byteLength))
    wider.set(this.bytes(byteLength / sumBytes))
    this.#view = new DataView(wider.buffer)
  }
}

/** Of a shard of so many leaves; none where there is no such file. */
export async function readSums(disk: Files, path: string, leaves: number): Promise<LeafSums> {
  const read = await ifTheSystemLets(async () => {
    const file = await disk.open(path)
    try {
      const bytes = new Uint8Array(leaves * sumBytes)
      return bytes.subarray(0, await file.read(bytes, 0))
    } finally {
      await file.close()
    }
  })
  return new LeafSums(read)
}

/** For later, if the disk lets us. */
export async function writeSums(disk: Files, path: string, sums: LeafSums, leaves: number): Promise<void> {
  await ifTheSystemLets(async () => {
    const file = await disk.create(path, 'empty')
    try {
      await file.write(sums.bytes(leaves), 0)
    } finally {
      await file.close()
    }
  })
}
