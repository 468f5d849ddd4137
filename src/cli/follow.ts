/** A job from its submission to its receipt, as `run` and `rerun` show it. */
import { exits } from '../config/error.ts'
import { ControlError, type JobStreamEvent, type JobView, type MatchExplanation } from '../control/api.ts'
import type { ControlClient } from '../control/client.ts'
import type { Flags, Invocation } from './command.ts'
import { shortJob } from './format.ts'
import { Failure, Interrupted, type Problem } from './problem.ts'
import { runEnding } from './run-ending.ts'
import type { Terminal } from './terminal.ts'
import type { Timeline } from './timeline.ts'

/** With --json the program's stdout is held until the end; what goes beyond this is cut, and the object says so. */
const heldBytesMax = 64 * 1024 * 1024

/** What a job has shown when its events end. */
interface Followed {
  readonly job: JobView
  readonly explanation: MatchExplanation | null
  readonly stdout: Buffer
  readonly stdoutCut: boolean
}

/** From here to the receipt. The program's stdout is ours, its stderr ours; answers with the exit code. */
export async function follow(
  client: ControlClient,
  job: JobView,
  timeline: Timeline,
  { terminal, signal }: Pick<Invocation<Flags>, 'terminal' | 'signal'>,
): Promise<number> {
  let followed: Followed
  try {
    const until = AbortSignal.any([signal, terminal.gone])
    const events = client.jobEvents(job.id, { logs: true, follow: true }, until)
    followed = await show(events, job, timeline, terminal)
  } catch (error) {
    if (!(error instanceof Interrupted) && !terminal.gone.aborted) throw error
    const id = shortJob(job.id)
    timeline.flush()
    terminal.note(`detached; the job goes on. pleach logs -f ${id} shows it, pleach cancel ${id} stops it`)
    if (terminal.json) await terminal.printJson({ v: 1, detached: true, job })
    return exits.interrupted
  }
  const { job: ended, explanation, stdout, stdoutCut } = followed
  const held = { stdoutBase64: stdout.toString('base64'), stdoutCut }
  const { exit, problem } = runEnding(ended, explanation)
  if (problem !== undefined) {
    timeline.flush()
    throw new Failure(withJob(problem, ended, held))
  }
  // The job is over; that the peer should go away just now takes nothing from its result.
  const receipts = await client.receipts().catch(() => [])
  const receipt = receipts.find(({ lease }) => lease === ended.lease)
  timeline.finish(ended, receipt)
  if (terminal.json) await terminal.printJson({ v: 1, job: ended, exitCode: exit, ...held, receipt: receipt ?? null })
  return exit
}

/** Carries the log to our streams until the job ends. */
async function show(
  events: AsyncIterable<JobStreamEvent>,
  { id }: JobView,
  timeline: Timeline,
  terminal: Terminal,
): Promise<Followed> {
  const chunks: Buffer[] = []
  let heldBytes = 0
  for await (const event of events) {
    if (event.type === 'end') {
      const stdout = Buffer.concat(chunks)
      return { job: event.job, explanation: event.explanation, stdout, stdoutCut: heldBytes > stdout.byteLength }
    }
    if (event.type !== 'log') {
      timeline.on(event)
      continue
    }
    timeline.flush()
    const bytes = Buffer.from(event.base64, 'base64')
    if (event.channel === 'stderr') await terminal.errorData(bytes)
    else if (terminal.json) {
      if (heldBytes < heldBytesMax) chunks.push(bytes.subarray(0, heldBytesMax - heldBytes))
      heldBytes += bytes.byteLength
    } else await terminal.data(bytes)
  }
  throw new ControlError({
    code: 'PEER_GONE',
    what: `the peer went away while job ${shortJob(id)} was under way`,
    why: 'its events ended before the job did; a provider may be working on it still',
    cure: `pleach up, then pleach logs -f ${shortJob(id)}`,
    exit: exits.unreachable,
  })
}

function withJob(problem: Problem, job: JobView, held: Readonly<Record<string, unknown>>): Problem {
  return { ...problem, also: { ...problem.also, job, ...held } }
}
