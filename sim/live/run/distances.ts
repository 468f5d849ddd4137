/** How far peers are from each other, as a scenario says it. */
import type { Scenario } from '../../scenarios/scenario.ts'
import type { LinkQuality } from '../link.ts'
import { medianLatencyMs, regionTable, spreadOver } from '../regions.ts'

export interface Distances {
  readonly link: LinkQuality | ((from: string, to: string) => LinkQuality)
  /** Null: there are no regions. */
  readonly regionOf: (ip: string) => string | null
  /** One way, of most links: a machine that is later than that measures itself. */
  readonly typicalMs: number
}

/** Over TCP links have no latency of their own; what is later than this says nothing of a network. */
const tcpTypicalMs = 50

/** The delays of a network are from the shortest to the longest; here each way is the middle, give or take. */
export function distancesOf({ network, live }: Scenario, seed: number): Distances {
  if (live.regions) {
    const table = regionTable()
    const regions = spreadOver(table, { seed, loss: network.lossProbability })
    return { link: regions.link, regionOf: (ip) => regions.regionOf(ip), typicalMs: medianLatencyMs(table) }
  }
  const [shortest, longest] = network.delayMs
  const { lossProbability, uplinkBytesPerMs } = network
  const latencyMs = (shortest + longest) / 2
  return {
    link: {
      latencyMs,
      jitterMs: (longest - shortest) / 2,
      bytesPerSecond: uplinkBytesPerMs === 0 ? Infinity : uplinkBytesPerMs * 1000,
      loss: lossProbability,
      lossIs: 'delay',
    },
    regionOf: () => null,
    typicalMs: live.carrier === 'tcp' ? tcpTypicalMs : latencyMs,
  }
}
