/**
 * What catches an uploader who coded inconsistently. Every block that comes is checked against the root of its shard, but a strip
 * that was decoded is not: a dishonest uploader can name roots of data and parity that do not belong together, and readers who
 * use different shards would read different things. So every data shard that was rebuilt, in part or whole, is hashed again
 * and must have the root that the manifest names. Parity need not be: the data shards alone say what the object is.
 */
import { equals } from 'uint8arrays'

import type { ObjectManifest } from './manifest.ts'
import { MerkleBuilder } from './merkle.ts'

/** The shards are what the manifest says, and do not make one object: whoever made it coded it wrongly, or the key is wrong. */
export class InconsistentObjectError extends Error {
  override readonly name = 'InconsistentObjectError'
}

export class Commitment {
  readonly #roots: readonly Uint8Array[]
  readonly #builders: readonly MerkleBuilder[]
  readonly #rebuilt = new Set<number>()

  constructor(manifest: Pick<ObjectManifest, 'code' | 'shards'>) {
    this.#roots = manifest.shards
    this.#builders = Array.from({ length: manifest.code.k }, () => new MerkleBuilder())
  }

  /** The next strip of a data shard, as it came: the hashes of its leaves, which were proved to be of the shard. */
  came(shard: number, leafHashes: Iterable<Uint8Array>): void {
    for (const hash of leafHashes) this.#builders[shard]!.add(hash)
  }

  /** The next strip of a data shard, as it was decoded: the hashes of its leaves one after the other, which nobody has proved. */
  rebuilt(shard: number, leafHashes: Uint8Array): void {
    this.#rebuilt.add(shard)
    this.#builders[shard]!.addAll(leafHashes)
  }

  /** To be called after the last strip, before anything that was read is believed. Throws InconsistentObjectError. */
  check(): void {
    for (const shard of this.#rebuilt) {
      if (!equals(this.#builders[shard]!.root(), this.#roots[shard]!)) {
        throw new InconsistentObjectError(
          `shard ${shard}, rebuilt, is not the one in the manifest: the object was coded wrongly`,
        )
      }
    }
  }
}
