/** How far peers are from each other, as a scenario says it. */
import type { Scenario } from '../../scenarios/scenario.ts'
import type { LinkQuality } from '../link.ts'

/** Its delays are from the shortest to the longest; here each way is the middle, give or take. */
export function linkOf({ network }: Scenario): LinkQuality {
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
