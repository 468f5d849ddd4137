/**
 * One Merkle tree per shard, in the shape of RFC 6962 (section 2.1) over SHA-256: leaves of 64 KiB, the last may be shorter;
 * a leaf is hashed after a byte 0x00, a node after 0x01, so that neither can pass for the other.
 */
import { createHash } from 'node:crypto'

import { equals } from 'uint8arrays'

import { hashBytes, sha256 } from '../wire/sha256.ts'

export const leafBytes = 64 * 1024
const leafPrefix = Uint8Array.of(0x00)
const nodePrefix = 0x01

export function hashLeaf(leaf: Uint8Array): Uint8Array {
  return bytesOf(createHash('sha256').update(leafPrefix).update(leaf).digest())
}

export function leafCount(shardBytes: number): number {
  return Math.ceil(shardBytes / leafBytes)
}

/** Length of one leaf of a shard, in bytes. */
export function leafLength(shardBytes: number, leaf: number): number {
  return Math.min(leafBytes, shardBytes - leaf * leafBytes)
}

/** The hashes of the leaves that a strip or a shard falls into. */
export function hashLeaves(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: leafCount(bytes.byteLength) }, (_, leaf) =>
    hashLeaf(bytes.subarray(leaf * leafBytes, (leaf + 1) * leafBytes)),
  )
}

/** The root over leaf hashes that come one after the other. Holds one hash for each level of the tree. */
export class MerkleBuilder {
  /** Roots of complete subtrees, the largest first: one for each bit that is set in the number of leaves. */
  readonly #subtrees: Uint8Array[] = []
  #leaves = 0

  get leaves(): number {
    return this.#leaves
  }

  add(leafHash: Uint8Array): void {
    let subtree = leafHash
    // Two subtrees of one size become one of twice the size, as a carry runs through a binary counter.
    for (let count = this.#leaves; count % 2 === 1; count = (count - 1) / 2) {
      subtree = hashNode(this.#subtrees.pop()!, subtree)
    }
    this.#subtrees.push(subtree)
    this.#leaves++
  }

  /** `leafHashes`: any number, one after the other. Keeps parts of it. */
  addAll(leafHashes: Uint8Array): void {
    for (let at = 0; at < leafHashes.byteLength; at += hashBytes) this.add(leafHashes.subarray(at, at + hashBytes))
  }

  /** Of the leaves so far. A tree of none has the hash of nothing as its root, as in RFC 6962. */
  root(): Uint8Array {
    return this.#subtrees.length === 0
      ? sha256(new Uint8Array())
      : this.#subtrees.reduceRight((right, left) => hashNode(left, right))
  }
}

export function rootOf(leafHashes: Iterable<Uint8Array>): Uint8Array {
  const builder = new MerkleBuilder()
  for (const hash of leafHashes) builder.add(hash)
  return builder.root()
}

/** Levels of a tree that are filled in one step, over 1,024 leaves: about a millisecond. */
const stepLevels = 10

/** A whole tree, for whoever proves leaves: 64 bytes of memory for each leaf. */
export class MerkleTree {
  /** Hashes of each level, one after the other: the leaves first, the root last. */
  readonly #levels: readonly Uint8Array[]

  /** `leafHashes`: all of them, one after the other, at least one. `levels`: when they are there already. */
  constructor(leafHashes: Uint8Array, levels?: readonly Uint8Array[]) {
    this.#levels = levels ?? emptyLevels(leafHashes)
    if (levels === undefined) fillLevels(this.#levels, 1, this.#levels.length, 0, this.leaves)
  }

  /**
   * As the constructor, in steps of so many leaves: between them others may have the thread, which a large tree would keep for a
   * quarter of a second.
   */
  static *inSteps(leafHashes: Uint8Array): Generator<undefined, MerkleTree> {
    const levels = emptyLevels(leafHashes)
    const leaves = leafHashes.byteLength / hashBytes
    const low = Math.min(levels.length, stepLevels + 1)
    for (let from = 0; from < leaves; from += 2 ** stepLevels) {
      fillLevels(levels, 1, low, from, Math.min(leaves, from + 2 ** stepLevels))
      yield
    }
    fillLevels(levels, low, levels.length, 0, leaves)
    return new MerkleTree(leafHashes, levels)
  }

  get root(): Uint8Array {
    return this.#levels.at(-1)!
  }

  get leaves(): number {
    return this.#levels[0]!.byteLength / hashBytes
  }

  leafHash(leaf: number): Uint8Array {
    return hashAt(this.#levels[0]!, leaf)
  }

  /** The audit path of one leaf, from the leaf upwards (RFC 6962, section 2.1.1). */
  proof(leaf: number): Uint8Array[] {
    if (leaf < 0 || leaf >= this.leaves) throw new RangeError('there is no such leaf')
    const path: Uint8Array[] = []
    let at = leaf
    for (const level of this.#levels.slice(0, -1)) {
      const sibling = at % 2 === 0 ? at + 1 : at - 1
      // The last of an odd number has no sibling: it is its own parent.
      if (sibling * hashBytes < level.byteLength) path.push(hashAt(level, sibling))
      at = Math.floor(at / 2)
    }
    return path
  }
}

/** Whether this leaf, at this place of a tree of so many, leads to the root (RFC 9162, section 2.1.3.2). */
export function verifyProof(
  root: Uint8Array,
  leaf: number,
  leaves: number,
  leafHash: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  return provedPath(root, leaf, leaves, leafHash, proof) !== undefined
}

/**
 * The hashes from a leaf up to the root, itself and the root included, when the leaf leads there; undefined when it does not.
 * `before`: those of the leaf to the left, proved already. The proof may then end where the two paths meet, because all above is
 * known: half of all leaves need no hash at all.
 */
export function provedPath(
  root: Uint8Array,
  leaf: number,
  leaves: number,
  leafHash: Uint8Array,
  proof: readonly Uint8Array[],
  before?: readonly Uint8Array[],
): Uint8Array[] | undefined {
  if (leaf < 0 || leaf >= leaves || proof.some((step) => step.byteLength !== hashBytes)) return undefined
  const path = [leafHash]
  let climbed = leafHash
  let used = 0
  for (let [level, at, last] = [0, leaf, leaves - 1]; last > 0; level++) {
    if (at % 2 === 1 && used === proof.length && before !== undefined) {
      const above = before.slice(level + 1)
      return equals(hashNode(before[level]!, climbed), above[0]!) ? [...path, ...above] : undefined
    }
    // The last of an odd number has no sibling: it is its own parent.
    if (at % 2 === 1 || at < last) {
      const sibling = proof[used++]
      if (sibling === undefined) return undefined
      climbed = at % 2 === 1 ? hashNode(sibling, climbed) : hashNode(climbed, sibling)
    }
    path.push(climbed)
    ;[at, last] = [Math.floor(at / 2), Math.floor(last / 2)]
  }
  return used === proof.length && equals(climbed, root) ? path : undefined
}

/** How many hashes of its proof a leaf needs for whoever has proved the leaf to its left: those below where the paths meet. */
export function hashesAfterNeighbour(leaf: number, leaves: number): number {
  let hashes = 0
  for (let [at, last] = [leaf, leaves - 1]; at % 2 === 0 && last > 0;) {
    if (at < last) hashes++
    ;[at, last] = [at / 2, Math.floor(last / 2)]
  }
  return hashes
}

/** Room for all levels above these leaves. */
function emptyLevels(leafHashes: Uint8Array): Uint8Array[] {
  if (leafHashes.byteLength === 0 || leafHashes.byteLength % hashBytes !== 0) {
    throw new RangeError(`${leafHashes.byteLength} bytes are not the hashes of leaves`)
  }
  const levels = [leafHashes]
  for (let count = leafHashes.byteLength / hashBytes; count > 1;) {
    count = Math.ceil(count / 2)
    levels.push(new Uint8Array(count * hashBytes))
  }
  return levels
}

/** Fills levels from the one below them, as far as they are over the leaves `from` … `to`. */
function fillLevels(levels: readonly Uint8Array[], first: number, end: number, from: number, to: number): void {
  for (let level = first; level < end; level++) {
    const [below, above] = [levels[level - 1]!, levels[level]!]
    const count = below.byteLength / hashBytes
    for (let index = Math.floor(from / 2 ** level); index < Math.ceil(to / 2 ** level); index++) {
      const left = hashAt(below, 2 * index)
      above.set(2 * index + 1 < count ? hashNode(left, hashAt(below, 2 * index + 1)) : left, index * hashBytes)
    }
  }
}

function hashAt(level: Uint8Array, index: number): Uint8Array {
  return level.subarray(index * hashBytes, (index + 1) * hashBytes)
}

function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  const node = new Uint8Array(1 + 2 * hashBytes)
  node[0] = nodePrefix
  node.set(left, 1)
  node.set(right, 1 + hashBytes)
  return sha256(node)
}

/** A plain array, not a Buffer, which prints and compares differently. */
function bytesOf(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}
