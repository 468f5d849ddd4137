/** When all is over nobody holds capacity any more. */
import type { Checker } from './checker.ts'

export const nothingLeaks: Checker = (world) =>
  world.peers
    .filter((peer) => peer.isUp && peer.provider.inUse().cpuMilli > 0)
    .map((peer) => `peer ${peer.number} still holds ${peer.provider.inUse().cpuMilli} cpu-milli`)
