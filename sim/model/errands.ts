/** What stands in for staging and running where they are not modelled: waits, in the place of work. */
import { outcomeOf, type Meter } from '../../protocols/execute/index.ts'
import type { Lease } from '../../protocols/negotiate/index.ts'
import { RefusedError, type Refusal } from '../../protocols/wire/index.ts'
import type { Clock } from '../../src/environment.ts'
import type { Workshop } from '../../src/market/provider-desk.ts'
import type { JobErrands } from '../../src/market/job-errands.ts'
import type { SeededRandom } from '../random.ts'
import { emptyOrder, plainExit } from './stand-ins.ts'

export function modelErrands(
  clock: Clock,
  random: SeededRandom,
  announce: (topic: string, bid: Uint8Array) => void,
  /** Throws when what was fetched is not what was asked for. */
  inspect: (job: string) => void,
): JobErrands {
  return {
    announce,
    stage: async (_job, signal) => {
      await clock.sleep(random.between(5, 800), signal)
      return emptyOrder
    },
    // This machine tells itself the truth.
    redo: async ({ award }, _order, signal) => {
      await clock.sleep(random.between(...runMs), signal)
      return outcomeOf({ ...plainExit(0, false), job: award.body.job })
    },
    openLog: () => ({ stdout: 0, stderr: 0 }),
    appendLog: () => {},
    collect: async (job, _document, _outputs, signal) => {
      await clock.sleep(random.between(5, 300), signal)
      inspect(job)
    },
  }
}

/** How long a program runs: short ones, and ones of several payment intervals. */
const runMs: readonly [number, number] = [100, 6_000]

export interface WorkshopHooks {
  /** A dishonest meter says so many times the time that a program ran. */
  readonly meterFactor: number
  /** What its programs exit with: another than 0 is another outcome. */
  readonly exitCode: number
  /** Leases of which a program is running, whenever one more is. */
  onRunning(leases: ReadonlySet<Lease>): void
}

type OnMeter = (meter: Meter) => void

/** A program that runs beside its peer, on the machine: a crash of the peer does not end it. */
export interface ModelRun {
  readonly beganMs: number
  readonly endsMs: number
}

/** Of a hundred crashes of a peer this many are of its whole machine, and end its programs. */
const machineCrashPercent = 30

/** `machine`: what runs on it, by lease. It is the same for all lives of a peer. */
export function modelWorkshop(
  clock: Clock,
  random: SeededRandom,
  machine: Map<string, ModelRun>,
  hooks: WorkshopHooks,
): Workshop {
  const running = new Set<Lease>()
  const follow = async (lease: Lease, { beganMs, endsMs }: ModelRun, signal: AbortSignal) => {
    running.add(lease)
    hooks.onRunning(running)
    const isCancelled = await clock.sleep(Math.max(0, endsMs - clock.monotonicMs()), signal).then(
      () => false,
      () => true,
    )
    running.delete(lease)
    machine.delete(lease.id)
    const wallMs = Math.round(Math.min(endsMs, clock.monotonicMs()) - beganMs) * hooks.meterFactor
    return { wallMs: Math.round(wallMs), isCancelled }
  }
  const finished = ({ wallMs, isCancelled }: { wallMs: number; isCancelled: boolean }, onMeter: OnMeter) => {
    onMeter({ wallMs, cpuMs: wallMs, memoryBytes: 0, gas: 0 })
    const exit = plainExit(wallMs, isCancelled)
    return { exit: isCancelled ? exit : { ...exit, exitCode: hooks.exitCode }, hasOutputs: false }
  }
  return {
    stage: async (_lease, _order, signal) => {
      await clock.sleep(random.between(10, 500), signal)
      return { inBytes: 1 }
    },
    run: async (lease, _order, onMeter, signal) => {
      const beganMs = clock.monotonicMs()
      const run = { beganMs, endsMs: beganMs + random.between(...runMs) }
      machine.set(lease.id, run)
      return finished(await follow(lease, run, signal), onMeter)
    },
    attach: async (lease, _order, onMeter, signal) => {
      const run = machine.get(lease.id)
      if (run === undefined || random.between(0, 100) < machineCrashPercent) {
        machine.delete(lease.id)
        throw new Error('the program is gone')
      }
      return finished(await follow(lease, run, signal), onMeter)
    },
    seal: async () => {
      throw new Error('the model has no outputs')
    },
    follow: () => {},
    clear: () => {},
  }
}

/** What an errand failed by, as a job is told. */
export function refusalOf(error: unknown): Refusal {
  return error instanceof RefusedError
    ? { code: error.code, facts: error.facts }
    : { code: 'FAILED', facts: { reason: String(error) } }
}
