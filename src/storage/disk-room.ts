/**
 * What the disk itself has room for, whatever the quotas say: they were set when it was emptier. Something is left for the ledger, without
 * which a peer can acknowledge nothing, and for whatever else its owner does.
 */
import type { Files, Log } from '../environment.ts'

export interface DiskRoomDeps {
  readonly disk: Pick<Files, 'space'>
  readonly folder: string
  readonly log: Log
  /** Gives up what nobody was promised, so many bytes if there are as many. */
  giveWay(bytes: number): Promise<void>
}

/** Left alone: so much, but of a small disk a twentieth. */
const reserveBytesMax = 1024 * 1024 * 1024
const reserveShare = 1 / 20

export class DiskRoom {
  readonly #deps: DiskRoomDeps
  #isShort = false

  constructor(deps: DiskRoomDeps) {
    this.#deps = deps
  }

  /** What may be written, in bytes. When that is less than is needed, what nobody was promised has gone first. */
  async freeBytes(neededBytes: number): Promise<number> {
    let freeBytes = await this.leftBytes()
    if (freeBytes < neededBytes) {
      await this.#deps.giveWay(neededBytes - freeBytes)
      freeBytes = await this.leftBytes()
    }
    const isShort = freeBytes < neededBytes
    if (isShort && !this.#isShort)
      this.#deps.log('warn', 'the disk is nearly full: nothing more is kept for others', { freeBytes, neededBytes })
    this.#isShort = isShort
    return freeBytes
  }

  /** Without making room: for what may as well not be written. */
  async leftBytes(): Promise<number> {
    const { freeBytes, totalBytes } = await this.#deps.disk.space(this.#deps.folder)
    return Math.max(0, freeBytes - Math.min(reserveBytesMax, Math.floor(totalBytes * reserveShare)))
  }
}
