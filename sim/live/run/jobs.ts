/** The jobs of a live run: asked for through the control of their requesters, as an owner would, and followed to their end. */
import { isOver } from '../../../src/node/views.ts'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { JobView } from '../../../src/control/api.ts'
import { realClock } from '../../../src/environment.ts'
import { digestOf, digestPath, digestProgram } from '../../programs/digest.ts'
import { SeededRandom } from '../../random.ts'
import type { LivePeer } from '../live-peer.ts'
import type { LivePlan, PlannedJob } from './plan.ts'

/** What came of one job. Times are milliseconds since the run began. */
export interface JobOutcome {
  readonly plan: PlannedJob
  /** Null: its requester was not there, or refused to take it in; then `code` says why. */
  readonly id: string | null
  readonly askedMs: number
  readonly ending: 'paid' | 'refused' | 'expired' | 'not over'
  readonly code: string
  readonly endedMs: number | null
  /** Whether what came back is what the program makes of the input; null: nothing came. */
  readonly isRight: boolean | null
}

export interface JobsDeps {
  readonly plan: LivePlan
  /** Inputs and outputs, by job. */
  readonly folder: string
  readonly peer: (index: number) => LivePeer
  readonly elapsedMs: () => number
  /** A job was taken in, or its requester is there again. */
  readonly onTaken: (requester: LivePeer, id: string) => void
}

const inputName = 'input'
/** Between two looks at a job whose requester came back. */
const lookAgainMs = 100
const memoryBytes = 64 * 1024 * 1024

export class Jobs {
  readonly outcomes: JobOutcome[] = []
  readonly #deps: JobsDeps
  #module: Promise<string> | undefined
  /** Asked for, and not over. */
  open = 0

  constructor(deps: JobsDeps) {
    this.#deps = deps
  }

  /** Asks for the job and follows it; resolves when it is over, or when the signal fires. Never rejects for what peers do. */
  async run(job: PlannedJob, signal: AbortSignal): Promise<void> {
    this.open += 1
    const askedMs = this.#deps.elapsedMs()
    const requester = this.#deps.peer(job.requester)
    try {
      const view = await this.#submit(job, requester, signal)
      const end = typeof view === 'string' ? undefined : await this.#follow(job, requester, view, signal)
      this.outcomes.push({
        plan: job,
        id: typeof view === 'string' ? null : view.id,
        askedMs,
        ending: end === undefined ? 'not over' : (end.stage as JobOutcome['ending']),
        code: typeof view === 'string' ? view : (end?.code ?? ''),
        endedMs: end === undefined ? null : this.#deps.elapsedMs(),
        isRight: end?.stage === 'paid' ? await this.#isRight(job) : null,
      })
    } finally {
      this.open -= 1
    }
  }

  /** The job, or why there is none. */
  async #submit(job: PlannedJob, requester: LivePeer, signal: AbortSignal): Promise<JobView | string> {
    const { live } = this.#deps.plan.scenario
    if (!requester.isUp) return 'REQUESTER_AWAY'
    try {
      const input = await this.#input(job)
      this.#module ??= this.#writeModule()
      return await requester.control.submit(
        {
          name: `job-${job.index}`,
          module: await this.#module,
          stdin: input,
          out: join(this.#folderOf(job), 'out'),
          cpuMilli: 1_000,
          memoryBytes,
          wallMs: 60_000 + live.workMs,
          code: live.code,
          nodes: job.nodes,
        },
        AbortSignal.any([signal, requester.life]),
      )
    } catch (error) {
      return (error as { code?: string }).code ?? String(error)
    }
  }

  /** Through all lives of its requester. Undefined: it is not over when the signal fires. */
  async #follow(
    job: PlannedJob,
    requester: LivePeer,
    { id }: JobView,
    signal: AbortSignal,
  ): Promise<JobView | undefined> {
    const cancelling =
      job.cancelAfterMs === null
        ? undefined
        : realClock.after(job.cancelAfterMs, () => void this.#cancel(requester, id))
    try {
      while (!signal.aborted) {
        await requester.untilUp(signal)
        const life = AbortSignal.any([signal, requester.life])
        this.#deps.onTaken(requester, id)
        for await (const event of requester.control.jobEvents(id, { logs: false, follow: true }, life)) {
          if (event.type === 'end' && isOver(event.job.stage)) return event.job
        }
        await realClock.sleep(lookAgainMs, signal)
      }
    } catch (error) {
      // A requester that lost its disk knows nothing of its job any more.
      if (!signal.aborted && (error as { code?: string }).code !== 'NOT_FOUND') throw error
    } finally {
      cancelling?.()
    }
    return undefined
  }

  async #cancel(requester: LivePeer, id: string): Promise<void> {
    if (requester.isUp) await requester.control.cancel(id).catch(() => {})
  }

  #folderOf({ index }: PlannedJob): string {
    return join(this.#deps.folder, String(index))
  }

  async #input(job: PlannedJob): Promise<string> {
    const folder = this.#folderOf(job)
    await mkdir(folder, { recursive: true })
    const path = join(folder, inputName)
    const { seed, scenario } = this.#deps.plan
    await writeFile(path, SeededRandom.of(seed, 'live', 'input', job.index).bytes(scenario.live.inputBytes))
    return path
  }

  async #writeModule(): Promise<string> {
    const path = join(this.#deps.folder, 'digest.wasm')
    await writeFile(path, digestProgram(this.#deps.plan.scenario.live.workMs))
    return path
  }

  async #isRight(job: PlannedJob): Promise<boolean> {
    const folder = this.#folderOf(job)
    const output = await readFile(join(folder, 'out', digestPath)).catch(() => undefined)
    if (output === undefined) return false
    return output.equals(digestOf(await readFile(join(folder, inputName))))
  }
}
