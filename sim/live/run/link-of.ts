/** How far peers are from each other, as a scenario says it. */
import type { Scenario } from '../../scenarios/scenario.ts'
import type { LinkQuality } from '../link.ts'
import { medianLatencyMs, regionTable, spreadOver } from '../regions.ts'

/** In regions of the table, or all as far from each other. */
export function linkOf(scenario: Scenario, seed: number): LinkQuality | ((from: string, to: string) => LinkQuality) {
  const { live, network } = scenario
  if (!live.regions) return uniformLink(scenario)
  return spreadOver(regionTable(), { seed, loss: network.lossProbability }).link
}

/** One way, of most ways: what lateness is judged by. */
export function latencyMsOf(scenario: Scenario): number {
  return scenario.live.regions ? medianLatencyMs(regionTable()) : uniformLink(scenario).latencyMs
}

/** Its delays are from the shortest to the longest; here each way is the middle, give or take. */
function uniformLink({ network }: Scenario): LinkQuality {
  const [shortest, longest] = network.delayMs
  const { lossProbability, uplinkBytesPerMs } = network
  return {
    latencyMs: (shortest + longest) / 2,
    jitterMs: (longest - shortest) / 2,
    bytesPerSecond: uplinkBytesPerMs === 0 ? Infinity : uplinkBytesPerMs * 1000,
    loss: lossProbability,
    lossIs: 'delay',
  }
}
