/**
 * A virtual disk: the `Files` port with the semantics of a real one. What is written is seen by every reader at once, and would
 * be lost with the power until it was synced; names likewise, until their folder was. When only the process dies, all that was
 * written stays. Each life of a peer has its own `Files`: what a life that is over still waits for never comes.
 */
import type { Files, OpenFile } from '../../src/environment.ts'
import type { SeededRandom } from '../random.ts'
import type { LifeClock } from './life.ts'
import { StoredFile } from './stored-file.ts'
import { StoredFolder, StoredNames } from './stored-names.ts'

export interface DiskPace {
  /** What a sync takes, in milliseconds. */
  readonly syncMs: readonly [number, number]
  /** How often anything else takes time too: most of it is memory. */
  readonly slowProbability: number
  readonly slowMs: readonly [number, number]
}

export const quickDisk: DiskPace = { syncMs: [1, 8], slowProbability: 0.05, slowMs: [1, 40] }

export type DiskLife = Pick<LifeClock, 'after' | 'isOver'>

/** A sync that finds the disk full fails only where there was something to be written, and not always. */
const syncFailsProbability = 0.5

export class DiskError extends Error {
  readonly code: string

  constructor(code: string, path: string) {
    super(`${code}: ${path}`)
    this.code = code
  }
}

export class ModelDisk {
  names = new StoredNames()
  readonly random: SeededRandom
  pace: DiskPace
  isFull = false
  /** Called after whatever changed the disk, so that a peer can be crashed between any two of them. */
  onEffect: () => void = () => {}

  constructor(random: SeededRandom, pace: DiskPace = quickDisk) {
    this.random = random
    this.pace = pace
  }

  /** The disk as one life of its peer has it. */
  files(life: DiskLife): LifeFiles {
    return new LifeFiles(this, life)
  }

  /** The power goes: what was not synced is there, or not, or in part. To be called when the life is over. */
  losePower(): void {
    this.names.losePower(this.random)
  }

  /** Another disk, on which there is nothing. To be called when the life is over. */
  wipe(): void {
    this.names = new StoredNames()
  }

  /** Flips a bit of a file whose path fits; returns the path. */
  rot(fits: (path: string) => boolean): string | undefined {
    const files = [...this.names.files()].filter(([path, file]) => file.bytes > 0 && fits(path))
    if (files.length === 0) return undefined
    const [path, file] = this.random.pick(files)
    file.rot(this.random)
    return path
  }

  /** What is in a file now, for whoever checks: a view. */
  content(path: string): Uint8Array | undefined {
    const node = this.names.find(path)
    return node instanceof StoredFile ? node.content : undefined
  }

  /** Paths of all files below a folder. */
  paths(below: string): string[] {
    const folder = this.names.find(below)
    return folder instanceof StoredFolder ? [...this.names.files(below, folder)].map(([path]) => path) : []
  }

  delayMs(isSync: boolean): number {
    const { syncMs, slowProbability, slowMs } = this.pace
    if (isSync) return this.random.between(syncMs[0], syncMs[1])
    return this.random.chance(slowProbability) ? this.random.between(slowMs[0], slowMs[1]) : 0
  }
}

export class LifeFiles implements Files {
  readonly #disk: ModelDisk
  readonly #life: DiskLife
  /** Files that are open now. */
  opened = 0

  constructor(disk: ModelDisk, life: DiskLife) {
    this.#disk = disk
    this.#life = life
  }

  async open(path: string): Promise<OpenFile> {
    return this.#act(false, () => {
      const file = this.#disk.names.find(path)
      if (!(file instanceof StoredFile)) throw new DiskError(file === undefined ? 'ENOENT' : 'EISDIR', path)
      return this.#handle(file, path)
    })
  }

  async create(path: string, how: 'new' | 'empty' | 'as-is'): Promise<OpenFile> {
    return this.#change(path, () => {
      const [folder, name] = this.#place(path)
      const known = folder.names.get(name)
      if (how === 'new' && known !== undefined) throw new DiskError('EEXIST', path)
      if (how === 'as-is' && known instanceof StoredFile) return this.#handle(known, path)
      const file = new StoredFile()
      // One that is emptied is another file here: after a loss of power it may be the old one again.
      this.#disk.names.change([{ folder, name, node: file }])
      return this.#handle(file, path)
    })
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#act(false, () => {
      const [source, oldName] = this.#place(from)
      const [target, newName] = this.#place(to)
      const node = source.names.get(oldName)
      if (node === undefined) throw new DiskError('ENOENT', from)
      this.#disk.names.change([
        { folder: source, name: oldName, node: null },
        { folder: target, name: newName, node },
      ])
      this.#disk.onEffect()
    })
  }

  async remove(path: string): Promise<void> {
    await this.#act(false, () => {
      const [folder, name] = this.#disk.names.place(path)
      if (!(folder instanceof StoredFolder) || !folder.names.has(name)) return
      this.#disk.names.change([{ folder, name, node: null }])
      this.#disk.onEffect()
    })
  }

  async makeFolder(path: string): Promise<void> {
    await this.#act(false, () => {
      let folder = this.#disk.names.root
      for (const name of path.split('/')) {
        if (name === '') continue
        let node = folder.names.get(name)
        if (node === undefined) {
          if (this.#disk.isFull) throw new DiskError('ENOSPC', path)
          node = new StoredFolder()
          this.#disk.names.change([{ folder, name, node }])
          this.#disk.onEffect()
          // Dead, and perhaps without power: nothing more may come to the disk.
          if (this.#life.isOver) return
        }
        if (node instanceof StoredFile) throw new DiskError('ENOTDIR', path)
        folder = node
      }
    })
  }

  async list(path: string): Promise<string[]> {
    return this.#act(false, () => [...this.#folder(path).names.keys()])
  }

  async syncFolder(path: string): Promise<void> {
    await this.#act(true, () => {
      this.#disk.names.sync(this.#folder(path))
      this.#disk.onEffect()
    })
  }

  /** It fills up without a warning: what was looked at may be gone when it is needed, on a real one too. */
  async space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }> {
    return { freeBytes: Infinity, totalBytes: Infinity }
  }

  #handle(file: StoredFile, path: string): OpenFile {
    this.opened++
    let isOpen = true
    return {
      read: async (bytes, at) => this.#act(false, () => file.read(bytes, at)),
      write: async (bytes, at) => this.#change(path, () => file.write(bytes, at)),
      datasync: async () =>
        this.#act(true, () => {
          const disk = this.#disk
          if (disk.isFull && !file.isSynced && disk.random.chance(syncFailsProbability))
            throw new DiskError('ENOSPC', path)
          file.sync()
          disk.onEffect()
        }),
      look: async () => this.#act(false, () => ({ bytes: file.bytes, version: file.version })),
      close: async () => {
        if (isOpen) this.opened--
        isOpen = false
      },
    }
  }

  /** What needs room. */
  async #change<Result>(path: string, act: () => Result): Promise<Result> {
    return this.#act(false, () => {
      if (this.#disk.isFull) throw new DiskError('ENOSPC', path)
      const result = act()
      this.#disk.onEffect()
      return result
    })
  }

  /** A crash meanwhile takes the act with it; and one right after it leaves nobody to be told. */
  async #act<Result>(isSync: boolean, act: () => Result): Promise<Result> {
    const life = this.#life
    const delayMs = life.isOver ? 0 : this.#disk.delayMs(isSync)
    if (delayMs > 0) await passed(life, delayMs)
    if (!life.isOver) {
      const result = act()
      if (!life.isOver) return result
    }
    return new Promise<never>(() => {})
  }

  #folder(path: string): StoredFolder {
    const node = this.#disk.names.find(path)
    if (node instanceof StoredFolder) return node
    throw new DiskError(node === undefined ? 'ENOENT' : 'ENOTDIR', path)
  }

  #place(path: string): [StoredFolder, string] {
    const [folder, name] = this.#disk.names.place(path)
    if (folder instanceof StoredFolder) return [folder, name]
    throw new DiskError(folder === undefined ? 'ENOENT' : 'ENOTDIR', path)
  }
}

async function passed(life: DiskLife, delayMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  life.after(delayMs, resolve)
  return promise
}
