/**
 * What a peer sent that is not of the shard it was asked for, kept for its owner to look at: the block, its proof, what the proof may
 * end at, and the root, all that is needed to see that it is wrong. It convinces nobody else, because blocks are not signed: the
 * connection vouches for who sent it, and only to us.
 *
 *     <folder>/evidence/<time>-<peer>.json    what is what; bytes in base64
 */
import { join } from 'node:path'

import { toString } from 'uint8arrays'

import type { BadBlockFault } from '../../protocols/transfer/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Files } from '../environment.ts'

/** Each has a block of 64 KiB: 6 MiB in all. The oldest give way. */
export const evidenceMax = 64

export class Evidence {
  readonly #disk: Files
  readonly #folder: string
  /** One after the other: whoever lies may do so often. */
  #last: Promise<void> = Promise.resolve()

  constructor(disk: Files, folder: string) {
    this.#disk = disk
    this.#folder = join(folder, 'evidence')
  }

  /** Resolves when it is written, not when it is durable: a report of the fault is in the ledger. */
  async keep(peer: PeerName, fault: BadBlockFault, nowMs: number): Promise<void> {
    const kept = this.#last.then(async () => this.#write(peer, fault, nowMs))
    this.#last = kept.catch(() => {})
    return kept
  }

  async #write(
    peer: PeerName,
    { root, shardBytes, block, before, message }: BadBlockFault,
    nowMs: number,
  ): Promise<void> {
    const text = (bytes: Uint8Array): string => toString(bytes, 'base64pad')
    const { leaf, proof, bytes } = block
    const described = {
      v: 1,
      peer,
      message,
      atMs: nowMs,
      root: toString(root, 'hex'),
      shardBytes,
      leaf,
      proof: proof.map(text),
      before: before.map(text),
      bytes: text(bytes),
    }
    await this.#disk.makeFolder(this.#folder)
    const names = (await this.#disk.list(this.#folder)).toSorted()
    for (const name of names.slice(0, Math.max(0, names.length - evidenceMax + 1)))
      await this.#disk.remove(join(this.#folder, name))
    const file = await this.#disk.create(join(this.#folder, `${nowMs}-${peer}.json`), 'empty')
    try {
      await file.write(new TextEncoder().encode(JSON.stringify(described)), 0)
    } finally {
      await file.close()
    }
  }
}
