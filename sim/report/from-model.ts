/** The record of a campaign of the model: what all its lives together say (lives.ts has one of them). */
import { checkers } from '../checkers/index.ts'
import { jobsJudgedMin, type CampaignReport } from '../model/campaign.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { stages, type LifeFacts, type Stage } from './lives.ts'
import type { Metric } from './metrics.ts'
import { conductTable } from './conduct-table.ts'
import { modelFrame } from './model-frame.ts'
import { samplesMax, type Assertion, type Figure, type RunRecord } from './record.ts'
import { Histogram } from './samples.ts'

const stubs = [
  'Time is a virtual clock, which jumps to whatever is next.',
  'The network is drawn from the seed: delays, losses, doubles and cuts, frame by frame. There are no sockets.',
  'Gossip goes from neighbour to neighbour as in gossipsub, without its scores and control messages.',
  'The DHT is a table with the known weaknesses of one; its hops are a drawn delay.',
  'Disks are memory that is durable only after its group commit; power and crashes take what was not.',
  'Programs do not run: staging, running and collecting are waits of drawn lengths.',
]

const keyedHashes = 'Signatures are keyed hashes in the place of Ed25519.'

/** Of virtual time: counters are kept this fine. */
const binMs = 1_000
const storyEventsMax = 1_000
const storyNodesMax = 20_000

const stageNames: Readonly<Record<Stage, string>> = {
  offer: 'bid to offer',
  commit: 'bid to commit',
  running: 'bid to running',
  result: 'bid to result',
  done: 'bid to done',
}

interface Counts {
  readonly asked: Map<number, number>
  readonly paid: Map<number, number>
  readonly other: Map<number, number>
}

export interface HowItRan {
  readonly command: string
  readonly wallMs: number
  readonly signatures: 'model' | 'real'
}

/** Gathers lives in any order: the same lives give the same record. */
export class LivesRecord {
  readonly #scenario: Scenario
  readonly #seed: number
  readonly #took = new Map<Stage, Histogram>(stages.map((stage) => [stage, new Histogram()]))
  readonly #all = emptyCounts()
  readonly #first = emptyCounts()
  readonly #endings = new Map<string, number>()
  readonly #network = new Map<string, number>()
  readonly #gossip = new Map<string, number>()
  readonly #violations = new Map<string, number>()
  readonly #vices = new Map<string, { peers: number; caught: number }>()
  #story: LifeFacts['story'] = null
  #jobs = 0
  #honest = 0
  #accused = 0

  constructor(scenario: Scenario, seed: number) {
    this.#scenario = scenario
    this.#seed = seed
  }

  add(life: LifeFacts): void {
    for (const job of life.jobs) {
      this.#jobs++
      const { ending } = job
      bump(
        this.#endings,
        ending === null ? 'not over' : ending.outcome === 'paid' ? 'paid' : `${ending.outcome}: ${ending.code}`,
      )
      for (const stage of stages) if (job.took[stage] !== undefined) this.#took.get(stage)!.add(job.took[stage])
      for (const counts of life.seed === this.#seed ? [this.#all, this.#first] : [this.#all]) {
        bump(counts.asked, binOf(job.askedMs))
        if (ending !== null && ending.atMs !== null)
          bump(ending.outcome === 'paid' ? counts.paid : counts.other, binOf(ending.atMs))
      }
    }
    for (const [name, count] of Object.entries(life.network)) bump(this.#network, name, count)
    for (const [name, count] of Object.entries(life.gossip)) bump(this.#gossip, name, count)
    for (const checker of life.violations) bump(this.#violations, checker)
    for (const { vice, caught } of life.dishonest) {
      const of = this.#vices.get(vice) ?? { peers: 0, caught: 0 }
      this.#vices.set(vice, { peers: of.peers + 1, caught: of.caught + Number(caught) })
    }
    this.#honest += life.honest
    this.#accused += life.accused
    if (life.seed === this.#seed) this.#story = life.story
  }

  record(report: CampaignReport, { command, wallMs, signatures }: HowItRan): RunRecord {
    return {
      ...modelFrame({
        scenario: this.#scenario,
        seed: this.#seed,
        lives: report.seeds,
        command,
        wallMs,
        stubs: signatures === 'real' ? stubs : [...stubs, keyedHashes],
      }),
      assertions: this.#assertions(report),
      numbers: this.#numbers(report),
      figures: this.#figures(report.seeds),
    }
  }

  #assertions(report: CampaignReport): Assertion[] {
    const known = checkers.map((checker) => checker.name)
    const others = [...this.#violations.keys()].filter((checker) => !known.includes(checker)).toSorted()
    const share = this.#scenario.assertions.paidShareMin
    return [
      {
        name: 'jobs of honest requesters are paid',
        wanted: `at least ${percent(share)}, judged from ${jobsJudgedMin} jobs on`,
        got: `${percent(report.paidShare)} of ${this.#jobs}`,
        holds: report.paidShare >= share || this.#jobs < jobsJudgedMin,
      },
      ...this.#fairness(report),
      ...[...known, ...others].map((checker) => {
        const count = this.#violations.get(checker) ?? 0
        return {
          name: checker,
          wanted: 'never broken',
          got: count === 0 ? 'never broken' : `broken ${count} times`,
          holds: count === 0,
        }
      }),
    ]
  }

  /** Where the scenario asserts anything of it. */
  #fairness(report: CampaignReport): Assertion[] {
    const { successShareMin, liarShareMax } = this.#scenario.assertions
    const { warmUpJobs } = this.#scenario.workload
    const fairness: Assertion[] = []
    if (successShareMin > 0)
      fairness.push({
        name: 'jobs are done by honest providers',
        wanted: `at least ${percent(successShareMin)} after the first ${warmUpJobs} of each life`,
        got: percent(report.successShare),
        holds: report.successShare >= successShareMin,
      })
    if (liarShareMax < 1)
      fairness.push({
        name: 'what is paid goes to honest providers',
        wanted: `at most ${percent(liarShareMax)} to others after the first ${warmUpJobs} of each life`,
        got: percent(report.liarShare),
        holds: report.liarShare <= liarShareMax,
      })
    return fairness
  }

  #numbers(report: CampaignReport): RunRecord['numbers'] {
    const dishonest = [...this.#vices.values()].reduce((sum, { peers }) => sum + peers, 0)
    const caught = [...this.#vices.values()].reduce((sum, vice) => sum + vice.caught, 0)
    const hops = this.#gossip.get('hops') ?? 0
    const delivered = this.#gossip.get('delivered') ?? 0
    return [
      { name: 'job_success', title: 'of the jobs were paid', unit: 'share', value: report.paidShare },
      { name: 'jobs', title: 'jobs of honest requesters', unit: '', value: this.#jobs },
      { name: 'violations', title: 'violations of invariants', unit: '', value: report.violations },
      { name: 'honest_accused', title: 'honest peers accused', unit: '', value: this.#accused },
      {
        name: 'dishonest_caught',
        title: 'of the dishonest were caught',
        unit: 'share',
        value: shareOf(caught, dishonest),
      },
      {
        name: 'gossip_hops',
        title: 'copies sent for each delivered message',
        unit: '',
        value: shareOf(hops, delivered),
      },
      { name: 'lives_per_second', title: 'lives each second', unit: '', value: report.seedsPerSecond },
      { name: 'events', title: 'events', unit: '', value: report.events },
    ]
  }

  #figures(lives: number): Figure[] {
    const figures: Figure[] = [
      {
        kind: 'cdf',
        name: 'latency',
        title: 'How long jobs take',
        unit: 'ms',
        read: 'each line climbs to the share of jobs that had come so far within that much virtual time since their first bid; further left is faster, and a flat end is a few that waited for a fault to pass.',
        series: stages.map((stage) => {
          const histogram = this.#took.get(stage)!
          return { name: stageNames[stage], count: histogram.count, samples: histogram.samples(samplesMax) }
        }),
      },
      {
        kind: 'bars',
        name: 'endings',
        title: 'How jobs ended',
        unit: 'jobs',
        read: 'one bar for each way in which jobs of honest requesters ended; everything but paid says who or what prevented it.',
        isWhole: true,
        bars: topBars(this.#endings),
      },
      this.#timeline('jobs', 'Jobs over virtual time', this.#all, lives === 1 ? this.#story : null),
    ]
    if (this.#story !== null && lives > 1)
      figures.push(this.#timeline('first_life', `One life told: seed ${this.#seed}`, this.#first, this.#story))
    figures.push(
      this.#viceTable(),
      this.#counts('gossip', 'Gossip', this.#gossip, gossipRead),
      this.#counts('frames', 'Frames on the network', this.#network, framesRead),
    )
    if (this.#story !== null && this.#story.graph.nodes.length <= storyNodesMax)
      figures.push(this.#topology(this.#story.graph))
    return figures
  }

  #timeline(name: string, title: string, { asked, paid, other }: Counts, story: LifeFacts['story']): Figure {
    const { faultsUntilMs } = this.#scenario
    const last = Math.max(binOf(story?.endMs ?? 0), ...asked.keys(), ...paid.keys(), ...other.keys()) + 1
    const mischief = faultsUntilMs > 0 ? [{ atMs: 0, untilMs: faultsUntilMs, what: 'mischief' }] : []
    return {
      kind: 'timeline',
      name,
      title,
      unit: 'jobs',
      read: 'the lines count jobs from the start on, so a steep part is where much happens and the gap between asked for and paid is what was under way or lost; marks under the axis say what went wrong, and for how long.',
      series: [
        { name: 'asked for', points: summed(asked, last) },
        { name: 'paid', points: summed(paid, last) },
        { name: 'ended otherwise', points: summed(other, last) },
      ],
      events: [...mischief, ...(story?.events ?? []).slice(0, storyEventsMax - 1)],
    }
  }

  #viceTable(): Figure {
    const rows = [...this.#vices].toSorted(([left], [right]) => (left < right ? -1 : 1))
    return conductTable(rows, this.#honest, this.#accused)
  }

  #counts(name: string, title: string, counts: ReadonlyMap<string, number>, read: string): Figure {
    return { kind: 'bars', name, title, unit: '', read, isWhole: false, bars: topBars(counts) }
  }

  #topology({ nodes, edges }: NonNullable<LifeFacts['story']>['graph']): Figure {
    return {
      kind: 'topology',
      name: 'leases',
      title: `Who worked for whom: seed ${this.#seed}`,
      unit: 'peers',
      read: 'each shape is a peer of that one life, each curve a lease that was committed between two of them; a peer with many curves is one that many relied on.',
      before: null,
      after: { nodes: nodes.map((node) => ({ ...node, region: null })), edges: edges.map(([from, to]) => [from, to]) },
    }
  }
}

const gossipRead =
  'published is what authors said, copies all that went from neighbour to neighbour, hops those of them to a peer that did not have it yet, delivered those that were new to who got them, refused those that a peer would not pass on.'
const framesRead =
  'sent is every frame and copy of gossip; the others are what became of some of them: lost by chance, cut off, held up in a clog, or doubled.'

/** A line of `metrics.jsonl`. */
export function metricOf({
  seed,
  events,
  virtualMs,
  jobs,
  gossip,
  network,
  accused,
  dishonest,
  violations,
}: LifeFacts): Metric {
  return {
    v: 1,
    of: 'life',
    seed,
    events,
    virtualMs,
    jobs: jobs.length,
    paid: jobs.filter(({ ending }) => ending?.outcome === 'paid').length,
    violations: violations.length,
    accused,
    dishonest: dishonest.length,
    caught: dishonest.filter(({ caught }) => caught).length,
    ...prefixed('gossip', gossip),
    ...prefixed('frames', network),
  }
}

function prefixed(prefix: string, counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counts).map(([name, count]) => [`${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`, count]),
  )
}

/** Kinds of one figure; what is rarer is one bar. */
const barsMax = 24

function topBars(counts: ReadonlyMap<string, number>): { name: string; value: number }[] {
  const sorted = [...counts].toSorted(
    ([leftName, left], [rightName, right]) => right - left || (leftName < rightName ? -1 : 1),
  )
  const bars = sorted.slice(0, barsMax).map(([name, value]) => ({ name, value }))
  const rest = sorted.slice(barsMax).reduce((sum, [, value]) => sum + value, 0)
  return rest === 0 ? bars : [...bars, { name: 'all others', value: rest }]
}

function emptyCounts(): Counts {
  return { asked: new Map(), paid: new Map(), other: new Map() }
}

function bump<Key>(counts: Map<Key, number>, key: Key, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by)
}

function binOf(atMs: number): number {
  return Math.ceil(atMs / binMs)
}

function summed(counts: ReadonlyMap<number, number>, last: number): [number, number][] {
  let sum = 0
  return Array.from({ length: last + 1 }, (_, bin) => [bin * binMs, (sum += counts.get(bin) ?? 0)])
}

function shareOf(part: number, all: number): number | null {
  return all === 0 ? null : Math.round((1_000 * part) / all) / 1_000
}

function percent(share: number): string {
  return `${Number((100 * share).toFixed(1))} %`
}
