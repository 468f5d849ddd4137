/** Jobs as those who asked for them were told: when each stage was reached, how it ended, and who was paid. */
import { parseMicro, type PeerName } from '../../../protocols/wire/index.ts'
import type { JobStreamEvent, PeerControl } from '../../../src/control/api.ts'
import { Histogram } from '../../report/samples.ts'
import { stages, type Earned, type MarketFindings, type Stage, type Took } from './findings.ts'

/** Jobs whose course is kept; of more than these only endings are counted. */
const jobsMax = 100_000

export interface Asker {
  readonly name: PeerName
  readonly control: Pick<PeerControl, 'jobEvents'>
  readonly region: string | null
  readonly isHonest: boolean
  /** Whether it can know how its job ended: who died silently cannot. */
  readonly isThere: () => boolean
}

interface Course {
  readonly region: string | null
  readonly isHonest: boolean
  readonly isThere: () => boolean
  bidMs: number | undefined
  readonly atMs: Map<Stage, number>
  /** When providers were replaced: one who asks again is told again of what it was told before. */
  readonly replacedMs: Set<number>
  ending: { readonly name: string; readonly isPaid: boolean } | undefined
  provider: PeerName | undefined
  micro: number
}

export class JobTap {
  readonly #courses = new Map<string, Course>()
  readonly #stopped = new AbortController()
  #paid = 0
  #ended = 0

  /** Asked for, paid, and ended otherwise, so far. */
  get counts(): { readonly asked: number; readonly paid: number; readonly otherwise: number } {
    return { asked: this.#courses.size, paid: this.#paid, otherwise: this.#ended - this.#paid }
  }

  /**
   * Follows a job until it is over, or its peer is gone; resolves then. A job that is followed again, as after a restart, goes on
   * where it was.
   */
  async watch(asker: Asker, job: string): Promise<void> {
    const { name, control, region, isHonest, isThere } = asker
    const key = `${name} ${job}`
    let course = this.#courses.get(key)
    if (course === undefined) {
      if (this.#courses.size >= jobsMax) return
      course = {
        region,
        isHonest,
        isThere,
        bidMs: undefined,
        atMs: new Map(),
        replacedMs: new Set(),
        ending: undefined,
        provider: undefined,
        micro: 0,
      }
      this.#courses.set(key, course)
    }
    for await (const event of control.jobEvents(job, { logs: false, follow: true }, this.#stopped.signal)) {
      this.#note(course, event)
    }
  }

  stop(): void {
    this.#stopped.abort()
  }

  findings(): MarketFindings {
    const courses = [...this.#courses.values()]
    const endings = new Map<string, number>()
    const earned = new Map<PeerName, Earned>()
    for (const { ending, provider, micro } of courses) {
      const name = ending?.name ?? 'not over'
      endings.set(name, (endings.get(name) ?? 0) + 1)
      if (ending?.isPaid !== true || provider === undefined) continue
      const before = earned.get(provider)
      earned.set(provider, { jobs: (before?.jobs ?? 0) + 1, micro: (before?.micro ?? 0) + micro })
    }
    const regions = Map.groupBy(
      courses.filter(({ region }) => region !== null),
      ({ region }) => region!,
    )
    const honest = courses.filter(({ isHonest, isThere }) => isHonest && isThere())
    return {
      jobs: courses.length,
      honest: honest.length,
      honestPaid: honest.filter(({ ending }) => ending?.isPaid === true).length,
      endings: sorted(endings),
      reawards: courses.reduce((sum, { replacedMs }) => sum + replacedMs.size, 0),
      took: tookOf(courses),
      byRegion: sorted(new Map([...regions].map(([region, some]) => [region, tookOf(some)]))),
      earned: sorted(earned),
    }
  }

  #note(course: Course, event: JobStreamEvent): void {
    const reach = (stage: Stage, atMs: number): void => void (course.atMs.has(stage) || course.atMs.set(stage, atMs))
    switch (event.type) {
      case 'bid':
        course.bidMs ??= event.atMs
        return
      case 'offer':
        return reach('offer', event.atMs)
      case 'matched':
        course.provider = event.peer.peer
        return reach('commit', event.atMs)
      case 'replacing':
        course.replacedMs.add(event.atMs)
        return
      case 'running':
        return reach('running', event.atMs)
      case 'result':
        return reach('result', event.atMs)
      case 'end': {
        if (course.ending !== undefined) return
        const { stage, code, cost } = event.job
        const isPaid = stage === 'paid'
        course.ending = { name: isPaid ? 'paid' : `${stage}: ${code}`, isPaid }
        course.micro = parseMicro(cost) ?? 0
        this.#ended += 1
        if (!isPaid) return
        this.#paid += 1
        return reach('done', event.atMs)
      }
      case 'job':
      case 'staged':
      case 'progress':
      case 'log':
      case 'collected':
      case 'checking':
      case 'checked':
      case 'receipt':
        return
      default:
        return event satisfies never
    }
  }
}

/** Of the jobs that came so far, since their first bid. By the clock of who asked: it is the same at both ends. */
function tookOf(courses: readonly Course[]): Took {
  const took = stages.map((stage) => {
    const histogram = new Histogram()
    for (const { bidMs, atMs } of courses) {
      const reachedMs = atMs.get(stage)
      if (bidMs !== undefined && reachedMs !== undefined) histogram.add(Math.max(0, reachedMs - bidMs))
    }
    return [stage, histogram.bins()]
  })
  return Object.fromEntries(took) as Took
}

function sorted<Value>(values: ReadonlyMap<string, Value>): Record<string, Value> {
  return Object.fromEntries([...values].toSorted(([left], [right]) => (left < right ? -1 : 1)))
}
