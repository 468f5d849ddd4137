/**
 * The names on a virtual disk. A change of names is a transaction in one folder, or in two when a file moves: a file that moves
 * is never under no name. A sync of a folder makes the changes in it durable, with what came before them under the same names;
 * when the power goes, each of the others is there or not, but none whose forerunner is not.
 */
import type { SeededRandom } from '../random.ts'
import { StoredFile } from './stored-file.ts'

export class StoredFolder {
  readonly names = new Map<string, StoredNode>()
  readonly durable = new Map<string, StoredNode>()
}

export type StoredNode = StoredFile | StoredFolder

interface Change {
  readonly folder: StoredFolder
  readonly name: string
  /** Null: the name is removed. */
  readonly node: StoredNode | null
}

/** A kernel writes names back by itself after a while, synced or not. */
const unsyncedMax = 64
const survivesProbability = 0.5

export class StoredNames {
  readonly root = new StoredFolder()
  #unsynced: (readonly Change[])[] = []

  get unsynced(): number {
    return this.#unsynced.length
  }

  /** What is at an absolute path. */
  find(path: string): StoredNode | undefined {
    let node: StoredNode | undefined = this.root
    for (let at = 1; at < path.length;) {
      const slash = path.indexOf('/', at)
      const end = slash === -1 ? path.length : slash
      if (!(node instanceof StoredFolder)) return undefined
      node = node.names.get(path.slice(at, end))
      at = end + 1
    }
    return node
  }

  /** What is at the folder of a path, and the name in it. */
  place(path: string): [StoredNode | undefined, string] {
    const slash = path.lastIndexOf('/')
    return [this.find(path.slice(0, slash)), path.slice(slash + 1)]
  }

  change(changes: readonly Change[]): void {
    for (const { folder, name, node } of changes) {
      if (node === null) folder.names.delete(name)
      else folder.names.set(name, node)
    }
    this.#unsynced.push(changes)
    if (this.#unsynced.length > unsyncedMax) this.#writeBack(this.#unsynced.splice(0, unsyncedMax / 2))
  }

  sync(folder: StoredFolder): void {
    const names = new Names()
    const kept: (readonly Change[])[] = []
    const synced: (readonly Change[])[] = []
    // The newest first: what a change builds on is durable before it.
    for (const changes of this.#unsynced.toReversed()) {
      const isIn = changes.some((change) => change.folder === folder || names.has(change))
      if (isIn) for (const change of changes) names.add(change)
      ;(isIn ? synced : kept).push(changes)
    }
    this.#unsynced = kept.reverse()
    this.#writeBack(synced.reverse())
  }

  losePower(random: SeededRandom): void {
    const lost = new Names()
    for (const changes of this.#unsynced) {
      if (random.chance(survivesProbability) && !changes.some((change) => lost.has(change))) this.#writeBack([changes])
      else for (const change of changes) lost.add(change)
    }
    this.#unsynced = []
    for (const folder of this.#foldersBelow(this.root, 'durable')) {
      folder.names.clear()
      for (const [name, node] of folder.durable) folder.names.set(name, node)
    }
    for (const [, file] of this.files()) file.losePower(random)
  }

  /** All files by their paths, as a reader sees them. */
  *files(below = '', folder = this.root): Generator<[string, StoredFile]> {
    for (const [name, node] of folder.names) {
      const path = `${below}/${name}`
      if (node instanceof StoredFile) yield [path, node]
      else yield* this.files(path, node)
    }
  }

  *#foldersBelow(folder: StoredFolder, which: 'names' | 'durable'): Generator<StoredFolder> {
    yield folder
    for (const node of folder[which].values()) {
      if (node instanceof StoredFolder) yield* this.#foldersBelow(node, which)
    }
  }

  #writeBack(transactions: readonly (readonly Change[])[]): void {
    for (const changes of transactions) {
      for (const { folder, name, node } of changes) {
        if (node === null) folder.durable.delete(name)
        else folder.durable.set(name, node)
      }
    }
  }
}

/** A set of names in folders. */
class Names {
  readonly #names = new Map<StoredFolder, Set<string>>()

  has({ folder, name }: Change): boolean {
    return this.#names.get(folder)?.has(name) ?? false
  }

  add({ folder, name }: Change): void {
    const names = this.#names.get(folder)
    if (names === undefined) this.#names.set(folder, new Set([name]))
    else names.add(name)
  }
}
