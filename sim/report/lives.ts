/**
 * What one finished life of the model says to a report: small and plain, so that it comes out of another thread. Nothing of this
 * happens unless somebody wants a record.
 */
import { endingOf, type JobState } from '../../src/market/job-state.ts'
import { honest, type Violation } from '../checkers/checker.ts'
import type { ModelPeer } from '../model/peer.ts'
import type { PlannedJob } from '../model/workload.ts'
import type { World } from '../model/world.ts'

/** Stages of a job that are timed from its first bid on. */
export const stages = ['offer', 'commit', 'running', 'result', 'done'] as const
export type Stage = (typeof stages)[number]

export interface JobFacts {
  readonly askedMs: number
  /** Null: it was not over when the life was. When that was is not known of one whose peer crashed before it told. */
  readonly ending: { readonly atMs: number | null; readonly outcome: string; readonly code: string } | null
  /** Milliseconds since its first bid; those of a job that is not paid end early. */
  readonly took: Readonly<Partial<Record<Stage, number>>>
}

export interface EventFacts {
  readonly atMs: number
  readonly untilMs: number | null
  readonly what: string
}

export interface GraphFacts {
  readonly nodes: readonly { readonly id: string; readonly role: string; readonly alive: boolean }[]
  readonly edges: readonly (readonly [number, number])[]
}

export interface LifeFacts {
  readonly seed: number
  readonly events: number
  readonly virtualMs: number
  /** Of honest requesters. */
  readonly jobs: readonly JobFacts[]
  readonly network: Readonly<Record<string, number>>
  readonly gossip: Readonly<Record<string, number>>
  readonly honest: number
  /** Honest peers that an honest one accused. */
  readonly accused: number
  readonly dishonest: readonly { readonly vice: string; readonly caught: boolean }[]
  /** The names of the checkers, once for each violation. */
  readonly violations: readonly string[]
  /** Of a life whose trace was kept: what happened to it, and who worked for whom. */
  readonly story: { readonly endMs: number; readonly events: readonly EventFacts[]; readonly graph: GraphFacts } | null
}

export function lifeFacts(world: World, violations: readonly Violation[]): LifeFacts {
  const honestPeers = honest(world)
  const accused = new Set(honestPeers.flatMap(({ blamed }) => blamed.map(({ peer }) => peer)))
  return {
    seed: world.seed,
    events: world.events,
    virtualMs: world.elapsedMs,
    jobs: world.jobs.filter(({ submitted, requester }) => submitted && requester.vice === null).map(jobFacts),
    network: { ...world.network.counts },
    gossip: { ...world.gossip.counts },
    honest: honestPeers.length,
    accused: honestPeers.filter(({ name }) => accused.has(name)).length,
    dishonest: world.peers.flatMap(({ vice, name }) => (vice === null ? [] : [{ vice, caught: accused.has(name) }])),
    violations: violations.map(({ checker }) => checker),
    story:
      world.trace.lines === null ? null : { endMs: world.elapsedMs, events: eventsOf(world), graph: graphOf(world) },
  }
}

function jobFacts({ requester, terms, submittedMs }: PlannedJob): JobFacts {
  const first = new Map<string, number>()
  let ending: JobFacts['ending'] = null
  for (const { atMs, event } of requester.jobEvents.get(terms.job) ?? []) {
    if (!first.has(event.stage)) first.set(event.stage, atMs)
    if (event.stage === 'ended' && ending === null) ending = { atMs, ...event.ending }
  }
  const stored = requester.disk.states.get(`job/${terms.job}`)?.state as JobState | undefined
  const silent = ending === null && stored !== undefined ? endingOf(stored) : null
  if (silent !== null) ending = { atMs: null, ...silent }
  const bidMs = first.get('bidding') ?? submittedMs
  const at: Readonly<Record<Stage, number | undefined>> = {
    offer: first.get('offered'),
    commit: first.get('matched'),
    running: first.get('running'),
    result: first.get('result'),
    done: ending?.outcome === 'paid' ? (ending.atMs ?? undefined) : undefined,
  }
  const took: Partial<Record<Stage, number>> = {}
  for (const stage of stages) {
    const atMs = at[stage]
    if (atMs !== undefined) took[stage] = atMs - bidMs
  }
  return { askedMs: submittedMs, ending, took }
}

/** What faults are called in the trace, and how they are told. Some say how long they last. */
const faultWords: Readonly<Record<string, string>> = {
  crash: 'crash',
  freeze: 'hang',
  'disk full': 'disk full',
  clock: 'clock jump',
  cut: 'cut off',
  clog: 'clog',
}
const lasting = new Set(['freeze', 'cut', 'clog'])

function eventsOf({ trace }: World): EventFacts[] {
  const events: EventFacts[] = []
  const down = new Map<number, number>()
  for (const { atMs, peer, what } of trace.lines ?? []) {
    const [, word = '', number] = /^(.*?)(?: (-?\d+))?$/.exec(what)!
    if (word === 'restart') {
      const index = down.get(peer)
      if (index !== undefined) events[index] = { ...events[index]!, untilMs: atMs }
      down.delete(peer)
      continue
    }
    const told = Object.hasOwn(faultWords, word) ? faultWords[word] : undefined
    if (told === undefined) continue
    if (word === 'crash') down.set(peer, events.length)
    events.push({ atMs, untilMs: lasting.has(word) && number !== undefined ? atMs + Number(number) : null, what: told })
  }
  return events
}

function graphOf(world: World): GraphFacts {
  const ties = new Map<string, readonly [number, number]>()
  for (const { number, jobEvents } of world.peers)
    for (const told of jobEvents.values())
      for (const { event } of told) {
        if (event.stage !== 'matched') continue
        const provider = world.numberOf(event.peer)
        if (provider >= 0) ties.set(`${number} ${provider}`, [number, provider])
      }
  return {
    nodes: world.peers.map((peer) => ({ id: `peer ${peer.number}`, role: roleOf(peer), alive: peer.isUp })),
    edges: [...ties.values()],
  }
}

function roleOf({ vice, plan }: ModelPeer): string {
  return vice !== null ? 'dishonest' : plan.lending === null ? 'only asks' : 'lends'
}
