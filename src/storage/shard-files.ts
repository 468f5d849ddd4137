/**
 * Shards as files. Written under a temporary name, synced, renamed, the folder synced, and only then entered in the index: so an
 * entry always has its file, and a file without an entry is rubbish.
 *
 *     <folder>/shards/ab/ab12…           the shard, under its root in hex
 *     <folder>/shards/ab/ab12….leaves    the hashes of its leaves, 32 bytes each
 *     <folder>/shards/ab/ab12….sums      their checksums, 4 bytes each: what can be done without (leaf-sums.ts)
 *     <folder>/incoming/<name>           what is not finished: thrown away at the next start
 */
import { dirname, join } from 'node:path'

import { equals, fromString } from 'uint8arrays'

import { MerkleBuilder, MerkleTree, hashLeaf, leafBytes, leafCount, leafLength } from '../../protocols/erasure/index.ts'
import type { ShardSource } from '../../protocols/transfer/index.ts'
import { hashBytes } from '../../protocols/wire/index.ts'
import type { Files, OpenFile } from '../environment.ts'
import { LeafSums, readSums } from './leaf-sums.ts'
import { ShardWriter } from './shard-writer.ts'
import { ifTheSystemLets, systemCode } from './system-code.ts'

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

/** Leaves that are read at once, where one after the other is asked for. */
const leavesAheadMax = 8
/** Memory for the trees of shards that are read again and again: building one costs 1 µs a leaf, and a GET may ask for one. */
const treeCacheBytesMax = 64 * 1024 * 1024
/** A tree holds its leaves' hashes and as many again above them; the checksums come on top. */
const treeBytesPerLeaf = 2 * hashBytes + 4

/** What lies beside a shard. */
interface Beside {
  readonly tree: MerkleTree
  readonly sums: LeafSums
}

export class ShardFiles {
  readonly #disk: Files
  readonly #folder: string
  readonly #treesBytesMax: number
  /** By root; the one that was used last comes last. */
  readonly #beside = new Map<string, Beside>()
  /** Folders of shards whose names are durable, or are just being made so: at most 256. */
  readonly #durable = new Map<string, Promise<void>>()

  constructor(disk: Files, folder: string, treesBytesMax: number = treeCacheBytesMax) {
    this.#disk = disk
    this.#folder = folder
    this.#treesBytesMax = treesBytesMax
  }

  /** Makes the folders and throws away what a crash left half written. */
  async prepare(): Promise<void> {
    await this.#disk.makeFolder(join(this.#folder, 'shards'))
    await this.#disk.remove(this.#incoming())
    await this.#disk.makeFolder(this.#incoming())
    await this.#disk.syncFolder(this.#folder)
  }

  async begin(name: string): Promise<ShardWriter> {
    const path = join(this.#incoming(), name)
    return new ShardWriter(this.#disk, path, await this.#disk.create(path, 'new'))
  }

  /** Gives what was written its name. Durable when it resolves. */
  async adopt(writer: ShardWriter, root: string): Promise<void> {
    const path = this.#pathOf(root)
    await this.#durableFolder(dirname(path))
    await writer.sync()
    await this.#disk.rename(`${writer.path}.leaves`, `${path}.leaves`)
    await ifTheSystemLets(async () => this.#disk.rename(`${writer.path}.sums`, `${path}.sums`))
    await this.#disk.rename(writer.path, path)
    await this.#disk.syncFolder(dirname(path))
  }

  /**
   * Undefined when there is no such file. Rejects with DamagedShardError when it cannot be proved from. `isAnew`: the hashes are read
   * from the disk, though they are in memory, and each leaf is compared with its own.
   */
  async open(root: string, isAnew = false): Promise<ShardSource | undefined> {
    const path = this.#pathOf(root)
    const file = await openIfThere(this.#disk, path)
    if (file === undefined) return undefined
    try {
      const { bytes } = await file.look()
      const { tree, sums } = await this.#besideOf(root, bytes, isAnew)
      return sourceOf(root, file, bytes, { tree, sums: isAnew ? new LeafSums() : sums })
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /**
   * The hashes of a shard's leaves one after the other, made from its bytes, when these have the root and there are so many of them;
   * else undefined. `pace` is awaited after each leaf.
   */
  async hashesOf(root: string, shardBytes: number, pace: () => Promise<void>): Promise<Uint8Array | undefined> {
    const file = await openIfThere(this.#disk, this.#pathOf(root))
    try {
      if (file === undefined || (await file.look()).bytes !== shardBytes) return undefined
      const hashes = new Uint8Array(leafCount(shardBytes) * hashBytes)
      const builder = new MerkleBuilder()
      const memory = new Uint8Array(leafBytes)
      for (let leaf = 0; leaf < leafCount(shardBytes); leaf++) {
        const bytes = memory.subarray(0, leafLength(shardBytes, leaf))
        const read = await file.read(bytes, leaf * leafBytes)
        const hash = hashLeaf(bytes.subarray(0, read))
        hashes.set(hash, leaf * hashBytes)
        builder.addAll(hash)
        await pace()
      }
      return equals(builder.root(), fromString(root, 'hex')) ? hashes : undefined
    } finally {
      await file?.close()
    }
  }

  /** Puts hashes that were made again in the place of those beside the shard. Durable when it resolves. */
  async mend(root: string, hashes: Uint8Array): Promise<void> {
    const path = `${this.#pathOf(root)}.leaves`
    const fresh = join(this.#incoming(), `${root}.leaves`)
    const file = await this.#disk.create(fresh, 'empty')
    try {
      await file.write(hashes, 0)
      await file.datasync()
    } finally {
      await file.close()
    }
    await this.#disk.rename(fresh, path)
    await this.#disk.syncFolder(dirname(path))
  }

  async remove(root: string): Promise<void> {
    await this.#disk.remove(this.#pathOf(root))
    await this.#disk.remove(`${this.#pathOf(root)}.leaves`)
    await this.#disk.remove(`${this.#pathOf(root)}.sums`)
  }

  /** Roots of all files that look like shards, or like what belongs to one. Other files are not ours and are left alone. */
  async *roots(): AsyncGenerator<string> {
    for (const folder of await this.#disk.list(join(this.#folder, 'shards'))) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue
      const names = await this.#disk.list(join(this.#folder, 'shards', folder))
      yield* new Set(names.flatMap((name) => /^([0-9a-f]{64})(?:\.(?:leaves|sums))?$/.exec(name)?.[1] ?? []))
    }
  }

  /** Bytes of a shard's file; undefined when there is none. */
  async size(root: string): Promise<number | undefined> {
    const file = await openIfThere(this.#disk, this.#pathOf(root))
    try {
      return (await file?.look())?.bytes
    } finally {
      await file?.close()
    }
  }

  async #besideOf(root: string, shardBytes: number, isAnew: boolean): Promise<Beside> {
    const known = isAnew ? undefined : this.#beside.get(root)
    const beside = known ?? (await this.#readBeside(root))
    if (beside.tree.leaves !== leafCount(shardBytes)) throw new DamagedShardError(root, -1)
    this.#beside.delete(root)
    this.#beside.set(root, beside)
    let bytes = 0
    for (const { tree } of this.#beside.values()) bytes += tree.leaves * treeBytesPerLeaf
    for (const [oldest, { tree }] of this.#beside) {
      if (bytes <= this.#treesBytesMax) break
      this.#beside.delete(oldest)
      bytes -= tree.leaves * treeBytesPerLeaf
    }
    return beside
  }

  async #readBeside(root: string): Promise<Beside> {
    const path = this.#pathOf(root)
    const tree = await readTree(this.#disk, root, `${path}.leaves`)
    return { tree, sums: await readSums(this.#disk, `${path}.sums`, tree.leaves) }
  }

  /**
   * A folder that is new is a name in the folder above, to be made durable too; and one that is there may have been made by
   * another who has not come so far, or before a crash. So nobody goes on before it was done once since the start.
   */
  async #durableFolder(folder: string): Promise<void> {
    const known = this.#durable.get(folder)
    if (known !== undefined) return known
    const made = (async () => {
      await this.#disk.makeFolder(folder)
      await this.#disk.syncFolder(dirname(folder))
    })()
    this.#durable.set(folder, made)
    try {
      await made
    } catch (error) {
      this.#durable.delete(folder)
      throw error
    }
  }

  #incoming(): string {
    return join(this.#folder, 'incoming')
  }

  #pathOf(root: string): string {
    return join(this.#folder, 'shards', root.slice(0, 2), root)
  }
}

async function openIfThere(disk: Files, path: string): Promise<OpenFile | undefined> {
  try {
    return await disk.open(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** The tree that proofs are made from. It must have the root, or we would send proofs that are our fault. */
async function readTree(disk: Files, root: string, path: string): Promise<MerkleTree> {
  try {
    const tree = await grow(disk, path)
    if (equals(tree.root, fromString(root, 'hex'))) return tree
  } catch (error) {
    if (!(error instanceof RangeError) && systemCode(error) !== 'ENOENT') throw error
  }
  throw new DamagedShardError(root, -1)
}

/** Between the steps of a large tree the file is looked at: whoever waits for the disk lets others have the thread. */
async function grow(disk: Files, path: string): Promise<MerkleTree> {
  const file = await disk.open(path)
  try {
    const bytes = new Uint8Array((await file.look()).bytes)
    const growing = MerkleTree.inSteps(bytes.subarray(0, await file.read(bytes, 0)))
    for (;;) {
      const step = growing.next()
      if (step.done === true) return step.value
      await file.look()
    }
  } finally {
    await file.close()
  }
}

/** What was read at once. */
interface ReadAhead {
  readonly first: number
  readonly leaves: number
  readonly bytes: Promise<Uint8Array>
}

/**
 * A leaf that no longer has its checksum nor its hash is not given out. Who reads on where it left off is given what was read ahead: the way to the
 * disk and back costs as much for eight leaves as for one. Two memories take turns, so that one leaf may be looked at while the next
 * is read.
 */
function sourceOf(root: string, file: OpenFile, shardBytes: number, { tree, sums }: Beside): ShardSource {
  const memories: (Uint8Array | undefined)[] = [undefined, undefined]
  let next = 0
  let ahead: ReadAhead | undefined
  const read = async (first: number, leaves: number): Promise<Uint8Array> => {
    const at = first * leafBytes
    const served = memories.shift()
    const memory = served?.byteLength === leaves * leafBytes ? served : new Uint8Array(leaves * leafBytes)
    memories.push(memory)
    const bytes = memory.subarray(0, Math.min(shardBytes - at, memory.byteLength))
    return bytes.subarray(0, await file.read(bytes, at))
  }
  return {
    shardBytes,
    async leaf(leaf) {
      if (ahead === undefined || leaf < ahead.first || leaf >= ahead.first + ahead.leaves) {
        const leaves = leaf === next ? leavesAheadMax : 1
        ahead = { first: leaf, leaves, bytes: read(leaf, leaves) }
      }
      next = leaf + 1
      const at = (leaf - ahead.first) * leafBytes
      const bytes = (await ahead.bytes).subarray(at, at + leafLength(shardBytes, leaf))
      if (!sums.has(leaf, bytes) && !equals(hashLeaf(bytes), tree.leafHash(leaf)))
        throw new DamagedShardError(root, leaf)
      return { bytes, proof: tree.proof(leaf) }
    },
    close: async () => file.close(),
  }
}
