/**
 * A live run from its plan to its record: boot, probes, objects, jobs and faults, probes again where something was broken, and then
 * what the disks say. What is interrupted is told as far as it came.
 */
import type { RunRecord } from '../../report/record.ts'
import type { BootFindings, Part, PartFindings } from './parts.ts'
import type { LivePlan } from './plan.ts'
import { recordOfRun, type Story } from './story.ts'

export interface RunLiveOptions {
  readonly plan: LivePlan
  readonly part: Part
  /** Told of what is done from now on. */
  readonly onPhase: (phase: string) => void
  /** Reproduces the run. */
  readonly command: string
  /** The run ends where it is, and is told so far. */
  readonly signal: AbortSignal
}

export interface LiveResult {
  readonly record: RunRecord
  readonly boot: BootFindings | null
  readonly findings: PartFindings | null
}

/** Null: it was interrupted before its peers were there. */
export async function runLive(options: RunLiveOptions): Promise<LiveResult | null> {
  const { plan, part, command, signal } = options
  const beganMs = performance.now()
  const story: Story = { boot: null, before: null, after: null, findings: null, ledgers: null }
  try {
    await live(options, story).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    if (story.findings === null && story.boot !== null) {
      story.after = await part.ties()
      story.findings = await part.findings()
    }
    if (story.findings === null) return null
    return {
      record: recordOfRun(plan, story, { command, wallMs: performance.now() - beganMs, isCutShort: signal.aborted }),
      boot: story.boot,
      findings: story.findings,
    }
  } finally {
    await part.close()
  }
}

async function live({ plan, part, onPhase, signal }: RunLiveOptions, story: Story): Promise<void> {
  const { probes } = plan.scenario.live
  const probe = async (): Promise<void> => {
    if (probes.restMs + probes.bids + probes.lookUps === 0) return
    onPhase('probes')
    await part.probe(signal)
  }
  onPhase('boot')
  const residents = await part.open()
  await part.start(residents, signal)
  story.boot = await part.join(signal)
  story.before = await part.ties()
  await probe()
  if (plan.objects.length > 0) {
    onPhase('objects')
    await part.putObjects(signal)
  }
  if (plan.jobs.length + plan.faults.length > 0) {
    onPhase(plan.jobs.length > 0 ? 'jobs' : 'faults')
    await part.act(signal)
    onPhase('settling')
    await part.settle(signal)
  }
  if (plan.faults.length > 0) {
    onPhase('mending')
    await part.mend(signal)
    await probe()
  }
  if (plan.objects.length > 0) {
    onPhase('objects')
    await part.getObjects(signal)
  }
  story.after = await part.ties()
  story.findings = await part.findings()
  onPhase('stopping')
  story.ledgers = await part.stop()
}
