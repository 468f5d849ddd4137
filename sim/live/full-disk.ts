/**
 * A disk that can be full: while it is, nothing is made on it and nothing written, as on a real one. What is there can be read,
 * and removed. The ledger on it can have what fits in the pages that it has.
 */
import type { DatabaseSync } from 'node:sqlite'

import type { Files, OpenFile } from '../../src/environment.ts'
import { openLedgerDatabase, Store } from '../../src/ledger/store.ts'

export class FullDisk implements Files {
  #isFull = false
  #ledger: DatabaseSync | undefined
  /** How often something did not fit. */
  refused = 0
  readonly #disk: Files

  constructor(disk: Files) {
    this.#disk = disk
  }

  get isFull(): boolean {
    return this.#isFull
  }

  set isFull(isFull: boolean) {
    this.#isFull = isFull
    if (this.#ledger?.isOpen === true) limit(this.#ledger, isFull)
  }

  readonly openLedger: typeof Store.open = (path, clock, log) => {
    this.#ledger = openLedgerDatabase(path)
    if (this.#isFull) limit(this.#ledger, true)
    return Store.over(this.#ledger, path, clock, log)
  }

  readonly open: Files['open'] = async (path) => this.#watched(await this.#disk.open(path))
  readonly create: Files['create'] = async (path, how, way) => {
    this.#check()
    return this.#watched(await this.#disk.create(path, how, way))
  }
  readonly rename: Files['rename'] = async (from, to) => this.#disk.rename(from, to)
  readonly remove: Files['remove'] = async (path) => this.#disk.remove(path)
  readonly makeFolder: Files['makeFolder'] = async (path) => {
    this.#check()
    await this.#disk.makeFolder(path)
  }
  readonly list: Files['list'] = async (path) => this.#disk.list(path)
  /** It fills up without a warning. */
  readonly space: Files['space'] = async (path) => this.#disk.space(path)
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
    if (!this.#isFull) return
    this.refused += 1
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  }
}

/** What SQLite does for us: a page beyond this is SQLITE_FULL. */
const pagesUnbounded = 2 ** 32 - 2

function limit(ledger: DatabaseSync, isFull: boolean): void {
  // Tables that steps of its form have dropped left pages behind, in which a job has room.
  if (isFull) ledger.exec('VACUUM')
  const { page_count: pages } = ledger.prepare('PRAGMA page_count').get() as { page_count: number }
  ledger.exec(`PRAGMA max_page_count=${isFull ? pages : pagesUnbounded}`)
}
