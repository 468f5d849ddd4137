/** Merkle proofs, and the frames of a transfer. */
import { concat, toString } from 'uint8arrays'
import { create, toBinary } from '@bufbuild/protobuf'

import { MerkleTree, hashLeaf } from '../../../protocols/erasure/index.ts'
import { encodeTransfer, shardBytesMax, type Transfer } from '../../../protocols/transfer/index.ts'
import { TransferSchema } from '../../../protocols/transfer/wire_pb.ts'
import { sha256 } from '../../../protocols/wire/index.ts'
import { startMs } from '../../negotiate/parties.ts'
import { bad, good, type Case, type VectorFile } from './cases.ts'
import { leaves, tree } from './lease.ts'

const hexOf = (bytes: Uint8Array) => toString(bytes, 'hex')

/** Trees over hashes of leaves that are the hashes of their numbers. */
const treeOf = (count: number) =>
  new MerkleTree(concat(Array.from({ length: count }, (_, leaf) => sha256(Uint8Array.of(leaf)))))
const contextOf = (from: MerkleTree, leaf: number) => ({
  root: hexOf(from.root),
  leaf,
  leaves: from.leaves,
  leafHash: hexOf(from.leafHash(leaf)),
})

const proofs: Case[] = [1, 2, 3, 5, 7, 8, 13].flatMap((count) => {
  const from = treeOf(count)
  return [...new Set([0, count >> 1, count - 1])].map((leaf) =>
    good('merkle-proof', `leaf ${leaf} of ${count}`, concat(from.proof(leaf)), contextOf(from, leaf)),
  )
})
const seven = treeOf(7)
const [path, context] = [concat(seven.proof(2)), contextOf(seven, 2)]
const wrong = (name: string, bytes: Uint8Array, over: Partial<typeof context> = {}) =>
  bad('merkle-proof', name, 'PROOF_INVALID', bytes, { ...context, ...over })

const merkle: VectorFile = {
  what: 'Merkle proofs (protocols/erasure/README.md): the hashes from the leaf upwards, one after the other.',
  cases: [
    ...proofs,
    good('merkle-proof', 'the short last leaf of a real shard', concat(tree.proof(6)), {
      root: hexOf(tree.root),
      leaf: 6,
      leaves: 7,
      leafHash: hexOf(hashLeaf(leaves[6]!)),
    }),
    wrong(
      'a bit turned over',
      Uint8Array.from(path, (byte, at) => (at === 40 ? byte ^ 1 : byte)),
    ),
    wrong('a hash too few', path.slice(32)),
    wrong('a hash too many', concat([path, new Uint8Array(32)])),
    wrong('another leaf of the tree', path, { leaf: 3 }),
    wrong('another leaf hash', path, { leafHash: hexOf(seven.leafHash(3)) }),
    wrong('another number of leaves', path, { leaves: 4 }),
    wrong('a leaf that is not there', path, { leaf: 7 }),
    wrong('the root itself as the leaf', new Uint8Array(), { leafHash: context.root }),
    wrong('a node as the leaf of a smaller tree', concat(seven.proof(2).slice(1)), { leaf: 1, leaves: 4 }),
  ],
}

const says = (name: string, message: Transfer) => good('transfer', name, encodeTransfer(message))
const control = (body: NonNullable<Parameters<typeof create<typeof TransferSchema>>[1]>) =>
  concat([Uint8Array.of(0), toBinary(TransferSchema, create(TransferSchema, body))])
const put = { root: tree.root, shardBytes: BigInt(6 * 65_536 + 10), keepUntilMs: BigInt(startMs) }
const block = encodeTransfer({ say: 'block', leaf: 6, proof: tree.proof(6), bytes: leaves[6]! })

const transfer: VectorFile = {
  what: 'Frames of /pleach/transfer/1, over a shard of seven leaves: 0 to 6, each of bytes of its number, the last of ten.',
  cases: [
    says('GET', { say: 'get', root: tree.root }),
    says('HAVE', { say: 'have', shardBytes: 6 * 65_536 + 10 }),
    says('HAVE the longest', { say: 'have', shardBytes: shardBytesMax }),
    says('PUT', { say: 'put', root: tree.root, shardBytes: 6 * 65_536 + 10, keepUntilMs: startMs + 86_400_000 }),
    says('WANT', { say: 'want', firstLeaf: 0, count: 64 }),
    says('STORED', { say: 'stored', keepUntilMs: startMs + 86_400_000 }),
    says('RELEASE', { say: 'release', root: tree.root }),
    says('RELEASED: it is gone', { say: 'released', keepUntilMs: 0 }),
    says('RELEASED: it is kept for others', { say: 'released', keepUntilMs: startMs + 86_400_000 }),
    says('REFUSED', {
      say: 'refused',
      refusal: { code: 'NO_SPACE', facts: { shardBytes: 393_226, freeBytes: 0, quotaBytes: 100_000 } },
    }),
    says('a block: the last leaf', { say: 'block', leaf: 6, proof: tree.proof(6), bytes: leaves[6]! }),
    says('a block with no proof', { say: 'block', leaf: 0, proof: [], bytes: Uint8Array.of(1) }),
    says('a block with the highest number', {
      say: 'block',
      leaf: 2 ** 32 - 1,
      proof: [tree.root],
      bytes: Uint8Array.of(2),
    }),
    bad(
      'transfer',
      'a root that is no hash',
      'FIELD_INVALID',
      control({ body: { case: 'get', value: { root: tree.root.slice(1) } } }),
    ),
    bad(
      'transfer',
      'a shard of no bytes',
      'FIELD_INVALID',
      control({ body: { case: 'put', value: { ...put, shardBytes: 0n } } }),
    ),
    bad(
      'transfer',
      'a shard too long',
      'FIELD_INVALID',
      control({ body: { case: 'have', value: { shardBytes: BigInt(shardBytesMax) + 1n } } }),
    ),
    bad(
      'transfer',
      'a root to be released that is no hash',
      'FIELD_INVALID',
      control({ body: { case: 'release', value: { root: tree.root.slice(1) } } }),
    ),
    bad('transfer', 'a refusal without a code', 'FIELD_INVALID', control({ body: { case: 'refused', value: {} } })),
    bad('transfer', 'nothing said', 'FIELD_INVALID', control({})),
    bad('transfer', 'no bytes', 'FRAME_MALFORMED', new Uint8Array()),
    bad('transfer', 'a kind of frame that is not known', 'FRAME_MALFORMED', Uint8Array.of(2, 0)),
    bad('transfer', 'not of this form', 'FRAME_MALFORMED', Uint8Array.of(0, 0x0a, 0xff)),
    bad('transfer', 'a block of no bytes', 'FRAME_MALFORMED', block.slice(0, 6 + 32 * tree.proof(6).length)),
    bad('transfer', 'a block cut off in its proof', 'FRAME_MALFORMED', block.slice(0, 20)),
    bad(
      'transfer',
      'more hashes than any tree has',
      'FRAME_MALFORMED',
      concat([Uint8Array.of(1, 0, 0, 0, 0, 33), new Uint8Array(33 * 32 + 1)]),
    ),
  ],
}

export const transferVectors = { 'merkle-proof': merkle, transfer }
