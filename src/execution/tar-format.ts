/**
 * Tar headers: the part of POSIX ustar and pax (IEEE Std 1003.1, "pax Interchange Format") that folders of plain files
 * need. Pure. We write the least that other programs read, always the same bytes for the same entry; we read what GNU tar,
 * bsdtar and Python write, and refuse everything that is neither a file nor a folder.
 *
 * The installed `modern-tar` streams through promises only; a program ends inside a synchronous call, and its outputs must
 * be written before that call is over. The tests hold both against each other.
 */
export const blockBytes = 512
/** A path, its separators included, and each name in it. */
export const pathBytesMax = 1_024
export const nameBytesMax = 255
/** Eleven octal digits; longer files would need an extension that nothing here produces. */
export const fileBytesMax = 0o77777777777

export interface TarEntry {
  readonly kind: 'file' | 'folder'
  /** Relative, parts joined by `/`, never empty, never with a `/` at the end. */
  readonly path: string
  /** 0 for a folder. */
  readonly bytes: number
}

/** The archive is malformed, or holds what we do not unpack. */
export class TarError extends Error {
  override readonly name = 'TarError'
}

const ustarPathBytesMax = 100
const text = new TextEncoder()
const strictText = new TextDecoder('utf-8', { fatal: true })
const flags = { file: '0', folder: '5', pax: 'x' } as const

/** The bytes before an entry's content. */
export function encodeEntry(entry: TarEntry): Uint8Array {
  const name = entry.kind === 'folder' ? `${entry.path}/` : entry.path
  if (entry.bytes > fileBytesMax) throw new TarError(`a file in a tar has at most ${fileBytesMax} bytes`)
  const encoded = text.encode(name)
  // Not ASCII or too long for the old field: a pax record says the path, and the field holds as much as fits.
  const needsPax = encoded.byteLength > ustarPathBytesMax || /[^\x20-\x7e]/.test(name)
  const header = encodeHeader(encoded.subarray(0, wholeCharacters(encoded)), flags[entry.kind], entry.bytes)
  if (!needsPax) return header
  const record = paxRecord('path', encoded)
  const before = encodeHeader(text.encode('pax'), flags.pax, record.byteLength)
  const bytes = new Uint8Array(before.byteLength + paddedBytes(record.byteLength) + header.byteLength)
  bytes.set(before)
  bytes.set(record, before.byteLength)
  bytes.set(header, bytes.byteLength - header.byteLength)
  return bytes
}

/** As many bytes of a UTF-8 text as fit the old field without cutting a character. */
function wholeCharacters(encoded: Uint8Array): number {
  let bytes = Math.min(encoded.byteLength, ustarPathBytesMax)
  while (bytes < encoded.byteLength && (encoded[bytes]! & 0xc0) === 0x80) bytes--
  return bytes
}

/** Zero bytes after content of `bytes` bytes, up to a whole block. */
export function paddingBytes(bytes: number): number {
  return paddedBytes(bytes) - bytes
}

/** The end of an archive: two blocks of zeros. */
export const tarEnd = new Uint8Array(2 * blockBytes)

/** What an archive can have in all, for content of `bytes` bytes in `entries` entries: headers, pax records, padding, end. */
export function tarBytesMax(bytes: number, entries: number): number {
  const perEntry = 2 * blockBytes + paddedBytes(pathBytesMax + 16) + blockBytes
  return bytes + entries * perEntry + tarEnd.byteLength
}

function paddedBytes(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes
}

/** Owner 0, time 0, mode rw-r--r-- or rwxr-xr-x: nothing of the machine or of the moment. */
function encodeHeader(name: Uint8Array, flag: string, bytes: number): Uint8Array {
  const header = new Uint8Array(blockBytes)
  const put = (at: number, value: string): void => header.set(text.encode(value), at)
  header.set(name, 0)
  put(100, flag === flags.folder ? '0000755\0' : '0000644\0')
  put(108, '0000000\0')
  put(116, '0000000\0')
  put(124, `${bytes.toString(8).padStart(11, '0')}\0`)
  put(136, '00000000000\0')
  put(156, flag)
  put(257, 'ustar\x0000')
  put(148, `${checksumOf(header).toString(8).padStart(6, '0')}\0 `)
  return header
}

/** The sum of all bytes, the checksum's own eight counted as spaces. */
function checksumOf(header: Uint8Array): number {
  let sum = 8 * 0x20
  for (let at = 0; at < blockBytes; at++) if (at < 148 || at >= 156) sum += header[at]!
  return sum
}

/** `"LENGTH KEY=VALUE\n"`, where LENGTH counts itself. */
function paxRecord(key: string, value: Uint8Array): Uint8Array {
  const rest = 1 + key.length + 1 + value.byteLength + 1
  let length = rest + String(rest).length
  if (rest + String(length).length !== length) length = rest + String(length).length
  const record = new Uint8Array(length)
  const head = text.encode(`${length} ${key}=`)
  record.set(head)
  record.set(value, head.byteLength)
  record[length - 1] = 0x0a
  return record
}

/** A header as it stands in the archive; `undefined` for a block of zeros. `flag` is the type's character. */
export interface RawHeader {
  readonly flag: string
  /** Only to be asked when no record before it gave the path: then this may be cut in the middle of a character. */
  path(): string
  readonly bytes: number
}

/** Throws TarError when the checksum, a number or the name is wrong. */
export function decodeHeader(header: Uint8Array): RawHeader | undefined {
  if (header.every((byte) => byte === 0)) return undefined
  if (octalOrNone(header, 148, 8) !== checksumOf(header))
    throw new TarError('a header does not fit its checksum: not a tar, or damaged')
  const flag = String.fromCharCode(header[156]!)
  const path = (): string => {
    const name = fieldText(header, 0, 100)
    // Only POSIX ustar has a prefix; the old GNU format keeps times in its place.
    const prefix = fieldText(header, 257, 6) === 'ustar' && header[263] === 0x30 ? fieldText(header, 345, 155) : ''
    return prefix === '' ? name : `${prefix}/${name}`
  }
  return { flag: flag === '\0' ? flags.file : flag, path, bytes: octal(header, 124, 12) }
}

function fieldText(header: Uint8Array, at: number, length: number): string {
  const field = header.subarray(at, at + length)
  const end = field.indexOf(0)
  return decodeText(end < 0 ? field : field.subarray(0, end))
}

export function decodeText(bytes: Uint8Array): string {
  try {
    return strictText.decode(bytes)
  } catch {
    throw new TarError('a name is not UTF-8')
  }
}

/** The GNU extension for large numbers sets the top bit instead; nothing that we take is so large. */
function octalOrNone(header: Uint8Array, at: number, length: number): number | undefined {
  const digits = String.fromCharCode(...header.subarray(at, at + length))
    .replaceAll('\0', ' ')
    .trim()
  return /^[0-7]{1,12}$/.test(digits) ? Number.parseInt(digits, 8) : undefined
}

function octal(header: Uint8Array, at: number, length: number): number {
  const value = octalOrNone(header, at, length)
  if (value === undefined) throw new TarError('a number in a header is not octal')
  return value
}

/** The pax keys that change how an entry is read. Others (times, owners, attributes) are of no interest here. */
export interface PaxValues {
  readonly path?: string
  readonly bytes?: number
}

export function decodePax(records: Uint8Array): PaxValues {
  let path: string | undefined
  let bytes: number | undefined
  let at = 0
  while (at < records.byteLength) {
    const space = records.indexOf(0x20, at)
    const digits = space < 0 ? '' : String.fromCharCode(...records.subarray(at, Math.min(space, at + 8)))
    const length = /^[1-9][0-9]*$/.test(digits) ? Number(digits) : 0
    const end = at + length
    if (length === 0 || end > records.byteLength || records[end - 1] !== 0x0a)
      throw new TarError('a pax record is malformed')
    const equals = records.indexOf(0x3d, space)
    if (equals < 0 || equals >= end) throw new TarError('a pax record is malformed')
    const key = decodeText(records.subarray(space + 1, equals))
    const value = records.subarray(equals + 1, end - 1)
    if (key === 'path') path = decodeText(value)
    if (key === 'size') bytes = decimal(decodeText(value))
    at = end
  }
  return { ...(path === undefined ? {} : { path }), ...(bytes === undefined ? {} : { bytes }) }
}

function decimal(digits: string): number {
  if (!/^[0-9]{1,15}$/.test(digits)) throw new TarError('the size in a pax record is not a number')
  return Number(digits)
}

/**
 * The path as parts, if it is one that stays inside its folder: relative, no `..`, no control characters, not too long. A
 * leading `./` and a closing `/`, which tar programs write, are dropped; the folder itself has no parts.
 */
export function safeParts(path: string): string[] {
  const shown = JSON.stringify(path.slice(0, 80))
  if (path.startsWith('/')) throw new TarError(`the path ${shown} is absolute`)
  if (text.encode(path).byteLength > pathBytesMax)
    throw new TarError(`the path ${shown}… has more than ${pathBytesMax} bytes`)
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\x00-\x1f\x7f\\]/.test(path)) throw new TarError(`the path ${shown} has a character that is not taken`)
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  for (const part of parts) {
    if (part === '..') throw new TarError(`the path ${shown} leaves its folder`)
    if (text.encode(part).byteLength > nameBytesMax)
      throw new TarError(`a name in ${shown} has more than ${nameBytesMax} bytes`)
  }
  return parts
}
