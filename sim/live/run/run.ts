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
export async function runLive({ plan, part, command, signal }: RunLiveOptions): Promise<LiveResult | null> {
  const beganMs = performance.now()
  const story: Story = { boot: null, before: null, after: null, findings: null, ledgers: null }
  try {
    await live(plan, part, story, signal).catch((error: unknown) => {
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

async function live(plan: LivePlan, part: Part, story: Story, signal: AbortSignal): Promise<void> {
  const residents = await part.open()
  await part.start(residents)
  story.boot = await part.join(signal)
  story.before = await part.ties()
  await part.probe(signal)
  if (plan.objects.length > 0) await part.putObjects(signal)
  await part.act(signal)
  await part.settle(signal)
  if (plan.faults.length > 0) {
    await part.mend(signal)
    await part.probe(signal)
  }
  if (plan.objects.length > 0) await part.getObjects(signal)
  story.after = await part.ties()
  story.findings = await part.findings()
  story.ledgers = await part.stop()
}
