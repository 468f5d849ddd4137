/**
 * Reads a tar archive from chunks as they come. Pure and incremental: holds at most one header or one pax record, and hands
 * content on as it arrives. The caps stand here because here a hostile archive is met first.
 */
import {
  blockBytes,
  decodeHeader,
  decodePax,
  decodeText,
  paddingBytes,
  safeParts,
  TarError,
  type PaxValues,
  type TarEntry,
} from './tar-format.ts'

export interface TarLimits {
  readonly entriesMax: number
  /** Content of all files together. */
  readonly bytesMax: number
  /** Whether what is neither a file nor a folder is passed over, and counted; left out: such an archive is refused. */
  readonly skipsOthers?: boolean
}

/** An entry begins; then its content in pieces, `bytes` in all; then the next. `at` is the content's offset in the archive. */
export type TarEvent =
  | { readonly is: 'entry'; readonly entry: TarEntry; readonly at: number }
  | { readonly is: 'content'; readonly bytes: Uint8Array }

/** For pax records and for GNU's long names: a path of the longest, and some keys that do not concern us. */
const recordBytesMax = 64 * 1_024

type Reading =
  | { readonly what: 'header' }
  | { readonly what: 'record'; readonly flag: string; readonly bytes: number }
  | { readonly what: 'content' }
  | { readonly what: 'skip' }
  | { readonly what: 'end' }

export class TarDecoder {
  readonly #limits: TarLimits
  readonly #kinds = new Map<string, TarEntry['kind']>()
  #reading: Reading = { what: 'header' }
  /** Of the part that is being read: bytes still to come, and those that had to be kept until it is whole. */
  #left = blockBytes
  #kept: Uint8Array[] = []
  #padding = 0
  #pax: PaxValues = {}
  #bytes = 0
  #at = 0
  /** What was passed over, being neither a file nor a folder. */
  skipped = 0

  constructor(limits: TarLimits) {
    this.#limits = limits
  }

  /** What is complete with this chunk. Content is a view of the chunk: use it before the next push. Throws TarError. */
  push(chunk: Uint8Array): TarEvent[] {
    const events: TarEvent[] = []
    let at = 0
    while (at < chunk.byteLength && this.#reading.what !== 'end') {
      const piece = chunk.subarray(at, at + Math.min(this.#left, chunk.byteLength - at))
      at += piece.byteLength
      this.#at += piece.byteLength
      this.#left -= piece.byteLength
      if (this.#reading.what === 'content') events.push({ is: 'content', bytes: piece })
      else if (this.#reading.what !== 'skip') this.#kept.push(piece.slice())
      // A part without bytes is over as soon as it begins.
      while (this.#left === 0 && this.#advance(events)) continue
    }
    return events
  }

  /** To be called at the end of the archive: it must have come to its closing block of zeros. */
  end(): void {
    if (this.#reading.what === 'end') return
    // Some writers leave the closing blocks out; an archive that stops between two entries is whole all the same.
    const between = this.#reading.what === 'header' && this.#left === blockBytes && this.#at > 0
    if (!between) throw new TarError('the archive is cut off')
  }

  /** A part is whole: decides what comes next. False when nothing does. */
  #advance(events: TarEvent[]): boolean {
    const reading = this.#reading
    switch (reading.what) {
      case 'header':
        return this.#onHeader(joined(this.#takeKept()), events)
      case 'record':
        this.#onRecord(reading, joined(this.#takeKept()))
        return true
      case 'content':
        this.#skip()
        return true
      case 'skip':
        this.#expect({ what: 'header' }, blockBytes)
        return false
      case 'end':
        return false
      default:
        return reading satisfies never
    }
  }

  #onHeader(block: Uint8Array, events: TarEvent[]): boolean {
    const header = decodeHeader(block)
    if (header === undefined) {
      this.#reading = { what: 'end' }
      return false
    }
    this.#padding = paddingBytes(header.bytes)
    const { flag } = header
    const isOther = this.#limits.skipsOthers === true && !taken.includes(flag)
    if (flag === 'x' || flag === 'L' || flag === 'g' || (isOther && flag === 'K')) {
      if (header.bytes > recordBytesMax)
        throw new TarError(`a record of ${header.bytes} bytes before an entry is over ${recordBytesMax}`)
      this.#expect({ what: 'record', flag, bytes: header.bytes }, header.bytes)
      return true
    }
    if (isOther) {
      this.skipped++
      this.#pax = {}
      this.#expect({ what: 'skip' }, header.bytes + paddingBytes(header.bytes))
      return true
    }
    const path = this.#pax.path ?? header.path()
    const kind = kindOf(flag, path)
    const parts = safeParts(path)
    const bytes = kind === 'folder' ? 0 : (this.#pax.bytes ?? header.bytes)
    this.#padding = paddingBytes(bytes)
    this.#pax = {}
    // The folder that was packed itself: `./`.
    if (parts.length === 0 && kind === 'folder') {
      this.#expect({ what: 'header' }, blockBytes)
      return false
    }
    this.#count(parts, kind, bytes)
    events.push({ is: 'entry', entry: { kind, path: parts.join('/'), bytes }, at: this.#at })
    this.#expect({ what: 'content' }, bytes)
    return true
  }

  #onRecord(reading: Extract<Reading, { what: 'record' }>, record: Uint8Array): void {
    if (reading.flag === 'x') this.#pax = { ...this.#pax, ...decodePax(record) }
    if (reading.flag === 'L') {
      const end = record.indexOf(0)
      this.#pax = { ...this.#pax, path: decodeText(end < 0 ? record : record.subarray(0, end)) }
    }
    this.#skip()
  }

  /** Refuses what is over a limit, and a path that was there before as something else or as a file. */
  #count(parts: readonly string[], kind: TarEntry['kind'], bytes: number): void {
    const path = parts.join('/')
    if (path === '') throw new TarError('a file has no name')
    if (this.#kinds.has(path) && (kind === 'file' || this.#kinds.get(path) === 'file')) {
      throw new TarError(`${JSON.stringify(path)} is in the archive twice`)
    }
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join('/')
      if (this.#kinds.get(parent) === 'file') throw new TarError(`${JSON.stringify(parent)} is a file and a folder`)
      this.#kinds.set(parent, 'folder')
    }
    this.#kinds.set(path, kind)
    this.#bytes += bytes
    if (this.#kinds.size > this.#limits.entriesMax)
      throw new TarError(`there are more than ${this.#limits.entriesMax} files and folders`)
    if (this.#bytes > this.#limits.bytesMax)
      throw new TarError(`the files have more than ${this.#limits.bytesMax} bytes`)
  }

  #skip(): void {
    this.#expect({ what: 'skip' }, this.#padding)
  }

  #expect(reading: Reading, bytes: number): void {
    this.#reading = reading
    this.#left = bytes
  }

  #takeKept(): Uint8Array[] {
    const kept = this.#kept
    this.#kept = []
    return kept
  }
}

/** The types of files and folders. */
const taken = '057'

function kindOf(flag: string, path: string): TarEntry['kind'] {
  // Before ustar a folder was a file whose name ends in a slash.
  if (flag === '0' || flag === '7') return path.endsWith('/') ? 'folder' : 'file'
  if (flag === '5') return 'folder'
  const what = flag === '1' || flag === '2' ? 'a link' : `of type ${JSON.stringify(flag)}`
  throw new TarError(`${JSON.stringify(path.slice(0, 80))} is ${what}; only files and folders are taken`)
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? pieces[0]! : new Uint8Array(Buffer.concat(pieces))
}
