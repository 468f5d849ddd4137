/**
 * A disk that can be full: while it is, nothing is made on it and nothing written, as on a real one; and the ledger on it may not
 * grow, which is an error of SQLite's own. What is there can be read, and removed.
 */
import type { DatabaseSync } from 'node:sqlite'

import type { Clock, Files, Log, OpenFile } from '../../src/environment.ts'
import { openDatabase, pageBytes } from '../../src/ledger/database.ts'
import { ledgerSteps } from '../../src/ledger/migrations.ts'
import { ledgerBytesMax, Store } from '../../src/ledger/store.ts'

export class FullDisk implements Files {
  /** How often something did not fit, but in the ledger. */
  refused = 0
  #isFull = false
  #ledger: DatabaseSync | undefined
  readonly #disk: Files

  constructor(disk: Files) {
    this.#disk = disk
  }

  get isFull(): boolean {
    return this.#isFull
  }

  fill(): void {
    this.#isFull = true
    this.#limitLedger()
  }

  /** Room is made. */
  clear(): void {
    this.#isFull = false
    this.#limitLedger()
  }

  /** In the place of `Store.open`: a ledger on this disk. Of one disk there is one ledger at a time. */
  openLedger(path: string, clock: Clock, log: Log): Store {
    this.#ledger = openDatabase(path, { steps: ledgerSteps, synchronous: 'FULL', bytesMax: ledgerBytesMax })
    this.#limitLedger()
    return Store.over(this.#ledger, path, clock, log)
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

  #limitLedger(): void {
    if (this.#ledger?.isOpen !== true) return
    // SQLite makes of a limit below what there is already what there is.
    const pages = this.#isFull ? 1 : Math.floor(ledgerBytesMax / pageBytes)
    this.#ledger.exec(`PRAGMA max_page_count=${pages}`)
  }

  #check(): void {
    if (!this.#isFull) return
    this.refused += 1
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  }
}
