/** What a peer is started with, all decided. Made by resolve.ts from flags, environment and config.yaml; taken by src/node.ts. */

import type { WeekHours } from './hours.ts'

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
  /** Left out: no containers. */
  readonly containers?: ContainerPolicy
  /** Left out: plainPolicy. */
  readonly policy?: OfferPolicy
}

/** How images of others are run, by an engine of this machine. */
export interface ContainerPolicy {
  /** Of Docker or Podman; null: wherever one listens. */
  readonly socketPath: string | null
  /** Whether images are fetched from the registries that jobs name. */
  readonly mayPull: boolean
  /** Whether their programs may reach the network, the owner's own included. */
  readonly mayEgress: boolean
}

/** To whom, when and on what terms. */
export interface OfferPolicy {
  /** Claimed; empty: not said. */
  readonly region: string
  readonly operator: string
  /** None: always. */
  readonly hours: readonly WeekHours[]
  /** Names of peers. None: everybody. */
  readonly allow: readonly string[]
  readonly deny: readonly string[]
  /** Processors that are promised, as a multiple of those that are lent. */
  readonly oversubscription: number
  readonly gigaGasMicro: number
  readonly memoryGibHourMicro: number
  readonly gpuHourMicro: number
  readonly inGibMicro: number
  readonly outGibMicro: number
  /** Of disk that a job has. */
  readonly storeGibHourMicro: number
  /** Of shards that are kept. */
  readonly gbMonthMicro: number
  /** Added for bids that ask for this evidence, in hundredths. */
  readonly measuredPercent: number
  readonly challengedPercent: number
  /** A program that is asked about every bid; null: none. */
  readonly admission: string | null
  /** Nothing new is taken while the owner uses the machine, and what runs is held. */
  readonly idleOnly: boolean
  /** The same from this temperature on, where it can be read; null: whatever it is. */
  readonly celsiusMax: number | null
  /** GPUs that the owner says there are; what the system has is found without. */
  readonly gpus: readonly ClaimedGpu[]
  /** Whether the enclave that the system is in is shown. */
  readonly tee: boolean
}

export interface ClaimedGpu {
  readonly model: string
  readonly memoryBytes: number
  readonly count: number
}

export const plainPolicy: OfferPolicy = {
  region: '',
  operator: '',
  hours: [],
  allow: [],
  deny: [],
  oversubscription: 1,
  gigaGasMicro: 0,
  memoryGibHourMicro: 0,
  gpuHourMicro: 0,
  inGibMicro: 0,
  outGibMicro: 0,
  storeGibHourMicro: 0,
  gbMonthMicro: 0,
  measuredPercent: 0,
  challengedPercent: 0,
  admission: null,
  idleOnly: false,
  celsiusMax: null,
  gpus: [],
  tee: false,
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
