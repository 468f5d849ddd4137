/**
 * One Merkle tree per shard, in the shape of RFC 6962 (section 2.1) over SHA-256: leaves of 64 KiB, the last may be shorter;
 * a leaf is hashed after a byte 0x00, a node after 0x01, so that neither can pass for the other.
 */
import { createHash } from 'node:crypto'

import { equals } from 'uint8arrays'

import { hashBytes, sha256 } from '../wire/index.ts'

export const leafBytes = 64 * 1024
const leafPrefix = Uint8Array.of(0x00)
const nodePrefix = Uint8Array.of(0x01)

export function hashLeaf(leaf: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(leafPrefix).update(leaf).digest())
}

export function leafCount(shardBytes: number): number {
  return Math.ceil(shardBytes / leafBytes)
}

/** Length of one leaf of a shard, in bytes. */
export function leafLength(shardBytes: number, leaf: number): number {
  return Math.min(leafBytes, shardBytes - leaf * leafBytes)
}

/** The root over leaf hashes. A shard of no bytes has the hash of nothing as its root, as in RFC 6962. */
export function rootOf(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array())
  if (leaves.length === 1) return leaves[0]!
  const half = splitOf(leaves.length)
  return hashNode(rootOf(leaves.slice(0, half)), rootOf(leaves.slice(half)))
}

/** The audit path of one leaf, from the leaf upwards (RFC 6962, section 2.1.1). */
export function proofOf(leaves: readonly Uint8Array[], leaf: number): Uint8Array[] {
  if (leaf < 0 || leaf >= leaves.length) throw new RangeError('there is no such leaf')
  if (leaves.length === 1) return []
  const half = splitOf(leaves.length)
  return leaf < half
    ? [...proofOf(leaves.slice(0, half), leaf), rootOf(leaves.slice(half))]
    : [...proofOf(leaves.slice(half), leaf - half), rootOf(leaves.slice(0, half))]
}

/** Whether this leaf, at this place of a tree of so many, leads to the root. */
export function verifyProof(
  root: Uint8Array,
  leaf: number,
  leaves: number,
  hash: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (leaf < 0 || leaf >= leaves || proof.some((step) => step.byteLength !== hashBytes)) return false
  const computed = climb(leaf, leaves, hash, proof, proof.length)
  return computed !== undefined && equals(computed, root)
}

function climb(
  leaf: number,
  leaves: number,
  hash: Uint8Array,
  proof: readonly Uint8Array[],
  steps: number,
): Uint8Array | undefined {
  if (leaves === 1) return steps === 0 ? hash : undefined
  if (steps === 0) return undefined
  const half = splitOf(leaves)
  const sibling = proof[steps - 1]!
  if (leaf < half) {
    const left = climb(leaf, half, hash, proof, steps - 1)
    return left === undefined ? undefined : hashNode(left, sibling)
  }
  const right = climb(leaf - half, leaves - half, hash, proof, steps - 1)
  return right === undefined ? undefined : hashNode(sibling, right)
}

/** The largest power of two smaller than `count`. */
function splitOf(count: number): number {
  return 2 ** (Math.ceil(Math.log2(count)) - 1)
}

function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(nodePrefix).update(left).update(right).digest())
}
