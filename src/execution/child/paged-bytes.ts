/**
 * A growing sequence of bytes in pages, so that growing copies nothing but the first, small page. The shim's own files
 * copy all that they hold at every write: a hundred MiB in pieces of 4 KiB would be a terabyte of copying.
 */
export const pageBytes = 64 * 1_024
const firstPageBytesMin = 512

/** Told before memory is taken (positive) and after it is given back (negative). May throw to refuse. */
export type Charge = (bytes: number) => void

export class PagedBytes {
  readonly #charge: Charge
  #pages: Uint8Array[] = []
  #bytes = 0

  constructor(charge: Charge) {
    this.#charge = charge
  }

  get bytes(): number {
    return this.#bytes
  }

  read(at: number, bytes: number): Uint8Array {
    const end = Math.min(at + bytes, this.#bytes)
    const result = new Uint8Array(Math.max(0, end - at))
    for (const [page, from, to, done] of spans(at, result.byteLength)) {
      result.set(this.#pages[page]!.subarray(from, to), done)
    }
    return result
  }

  /** Grows as needed; bytes between the old end and `at` are zero. Writing nothing changes nothing, as POSIX says. */
  write(at: number, data: Uint8Array): void {
    if (data.byteLength === 0) return
    if (at + data.byteLength > this.#bytes) this.resize(at + data.byteLength)
    for (const [page, from, to, done] of spans(at, data.byteLength)) {
      this.#pages[page]!.set(data.subarray(done, done + to - from), from)
    }
  }

  resize(bytes: number): void {
    if (bytes < this.#bytes) this.#shrink(bytes)
    else this.#grow(bytes)
    this.#bytes = bytes
  }

  #grow(bytes: number): void {
    const first = this.#pages[0]
    if (bytes <= pageBytes || first === undefined || first.byteLength < pageBytes) {
      const wanted = firstPageBytes(Math.min(bytes, pageBytes), first?.byteLength ?? 0)
      if (wanted > (first?.byteLength ?? 0)) {
        this.#charge(wanted - (first?.byteLength ?? 0))
        const page = new Uint8Array(wanted)
        if (first !== undefined) page.set(first)
        this.#pages[0] = page
      }
    }
    const missing = Math.ceil(bytes / pageBytes) - this.#pages.length
    if (missing > 0) this.#charge(missing * pageBytes)
    for (let index = 0; index < missing; index++) this.#pages.push(new Uint8Array(pageBytes))
  }

  #shrink(bytes: number): void {
    const keep = Math.ceil(bytes / pageBytes)
    let freed = 0
    for (const page of this.#pages.splice(keep)) freed += page.byteLength
    // What is beyond the end must read as zero when the file grows again.
    if (keep > 0) this.#pages[keep - 1]!.fill(0, bytes - (keep - 1) * pageBytes)
    this.#charge(-freed)
  }
}

function firstPageBytes(needed: number, present: number): number {
  if (needed <= present) return present
  return Math.min(pageBytes, Math.max(firstPageBytesMin, needed, present * 2))
}

/** The pages that a stretch touches: number, from and to within it, and how much of the stretch came before. */
function* spans(at: number, bytes: number): Generator<[page: number, from: number, to: number, done: number]> {
  for (let done = 0; done < bytes;) {
    const page = Math.floor((at + done) / pageBytes)
    const from = at + done - page * pageBytes
    const to = Math.min(pageBytes, from + bytes - done)
    yield [page, from, to, done]
    done += to - from
  }
}
