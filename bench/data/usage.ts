/** What a process takes while it works: memory over what it had, and how late its event loop is. */
import process from 'node:process'
import { monitorEventLoopDelay } from 'node:perf_hooks'

export interface Usage {
  /** The most that was resident, over what was at the beginning. */
  readonly extraBytes: number
  /** Of 100 looks at the event loop, 99 found it no later than this. */
  readonly lateMs: number
  readonly latestMs: number
  /** Of a processor, all threads. */
  readonly cpuMs: number
}

const sampleMs = 20
const tickMs = 1

/** Begins to watch this process; what it gives ends that. */
export function watch(): () => Usage {
  const before = process.memoryUsage.rss()
  const cpuBefore = process.cpuUsage()
  let most = before
  const sample = (): void => void (most = Math.max(most, process.memoryUsage.rss()))
  const sampling = setInterval(sample, sampleMs)
  const loop = monitorEventLoopDelay({ resolution: tickMs })
  loop.enable()
  return () => {
    sample()
    clearInterval(sampling)
    loop.disable()
    const { user, system } = process.cpuUsage(cpuBefore)
    return {
      extraBytes: most - before,
      lateMs: Math.max(0, loop.percentile(99) / 1e6 - tickMs),
      latestMs: Math.max(0, loop.max / 1e6 - tickMs),
      cpuMs: (user + system) / 1_000,
    }
  }
}
