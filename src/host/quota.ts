/**
 * How much of other peers' data is kept. Pure: it says what may be stored and what must go for it, and counts.
 *
 * When everything is full, what ranks lowest stays: by the DHT's own measure of nearness for records and adverts, so that a
 * full store keeps just what it will be asked for, and filling it up takes keys ground for this one peer.
 */
export interface QuotaEntry {
  readonly key: string
  readonly author: string
  readonly bytes: number
  /** The highest goes first. */
  readonly rank: number
  readonly storedMs: number
}

export interface QuotaLimits {
  readonly entriesMax: number
  readonly bytesMax: number
  readonly entriesPerAuthorMax: number
  /** Older entries make room before any others. */
  readonly ageMsMax: number
}

export type Admission =
  | { readonly admit: true; readonly evict: readonly string[] }
  | { readonly admit: false; readonly because: 'author' | 'full' }

export class Quota {
  readonly #limits: QuotaLimits
  /** Whose entries are neither counted, nor limited, nor evicted: our own. */
  readonly #exempt: string
  readonly #entries = new Map<string, QuotaEntry>()
  readonly #byAuthor = new Map<string, number>()
  #bytes = 0

  constructor(limits: QuotaLimits, exempt: string) {
    this.#limits = limits
    this.#exempt = exempt
  }

  get entries(): number {
    return this.#entries.size
  }

  /** Whether the entry may come in, in place of one with the same key, and which must go for it. Changes nothing. */
  judge(entry: QuotaEntry, nowMs: number): Admission {
    const evict = this.#roomFor(entry, this.#entries.get(entry.key), nowMs)
    return evict === 'author' || evict === 'full' ? { admit: false, because: evict } : { admit: true, evict }
  }

  /** Counts an entry that was admitted. */
  add(entry: QuotaEntry): void {
    this.remove(entry.key)
    if (entry.author === this.#exempt) return
    this.#entries.set(entry.key, entry)
    this.#byAuthor.set(entry.author, (this.#byAuthor.get(entry.author) ?? 0) + 1)
    this.#bytes += entry.bytes
  }

  remove(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#bytes -= entry.bytes
    const left = this.#byAuthor.get(entry.author)! - 1
    if (left === 0) this.#byAuthor.delete(entry.author)
    else this.#byAuthor.set(entry.author, left)
  }

  /** The keys that must go for this entry, or what stands against it. */
  #roomFor(entry: QuotaEntry, previous: QuotaEntry | undefined, nowMs: number): readonly string[] | 'author' | 'full' {
    if (entry.author === this.#exempt) return []
    const ofAuthor = (this.#byAuthor.get(entry.author) ?? 0) - (previous?.author === entry.author ? 1 : 0)
    let entriesOver = this.#entries.size + (previous === undefined ? 1 : 0) - this.#limits.entriesMax
    let bytesOver = this.#bytes + entry.bytes - (previous?.bytes ?? 0) - this.#limits.bytesMax
    const authorOver = ofAuthor + 1 - this.#limits.entriesPerAuthorMax
    if (entriesOver <= 0 && bytesOver <= 0 && authorOver <= 0) return []

    const old = nowMs - this.#limits.ageMsMax
    const others = [...this.#entries.values()].filter(({ key }) => key !== entry.key)
    const evict: QuotaEntry[] = others.filter(({ storedMs }) => storedMs < old)
    if (authorOver > evict.filter(({ author }) => author === entry.author).length) return 'author'
    for (const { bytes } of evict) {
      entriesOver -= 1
      bytesOver -= bytes
    }
    const candidates = others
      .filter(({ storedMs, rank }) => storedMs >= old && rank > entry.rank)
      .sort((one, two) => one.rank - two.rank)
    while (entriesOver > 0 || bytesOver > 0) {
      const furthest = candidates.pop()
      if (furthest === undefined) return 'full'
      evict.push(furthest)
      entriesOver -= 1
      bytesOver -= furthest.bytes
    }
    return evict.map(({ key }) => key)
  }
}
