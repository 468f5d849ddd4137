/**
 * A file that is there to be deleted: when the disk is full, its room lets what is under way be written down. Written and not only
 * declared, since a file with holes keeps nothing free.
 */
import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from 'node:fs'

import type { Log, Random } from '../environment.ts'

/** Of a file system that packs what it is given, zeros would keep nothing either: it is of chance. */
const chunkBytes = 1024 * 1024
/** Thousands of receipts, and the checkpoint of SQLite's log into the file, which needs as much once more. */
export const reserveBytes = 8 * 1024 * 1024

export class Reserve {
  readonly #path: string
  readonly #random: Pick<Random, 'bytes'>
  readonly #log: Log
  readonly #bytes: number

  constructor(path: string, random: Pick<Random, 'bytes'>, log: Log, bytes = reserveBytes) {
    this.#path = path
    this.#random = random
    this.#log = log
    this.#bytes = bytes
  }

  get isHeld(): boolean {
    try {
      return statSync(this.#path).size === this.#bytes
    } catch {
      return false
    }
  }

  /** Makes it, if it is not there. False when there is no room. */
  hold(): boolean {
    if (this.isHeld) return true
    try {
      const file = openSync(this.#path, 'w', 0o600)
      try {
        const chunk = this.#random.bytes(Math.min(chunkBytes, this.#bytes))
        for (let at = 0; at < this.#bytes;)
          at += writeSync(file, chunk, 0, Math.min(chunk.byteLength, this.#bytes - at), at)
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
      return true
    } catch (error) {
      rmSync(this.#path, { force: true })
      this.#log('warn', 'there is no room for the reserve of the ledger', { path: this.#path, error })
      return false
    }
  }

  /** Gives its room up. False when there was none. */
  release(): boolean {
    if (!this.isHeld) return false
    rmSync(this.#path, { force: true })
    this.#log('warn', 'the disk is full: the reserve of the ledger is used up', {
      path: this.#path,
      bytes: this.#bytes,
    })
    return true
  }
}
