/** What stands in for staging and running where they are not modelled: waits, in the place of work. */
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

/** A dishonest meter says so many times the time that a program ran. */
export function modelWorkshop(clock: Clock, random: SeededRandom, meterFactor: number): Workshop {
  return {
    stage: async (_lease, _order, signal) => clock.sleep(random.between(10, 500), signal),
    run: async (_lease, _order, onMeter, signal) => {
      const beganMs = clock.monotonicMs()
      const isCancelled = await clock.sleep(random.between(200, 12_000), signal).then(
        () => false,
        () => true,
      )
      const wallMs = Math.round((clock.monotonicMs() - beganMs) * meterFactor)
      onMeter({ wallMs, cpuMs: wallMs, memoryBytes: 0 })
      return { exit: plainExit(wallMs, isCancelled), hasOutputs: false }
    },
    seal: async () => {
      throw new Error('the model has no outputs')
    },
    follow: () => {},
    clear: () => {},
  }
}
