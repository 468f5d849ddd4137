/** Bytes that grow at their end. */

const bytesMinimum = 1_024

export class BinaryWriter {
  #bytes: Uint8Array
  readonly #bytesMax: number
  #at = 0

  /** Throws a RangeError when it would hold more than `bytesMax`. */
  constructor(bytesExpected: number, bytesMax: number) {
    this.#bytesMax = bytesMax
    this.#bytes = new Uint8Array(Math.max(bytesMinimum, bytesExpected))
  }

  get at(): number {
    return this.#at
  }

  byte(value: number): void {
    if (this.#at === this.#bytes.byteLength) this.#reserve(1)
    this.#bytes[this.#at++] = value
  }

  all(values: ArrayLike<number>): void {
    if (this.#at + values.length > this.#bytes.byteLength) this.#reserve(values.length)
    for (let index = 0; index < values.length; index++) this.#bytes[this.#at + index] = values[index]!
    this.#at += values.length
  }

  /** `source` from `start` to `end`. */
  copy(source: Uint8Array, start: number, end: number): void {
    const bytes = end - start
    if (this.#at + bytes > this.#bytes.byteLength) this.#reserve(bytes)
    // A call of `set` costs more than moving the few bytes between two charges.
    if (bytes < 48) for (let index = 0; index < bytes; index++) this.#bytes[this.#at + index] = source[start + index]!
    else this.#bytes.set(source.subarray(start, end), this.#at)
    this.#at += bytes
  }

  unsigned(value: number): void {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.byte((rest % 0x80) | 0x80)
    this.byte(rest)
  }

  /** A signed LEB128 of a number that is not negative. */
  signed(value: number): void {
    let rest = value
    for (; rest >= 0x40; rest = Math.floor(rest / 0x80)) this.byte((rest % 0x80) | 0x80)
    this.byte(rest)
  }

  /** Room for a size that is not known yet. Five bytes, which is a lawful, if not the shortest, form of any u32. */
  openSize(): number {
    this.all([0, 0, 0, 0, 0])
    return this.#at
  }

  /** Writes the size of what has come since `openSize` gave `start`. */
  closeSize(start: number): void {
    let rest = this.#at - start
    for (let index = 0; index < 5; index++, rest = Math.floor(rest / 0x80)) {
      this.#bytes[start - 5 + index] = (rest % 0x80) | (index < 4 ? 0x80 : 0)
    }
  }

  /** What was written; nothing may be written after it. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes > this.#bytesMax) throw new RangeError(`counting makes it larger than ${this.#bytesMax} bytes`)
    const grown = new Uint8Array(Math.max(this.#at + bytes, Math.ceil(this.#bytes.byteLength * 1.5)))
    grown.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = grown
  }
}
