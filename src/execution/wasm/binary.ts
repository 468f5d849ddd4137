/** Reading the WebAssembly binary format (core specification 5.2): bounded parts of a buffer, LEB128 numbers, names. */

const unsignedBytesMax = 5
/** What the engine itself takes: names of C++ are long. */
const nameBytesMax = 100_000

const strictText = new TextDecoder('utf-8', { fatal: true })

/** A window on bytes. Every read past its end, and every malformed number or name, is a RangeError. */
export class BinaryReader {
  readonly #bytes: Uint8Array
  readonly end: number
  #at: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#at = start
    this.end = end
  }

  get at(): number {
    return this.#at
  }

  get atEnd(): boolean {
    return this.#at >= this.end
  }

  byte(): number {
    if (this.#at >= this.end) throw new RangeError(`it ends within a part, at byte ${this.#at}`)
    return this.#bytes[this.#at++]!
  }

  /** A u32: at most five bytes, and the last may not carry bits over the thirty-second. */
  unsigned(): number {
    let value = 0
    for (let index = 0; index < unsignedBytesMax; index++) {
      const byte = this.byte()
      if (index === unsignedBytesMax - 1 && byte > 0x0f) break
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte < 0x80) return value
    }
    throw new RangeError(`a number is too long, at byte ${this.#at}`)
  }

  /** A number that only counts as what it is written in: at most `bytesMax` bytes. */
  skipNumber(bytesMax: number): void {
    for (let index = 0; index < bytesMax; index++) if (this.byte() < 0x80) return
    throw new RangeError(`a number is too long, at byte ${this.#at}`)
  }

  skip(bytes: number): void {
    if (bytes > this.end - this.#at) throw new RangeError(`it ends within a part, at byte ${this.#at}`)
    this.#at += bytes
  }

  /** The next byte, which is not taken. */
  peek(): number {
    if (this.#at >= this.end) throw new RangeError(`it ends within a part, at byte ${this.#at}`)
    return this.#bytes[this.#at]!
  }

  /** How many things follow. Each takes at least a byte, so a count over what is left is a lie. */
  count(): number {
    const count = this.unsigned()
    if (count > this.end - this.#at) throw new RangeError(`${count} things cannot fit, at byte ${this.#at}`)
    return count
  }

  /** The next `bytes` bytes as a reader of their own; this one goes on after them. */
  part(bytes: number): BinaryReader {
    if (bytes > this.end - this.#at)
      throw new RangeError(`a part of ${bytes} bytes ends after its whole, at byte ${this.#at}`)
    const part = new BinaryReader(this.#bytes, this.#at, this.#at + bytes)
    this.#at += bytes
    return part
  }

  name(): string {
    const { at, end } = this.part(this.unsigned())
    if (end - at > nameBytesMax) throw new RangeError(`a name has ${end - at} bytes, over ${nameBytesMax}`)
    try {
      return strictText.decode(this.#bytes.subarray(at, end))
    } catch {
      throw new RangeError(`a name is not UTF-8, at byte ${at}`)
    }
  }

  expectEnd(): void {
    if (!this.atEnd) throw new RangeError(`a section has bytes too many, at byte ${this.#at}`)
  }
}

/** LEB128, the shortest. */
export function encodeUnsigned(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  do {
    const more = rest >= 0x80
    bytes.push((rest % 0x80) | (more ? 0x80 : 0))
    rest = Math.floor(rest / 0x80)
  } while (rest > 0)
  return bytes
}
