/** What the store remembers of its shards; kept by the ledger. */
export interface ShardEntry {
  /** Merkle root, hex. */
  readonly root: string
  readonly bytes: number
  readonly keepUntilMs: number
  /** Who asked first for it to be kept. */
  readonly owner: string
  /** Until when others were promised that it is kept; 0: nobody was. */
  readonly othersUntilMs: number
  readonly createdMs: number
}

export interface ShardIndex {
  /** Durable when it resolves. */
  put(entry: ShardEntry): Promise<void>
  get(root: string): ShardEntry | undefined
  delete(root: string): Promise<void>
  /** Its owner needs it until `untilMs` and no longer: the term ends then, if it would end later, or when what others were promised does. */
  shorten(root: string, untilMs: number): Promise<void>
  expired(nowMs: number): ShardEntry[]
  /** Of all entries but the owner's, in bytes and number: what is kept for others, with the dossiers of their objects. */
  totalBut(owner: string): { readonly bytes: number; readonly shards: number }
  /** Bytes that are kept for one owner, dossiers included. */
  bytesOf(owner: string): number
  /** The entry with the next higher root; the first for the empty text. */
  after(root: string): ShardEntry | undefined
}
