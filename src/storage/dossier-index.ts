/** What a keeper remembers of the objects of its shards; kept by the ledger. */
export interface DossierEntry {
  /** CID. */
  readonly object: string
  /** Of a shard that is here, hex: why it is kept. */
  readonly root: string
  readonly manifest: Uint8Array
  /** Envelopes of placement records. */
  readonly records: readonly Uint8Array[]
  /** Whether we are to be found as one that knows it. */
  readonly isAdvertised: boolean
}

export interface DossierIndex {
  /** Durable when it resolves. */
  put(entry: DossierEntry): Promise<void>
  get(object: string): DossierEntry | undefined
  delete(object: string): Promise<void>
  /** How many there are because of this shard. */
  countOf(root: string): number
  /** Objects that are advertised, the newest last, at most `limit`. */
  advertised(limit: number): string[]
  /** Entries whose shard is no longer here, some of them. */
  stray(): DossierEntry[]
}
