/**
 * What happened in one life of the mesh, in order: as a hash always, as lines when somebody wants to read them. Two lives are the
 * same when their hashes are. The hash is cheap, not cryptographic: nobody who would forge a trace has a reason to.
 */
export interface TraceLine {
  readonly atMs: number
  readonly peer: number
  readonly what: string
}

export class Trace {
  readonly lines: TraceLine[] | null
  #a = 0x811c9dc5
  #b = 0x9e3779b9
  #count = 0

  constructor(options: { readonly keepLines: boolean }) {
    this.lines = options.keepLines ? [] : null
  }

  get count(): number {
    return this.#count
  }

  /** `about` is another peer, or any number that belongs to what happened; -1 for none. */
  add(atMs: number, peer: number, what: string, about = -1): void {
    this.#count++
    this.#mix(atMs | 0)
    this.#mix((peer << 16) ^ about)
    for (let at = 0; at < what.length; at++) this.#mix(what.charCodeAt(at))
    this.lines?.push({ atMs, peer, what: about === -1 ? what : `${what} ${about}` })
  }

  /** 64 bits as hex. */
  get hash(): string {
    return hex32(finish(this.#a)) + hex32(finish(this.#b ^ this.#count))
  }

  /** Two lanes of FNV-1a with different multipliers. */
  #mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193)
    this.#b = Math.imul(this.#b ^ value ^ (this.#b >>> 15), 0x85ebca6b)
  }
}

/** The finisher of MurmurHash3. */
function finish(lane: number): number {
  let hash = lane
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0')
}
