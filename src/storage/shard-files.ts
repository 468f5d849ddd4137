/**
 * Shards as files. Written under a temporary name, synced, renamed, the folder synced, and only then entered in the index: so an
 * entry always has its file, and a file without an entry is rubbish.
 */
import { mkdir, open, readFile, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { concat, equals } from 'uint8arrays'

import { MerkleTree, hashLeaf, leafBytes, leafLength, rootOf } from '../../protocols/erasure/index.ts'
import type { ShardSource } from '../../protocols/transfer/index.ts'

/** Stored bytes are not what they were when they were written: our disk's fault, nobody else's. */
export class DamagedShardError extends Error {
  override readonly name = 'DamagedShardError'
  readonly root: string
  readonly leaf: number

  constructor(root: string, leaf: number) {
    super(`shard ${root.slice(0, 12)} is damaged at leaf ${leaf}`)
    this.root = root
    this.leaf = leaf
  }
}

export class ShardFiles {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Makes the folders and throws away what a crash left half written. */
  async prepare(): Promise<void> {
    await mkdir(join(this.#folder, 'shards'), { recursive: true, mode: 0o700 })
    await rm(this.#incoming(), { recursive: true, force: true })
    await mkdir(this.#incoming(), { recursive: true, mode: 0o700 })
  }

  async begin(name: string): Promise<ShardWriter> {
    const path = join(this.#incoming(), name)
    return new ShardWriter(path, await open(path, 'wx', 0o600))
  }

  async adopt(writer: ShardWriter, root: string): Promise<void> {
    const path = this.#pathOf(root)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writer.sync()
    await rename(`${writer.path}.leaves`, `${path}.leaves`)
    await rename(writer.path, path)
    await syncFolder(dirname(path))
  }

  async open(root: string): Promise<ShardSource | undefined> {
    const path = this.#pathOf(root)
    let file: FileHandle
    try {
      file = await open(path, 'r')
    } catch {
      return undefined
    }
    try {
      const { size } = await file.stat()
      const flat = new Uint8Array(await readFile(`${path}.leaves`))
      return sourceOf(root, file, size, new MerkleTree(flat))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async remove(root: string): Promise<void> {
    await rm(this.#pathOf(root), { force: true })
    await rm(`${this.#pathOf(root)}.leaves`, { force: true })
  }

  /** Roots of all files that look like shards. */
  async *roots(): AsyncGenerator<string> {
    for (const folder of await readdir(join(this.#folder, 'shards'))) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue
      for (const name of await readdir(join(this.#folder, 'shards', folder)))
        if (/^[0-9a-f]{64}$/.test(name)) yield name
    }
  }

  async size(root: string): Promise<number | undefined> {
    try {
      return (await stat(this.#pathOf(root))).size
    } catch {
      return undefined
    }
  }

  #incoming(): string {
    return join(this.#folder, 'incoming')
  }

  #pathOf(root: string): string {
    return join(this.#folder, 'shards', root.slice(0, 2), root)
  }
}

/** A shard on its way to the disk. Leaves may be written in any order, by place; hashes are kept beside. */
export class ShardWriter {
  readonly path: string
  readonly #file: FileHandle
  readonly #hashes: Uint8Array[] = []
  #isOpen = true

  constructor(path: string, file: FileHandle) {
    this.path = path
    this.#file = file
  }

  get root(): Uint8Array {
    return rootOf(this.#hashes)
  }

  async write(leaf: number, bytes: Uint8Array, hash: Uint8Array): Promise<void> {
    await this.#file.write(bytes, 0, bytes.byteLength, leaf * leafBytes)
    this.#hashes[leaf] = hash.slice()
  }

  /** Cuts a strip that begins at a leaf into leaves. */
  async writeStrip(firstLeaf: number, strip: Uint8Array): Promise<void> {
    for (let at = 0, leaf = firstLeaf; at < strip.byteLength; at += leafBytes, leaf++) {
      const bytes = strip.subarray(at, at + leafBytes)
      this.#hashes[leaf] = hashLeaf(bytes)
    }
    await this.#file.write(strip, 0, strip.byteLength, firstLeaf * leafBytes)
  }

  async sync(): Promise<void> {
    const beside = await open(`${this.path}.leaves`, 'w', 0o600)
    await beside.write(concat(this.#hashes))
    await beside.datasync()
    await beside.close()
    await this.#file.datasync()
    await this.#close()
  }

  async discard(): Promise<void> {
    await this.#close()
    await rm(this.path, { force: true })
    await rm(`${this.path}.leaves`, { force: true })
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#file.close()
  }
}

/** Proofs are made from the kept hashes; a leaf that no longer has its hash is not given out. */
function sourceOf(root: string, file: FileHandle, shardBytes: number, tree: MerkleTree): ShardSource {
  return {
    shardBytes,
    async leaf(leaf) {
      const bytes = new Uint8Array(leafLength(shardBytes, leaf))
      await file.read(bytes, 0, bytes.byteLength, leaf * leafBytes)
      const hash = hashLeaf(bytes)
      if (!equals(hash, tree.leafHash(leaf))) throw new DamagedShardError(root, leaf)
      return { bytes, proof: tree.proof(leaf) }
    },
    close: async () => file.close(),
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
