/** What a peer is started with, all decided. Made by resolve.ts from flags, environment and config.yaml; taken by src/node.ts. */

/** How far the network reaches: which addresses are dialled on the word of others, and what is announced. */
export type Reach = 'public' | 'lan' | 'loopback'

export const reaches: readonly Reach[] = ['public', 'lan', 'loopback']

/** What the owner lends to others. */
export interface OfferOptions {
  readonly cpuMilli: number
  readonly memoryBytes: number
  /** For shards of other people's objects. */
  readonly keepBytes: number
  /** Price of one processor for one hour, in micro-units of `unit`. */
  readonly cpuHourMicro: number
  /** Unit of account. */
  readonly unit: string
  /** Longest job that is taken. */
  readonly wallMsMax: number
}

/** What transfers of data may carry, in bytes per second; null: no limit. */
export interface BandwidthOptions {
  readonly upBytesPerSecond: number | null
  readonly downBytesPerSecond: number | null
}

export interface PeerOptions {
  /** Peers of different networks do not hear each other. */
  readonly network: string
  readonly reach: Reach
  /** Absolute; made, with mode 0700, by whoever starts the peer. */
  readonly dataDir: string
  /** Multiaddrs; port 0 takes any that is free. */
  readonly listen: readonly string[]
  readonly bootstrap: readonly string[]
  /** Null: nothing is lent. */
  readonly offer: OfferOptions | null
  /** Left out: no limit. */
  readonly bandwidth?: BandwidthOptions
  /** Disk space for what was read, to be given to others who read the same. Left out: nothing of it is kept. */
  readonly cacheBytes?: number
  /** Threads that encrypt, code and hash the owner's data. */
  readonly workers: number
  readonly profile: string
}
