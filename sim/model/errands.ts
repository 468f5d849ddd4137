/** What stands in for staging and running where they are not modelled: waits, in the place of work. */
import type { Lease } from '../../protocols/negotiate/index.ts'
import type { Clock } from '../../src/environment.ts'
import type { Workshop } from '../../src/market/provider-desk.ts'
import type { JobErrands } from '../../src/market/requester-desk.ts'
import type { SeededRandom } from '../random.ts'
import { emptyOrder, plainExit } from './stand-ins.ts'

export function modelErrands(
  clock: Clock,
  random: SeededRandom,
  announce: (topic: string, bid: Uint8Array) => void,
): JobErrands {
  return {
    announce,
    stage: async (_job, signal) => {
      await clock.sleep(random.between(5, 800), signal)
      return emptyOrder
    },
    openLog: () => ({ stdout: 0, stderr: 0 }),
    appendLog: () => {},
    collect: async (_job, _document, _outputs, signal) => clock.sleep(random.between(5, 300), signal),
  }
}

/** How long a program runs: short ones, and ones of several payment intervals. */
const runMs: readonly [number, number] = [100, 6_000]

export interface WorkshopHooks {
  /** A dishonest meter says so many times the time that a program ran. */
  readonly meterFactor: number
  /** Leases of which a program is running, whenever one more is. */
  onRunning(leases: ReadonlySet<Lease>): void
}

export function modelWorkshop(clock: Clock, random: SeededRandom, hooks: WorkshopHooks): Workshop {
  const running = new Set<Lease>()
  return {
    stage: async (_lease, _order, signal) => clock.sleep(random.between(10, 500), signal),
    run: async (lease, _order, onMeter, signal) => {
      const beganMs = clock.monotonicMs()
      running.add(lease)
      hooks.onRunning(running)
      const isCancelled = await clock.sleep(random.between(...runMs), signal).then(
        () => false,
        () => true,
      )
      running.delete(lease)
      const wallMs = Math.round((clock.monotonicMs() - beganMs) * hooks.meterFactor)
      onMeter({ wallMs, cpuMs: wallMs, memoryBytes: 0, gas: 0 })
      return { exit: plainExit(wallMs, isCancelled), hasOutputs: false }
    },
    seal: async () => {
      throw new Error('the model has no outputs')
    },
    follow: () => {},
    clear: () => {},
  }
}
