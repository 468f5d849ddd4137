/**
 * A disk that can be full: while it is, nothing is made on it and nothing written, as on a real one. What is there can be read,
 * and removed.
 */
import type { Files, OpenFile } from '../../src/environment.ts'

export class FullDisk implements Files {
  isFull = false
  /** How often something did not fit. */
  refused = 0
  readonly #disk: Files

  constructor(disk: Files) {
    this.#disk = disk
  }

  readonly open: Files['open'] = async (path) => this.#watched(await this.#disk.open(path))
  readonly create: Files['create'] = async (path, how) => {
    this.#check()
    return this.#watched(await this.#disk.create(path, how))
  }
  readonly rename: Files['rename'] = async (from, to) => this.#disk.rename(from, to)
  readonly remove: Files['remove'] = async (path) => this.#disk.remove(path)
  readonly makeFolder: Files['makeFolder'] = async (path) => {
    this.#check()
    await this.#disk.makeFolder(path)
  }
  readonly list: Files['list'] = async (path) => this.#disk.list(path)
  readonly syncFolder: Files['syncFolder'] = async (path) => this.#disk.syncFolder(path)

  #watched(file: OpenFile): OpenFile {
    return {
      read: async (bytes, at) => file.read(bytes, at),
      write: async (bytes, at) => {
        this.#check()
        await file.write(bytes, at)
      },
      datasync: async () => file.datasync(),
      look: async () => file.look(),
      close: async () => file.close(),
    }
  }

  #check(): void {
    if (!this.isFull) return
    this.refused += 1
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  }
}
