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
  /** What is owed beside when this peer is proven to have signed two things of which only one can be, under each lease; … */
  readonly bondMicro: number
  /** … and a tenth of what it earned as well. */
  readonly bondGrows: boolean
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
  bondMicro: 0,
  bondGrows: false,
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

/** Relays, by which peers behind NATs are reached. */
export interface RelayOptions {
  /** Whether this peer is one. */
  readonly serve: boolean
  /** What it carries then; null: as the host has it. */
  readonly bytesPerSecond: number | null
  /** Which it uses itself. `auto`: those that are met, when it cannot be dialled; addresses: those, and always. */
  readonly use: 'auto' | 'never' | readonly string[]
}

export const plainRelay: RelayOptions = { serve: false, bytesPerSecond: null, use: 'auto' }

/** How what was worked is made good. */
export interface MoneyOptions {
  /** What becomes of receipts that both have signed. */
  readonly settlement: SettlementMethod
  /** What a stranger may owe us, and what nobody may owe more than, in micro-units. */
  readonly creditFloorMicro: number
  readonly creditCeilingMicro: number
  /** Owners of what is earned, in the order in which they were named; none: it is all this peer's. */
  readonly rewardShares: readonly RewardShare[]
  /** Where vouchers for what is earned are made out to: an address of an external system, with its EIP-55 checksum; null: nowhere. */
  readonly rewardAddress: string | null
  /** What redeems them: a contract of a chain; chain 0 and the address of zeros: none in particular. */
  readonly voucherContract: { readonly chainId: number; readonly contract: string }
}

export const settlementMethods = ['none', 'ledger', 'vouchers'] as const
export type SettlementMethod = (typeof settlementMethods)[number]

export interface RewardShare {
  /** A name or an address. */
  readonly owner: string
  readonly permille: number
}

export const plainMoney: MoneyOptions = {
  settlement: 'ledger',
  creditFloorMicro: 1_000_000,
  creditCeilingMicro: 100_000_000,
  rewardShares: [],
  rewardAddress: null,
  voucherContract: { chainId: 0, contract: `0x${'0'.repeat(40)}` },
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
  /** Left out: plainRelay. */
  readonly relay?: RelayOptions
  /** Disk space for what was read, to be given to others who read the same. Left out: nothing of it is kept. */
  readonly cacheBytes?: number
  /** Threads that encrypt, code and hash the owner's data. */
  readonly workers: number
  /** The owner says that no other peer has this key, whatever the ledger doubts. Left out: nothing is said. */
  readonly isOnlyOne?: boolean
  /** Left out: plainMoney. */
  readonly money?: MoneyOptions
  readonly profile: string
}
