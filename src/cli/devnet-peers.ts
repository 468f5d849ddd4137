/** The peers of a devnet: the first asks, the others lend, each something else, so that there is something to choose from. */
import { join } from 'node:path'

import type { OfferOptions, PeerOptions } from '../config/options.ts'
import { unitDefault, wallMsMaxDefault } from '../config/settings.ts'

const gib = 2 ** 30
const gb = 10 ** 9

/** What is lent and at what price, in turn. Promises within one machine: nothing is set aside for them. */
const lendings = [
  { cpuMilli: 2_000, memoryBytes: 4 * gib, keepBytes: 20 * gb, cpuHourMicro: 1_000_000 },
  { cpuMilli: 4_000, memoryBytes: 8 * gib, keepBytes: 50 * gb, cpuHourMicro: 1_400_000 },
  { cpuMilli: 2_000, memoryBytes: 2 * gib, keepBytes: 10 * gb, cpuHourMicro: 1_200_000 },
  { cpuMilli: 8_000, memoryBytes: 16 * gib, keepBytes: 100 * gb, cpuHourMicro: 2_000_000 },
]

export interface DevnetPeer {
  readonly network: string
  readonly folder: string
  readonly index: number
  readonly bootstrap: readonly string[]
}

export function devnetOptions({ network, folder, index, bootstrap }: DevnetPeer): PeerOptions {
  return {
    network,
    reach: 'loopback',
    dataDir: join(folder, String(index)),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap,
    offer: devnetOffers(index),
    workers: 1,
    profile: 'devnet',
  }
}

export function devnetOffers(index: number): OfferOptions | null {
  if (index === 0) return null
  return { ...lendings[(index - 1) % lendings.length]!, unit: unitDefault, wallMsMax: wallMsMaxDefault }
}
