/**
 * The files and folders that a program sees. They exist in this process's memory only, except for inputs, which are read
 * where they lie on the host, through a descriptor and never by name.
 *
 * Each node has one name (no hard links), so what is under /out is known without counting names.
 */
import { readSync } from 'node:fs'

import type { Budget } from './budget.ts'
import { PagedBytes } from './paged-bytes.ts'

export type Node = Folder | HeldFile | LentFile

let lastIno = 0n

/** What a program sees as a file's identity. */
function nextIno(): bigint {
  return ++lastIno
}

export class Folder {
  readonly kind = 'folder'
  readonly ino = nextIno()
  readonly entries = new Map<string, Node>()
  readonly readonly: boolean
  parent: Folder | undefined
  underOut = false

  constructor(readonly = false) {
    this.readonly = readonly
  }

  attach(name: string, node: Node): void {
    this.entries.set(name, node)
    if (node.kind === 'folder') node.parent = this
    markUnderOut(node, this.underOut)
  }

  detach(name: string): void {
    this.entries.delete(name)
  }
}

/** An input: a stretch of a file of the host. */
export class LentFile {
  readonly kind = 'file'
  readonly ino = nextIno()
  readonly readonly = true
  readonly bytes: number
  readonly #descriptor: number
  readonly #at: number

  constructor(descriptor: number, at: number, bytes: number) {
    this.#descriptor = descriptor
    this.#at = at
    this.bytes = bytes
  }

  read(at: number, bytes: number): Uint8Array {
    const piece = new Uint8Array(Math.max(0, Math.min(bytes, this.bytes - at)))
    const read = readSync(this.#descriptor, piece, 0, piece.byteLength, this.#at + at)
    return piece.subarray(0, read)
  }
}

/** A file that the program made. */
export class HeldFile {
  readonly kind = 'file'
  readonly ino = nextIno()
  readonly readonly = false
  readonly #budget: Budget
  readonly #content: PagedBytes
  #underOut = false
  /** A file that has lost its name keeps its bytes until nobody has it open. */
  #named = true
  #handles = 0

  constructor(budget: Budget) {
    this.#budget = budget
    this.#content = new PagedBytes((bytes) => budget.takeMemory(bytes))
    budget.takeNode(1)
  }

  get bytes(): number {
    return this.#content.bytes
  }

  get underOut(): boolean {
    return this.#underOut
  }

  set underOut(underOut: boolean) {
    if (underOut !== this.#underOut) this.#budget.takeOutput(underOut ? this.bytes : -this.bytes)
    this.#underOut = underOut
  }

  read(at: number, bytes: number): Uint8Array {
    return this.#content.read(at, bytes)
  }

  /** Bytes between the end and `at` are zero. */
  write(at: number, data: Uint8Array): void {
    const end = at + data.byteLength
    if (data.byteLength > 0 && end > this.bytes) this.resize(end)
    this.#content.write(at, data)
  }

  resize(bytes: number): void {
    if (this.#underOut) this.#budget.takeOutput(bytes - this.bytes)
    this.#content.resize(bytes)
  }

  opened(): void {
    this.#handles++
  }

  closed(): void {
    this.#handles--
    this.#releaseIfGone()
  }

  /** Its name was removed, or given to another. */
  unnamed(): void {
    this.underOut = false
    this.#named = false
    this.#releaseIfGone()
  }

  #releaseIfGone(): void {
    if (this.#named || this.#handles > 0) return
    this.#content.resize(0)
    this.#budget.takeNode(-1)
  }
}

/** Counts what a node holds as output, or no longer. Not recursive: a program may nest folders as deep as it likes. */
function markUnderOut(root: Node, underOut: boolean): void {
  const waiting: Node[] = [root]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.kind === 'folder') {
      if (node !== root && node.underOut === underOut) continue
      node.underOut = underOut
      for (const child of node.entries.values()) waiting.push(child)
    } else if (node instanceof HeldFile) {
      node.underOut = underOut
    }
  }
}
