/**
 * Shards as files. Written under a temporary name, synced, renamed, the folder synced, and only then entered in the index: so an
 * entry always has its file, and a file without an entry is rubbish.
 *
 *     <folder>/shards/ab/ab12…           the shard, under its root in hex
 *     <folder>/shards/ab/ab12….leaves    the hashes of its leaves, 32 bytes each
 *     <folder>/incoming/<name>           what is not finished: thrown away at the next start
 */
import { mkdir, open, readFile, readdir, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { equals, fromString } from 'uint8arrays'

import { MerkleTree, hashLeaf, leafBytes, leafCount, leafLength } from '../../protocols/erasure/index.ts'
import type { ShardSource } from '../../protocols/transfer/index.ts'
import { hashBytes } from '../../protocols/wire/index.ts'
import { readAll, syncFolder, systemCode } from './file-io.ts'
import { ShardWriter } from './shard-writer.ts'

/** Stored bytes are not what they were when they were written: our disk's fault, nobody else's. */
export class DamagedShardError extends Error {
  override readonly name = 'DamagedShardError'
  readonly root: string
  /** -1: the hashes of the leaves are damaged, or the shard has another length. */
  readonly leaf: number

  constructor(root: string, leaf: number) {
    super(`shard ${root.slice(0, 12)} is damaged ${leaf === -1 ? 'in its hashes or its length' : `at leaf ${leaf}`}`)
    this.root = root
    this.leaf = leaf
  }
}

/** Memory for the trees of shards that are read again and again: building one costs 1 µs a leaf, and a GET may ask for one. */
const treeCacheBytesMax = 64 * 1024 * 1024
/** A tree holds its leaves' hashes and as many again above them. */
const treeBytesPerLeaf = 2 * hashBytes

export class ShardFiles {
  readonly #folder: string
  readonly #treesBytesMax: number
  /** By root; the one that was used last comes last. */
  readonly #trees = new Map<string, MerkleTree>()

  constructor(folder: string, treesBytesMax: number = treeCacheBytesMax) {
    this.#folder = folder
    this.#treesBytesMax = treesBytesMax
  }

  /** Makes the folders and throws away what a crash left half written. */
  async prepare(): Promise<void> {
    await mkdir(join(this.#folder, 'shards'), { recursive: true, mode: 0o700 })
    await rm(this.#incoming(), { recursive: true, force: true })
    await mkdir(this.#incoming(), { recursive: true, mode: 0o700 })
    await syncFolder(this.#folder)
  }

  async begin(name: string): Promise<ShardWriter> {
    const path = join(this.#incoming(), name)
    return new ShardWriter(path, await open(path, 'wx', 0o600))
  }

  /** Gives what was written its name. Durable when it resolves. */
  async adopt(writer: ShardWriter, root: string): Promise<void> {
    const path = this.#pathOf(root)
    // A folder that is new is a name in the folder above, to be made durable too.
    if ((await mkdir(dirname(path), { recursive: true, mode: 0o700 })) !== undefined) {
      await syncFolder(dirname(dirname(path)))
    }
    await writer.sync()
    await rename(`${writer.path}.leaves`, `${path}.leaves`)
    await rename(writer.path, path)
    await syncFolder(dirname(path))
  }

  /** Undefined when there is no such file. Rejects with DamagedShardError when it cannot be proved from. */
  async open(root: string): Promise<ShardSource | undefined> {
    const path = this.#pathOf(root)
    const file = await openIfThere(path)
    if (file === undefined) return undefined
    try {
      const { size } = await file.stat()
      return sourceOf(root, file, size, await this.#treeOf(root, size))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async remove(root: string): Promise<void> {
    await rm(this.#pathOf(root), { force: true })
    await rm(`${this.#pathOf(root)}.leaves`, { force: true })
  }

  /** Roots of all files that look like shards, or like what belongs to one. Other files are not ours and are left alone. */
  async *roots(): AsyncGenerator<string> {
    for (const folder of await readdir(join(this.#folder, 'shards'))) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue
      const names = await readdir(join(this.#folder, 'shards', folder))
      yield* new Set(names.flatMap((name) => /^([0-9a-f]{64})(?:\.leaves)?$/.exec(name)?.[1] ?? []))
    }
  }

  /** Bytes of a shard's file; undefined when there is none. */
  async size(root: string): Promise<number | undefined> {
    const file = await openIfThere(this.#pathOf(root))
    try {
      return (await file?.stat())?.size
    } finally {
      await file?.close()
    }
  }

  async #treeOf(root: string, shardBytes: number): Promise<MerkleTree> {
    const tree = this.#trees.get(root) ?? (await readTree(root, `${this.#pathOf(root)}.leaves`))
    if (tree.leaves !== leafCount(shardBytes)) throw new DamagedShardError(root, -1)
    this.#trees.delete(root)
    this.#trees.set(root, tree)
    let bytes = 0
    for (const { leaves } of this.#trees.values()) bytes += leaves * treeBytesPerLeaf
    for (const [oldest, { leaves }] of this.#trees) {
      if (bytes <= this.#treesBytesMax) break
      this.#trees.delete(oldest)
      bytes -= leaves * treeBytesPerLeaf
    }
    return tree
  }

  #incoming(): string {
    return join(this.#folder, 'incoming')
  }

  #pathOf(root: string): string {
    return join(this.#folder, 'shards', root.slice(0, 2), root)
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** The tree that proofs are made from. It must have the root, or we would send proofs that are our fault. */
async function readTree(root: string, path: string): Promise<MerkleTree> {
  try {
    const tree = new MerkleTree(new Uint8Array(await readFile(path)))
    if (equals(tree.root, fromString(root, 'hex'))) return tree
  } catch (error) {
    if (!(error instanceof RangeError) && systemCode(error) !== 'ENOENT') throw error
  }
  throw new DamagedShardError(root, -1)
}

/** A leaf that no longer has its hash is not given out. */
function sourceOf(root: string, file: FileHandle, shardBytes: number, tree: MerkleTree): ShardSource {
  return {
    shardBytes,
    async leaf(leaf) {
      const bytes = new Uint8Array(leafLength(shardBytes, leaf))
      await readAll(file, bytes, leaf * leafBytes)
      if (!equals(hashLeaf(bytes), tree.leafHash(leaf))) throw new DamagedShardError(root, leaf)
      return { bytes, proof: tree.proof(leaf) }
    },
    close: async () => file.close(),
  }
}
