/**
 * What will happen in a live run, drawn from the seed before anything runs: who the peers are, what they want of each other and
 * what goes wrong when. Pure: several processes that hold the same scenario and seed have the same plan.
 */
import { SeededRandom } from '../../random.ts'
import { liveVices, type LiveVice } from '../vices/names.ts'
import { liveFaults, type LiveFault, type LiveFaultKind, type Scenario } from '../../scenarios/schema.ts'

export interface PlannedPeer {
  readonly index: number
  readonly lends: boolean
  readonly vice: LiveVice | null
  /** By how much its clock is off from the beginning. */
  readonly skewMs: number
}

export interface PlannedJob {
  readonly index: number
  readonly requester: number
  readonly atMs: number
  /** Places that it needs at the same time. */
  readonly nodes: number
  /** After it was asked for; null: it is not taken back. */
  readonly cancelAfterMs: number | null
}

export interface PlannedObject {
  readonly index: number
  readonly owner: number
}

/** One thing that goes wrong, with whom. Of a partition `peers` is one side. */
export interface PlannedFault {
  readonly what: Exclude<LiveFaultKind, 'churn'>
  readonly atMs: number
  /** 0: for good. */
  readonly forMs: number
  readonly peers: readonly number[]
  readonly byMs: number
  readonly factor: number
}

export interface LivePlan {
  readonly scenario: Scenario
  readonly seed: number
  readonly peers: readonly PlannedPeer[]
  readonly jobs: readonly PlannedJob[]
  readonly objects: readonly PlannedObject[]
  /** In the order in which they begin. */
  readonly faults: readonly PlannedFault[]
}

/** What cannot be run as it is wanted, and what could be. */
export class PlanError extends Error {
  override readonly name = 'PlanError'
}

/** What the network of our own does to its lines. That of the machine, or of many, does nothing for us. */
const weather: ReadonlySet<LiveFaultKind> = new Set(['freeze', 'partition', 'one-way', 'slow', 'nat'])

const clockJumpMsMax = 2_000
const vicesOfRequesters: ReadonlySet<LiveVice> = new Set(['no-countersign', 'under-pay', 'flood', 'eclipse', 'poison'])
const cancelWithinMs = 5_000
/** How long a peer that churn took away is away, at most. */
const awayMs: readonly [number, number] = [2_000, 15_000]

/** Throws PlanError when what carries the scenario cannot do what it wants. */
export function planOf(scenario: Scenario, seed: number): LivePlan {
  const peers = planPeers(scenario, SeededRandom.of(seed, 'live', 'peers'))
  const faults = planFaults(scenario, peers, SeededRandom.of(seed, 'live', 'faults'))
  if (scenario.live.carrier === 'tcp') refuseWeather(scenario.name, faults)
  return {
    scenario,
    seed,
    peers,
    jobs: planJobs(scenario, peers, SeededRandom.of(seed, 'live', 'jobs')),
    objects: planObjects(scenario, peers, SeededRandom.of(seed, 'live', 'objects')),
    faults,
  }
}

function refuseWeather(name: string, faults: readonly PlannedFault[]): void {
  const wanted = new Set(faults.map(({ what }) => what).filter((what) => weather.has(what)))
  if (wanted.size === 0) return
  const possible = liveFaults.filter((what) => !weather.has(what))
  throw new PlanError(
    `${name} has ${[...wanted].join(', ')}, which the network inside the simulator can do and TCP cannot; ` +
      `over TCP, and so with agents, there are ${possible.join(', ')}: run it without --tcp and --agents, or another scenario`,
  )
}

/** Lenders and the dishonest are shares of all, to the whole peer, so that small worlds have some of each. */
function planPeers(scenario: Scenario, random: SeededRandom): PlannedPeer[] {
  const { peers, dishonestShare, skewMsMax, live } = scenario
  const lendShare = live.lendShare ?? scenario.lendShare
  const vices =
    live.vices.length > 0 ? live.vices : liveVices.filter((vice) => scenario.vices.some((name) => name === vice))
  const lenders = new Set(some(random, peers, Math.max(1, Math.round(peers * lendShare))))
  const dishonest = vices.length === 0 ? [] : some(random, peers, Math.round(peers * dishonestShare))
  const viceOf = vicesOf(dishonest, lenders, vices)
  return Array.from({ length: peers }, (_, index) => ({
    index,
    lends: lenders.has(index),
    vice: viceOf.get(index) ?? null,
    skewMs: skewMsMax === 0 ? 0 : random.between(-skewMsMax, skewMsMax),
  }))
}

/** Each vice as often as any other. Those of requesters go to peers that do not lend, the others to lenders, as far as there are any. */
function vicesOf(
  dishonest: readonly number[],
  lenders: ReadonlySet<number>,
  vices: readonly LiveVice[],
): ReadonlyMap<number, LiveVice> {
  const left = {
    lends: dishonest.filter((index) => lenders.has(index)),
    asks: dishonest.filter((index) => !lenders.has(index)),
  }
  const viceOf = new Map<number, LiveVice>()
  for (let place = 0; viceOf.size < dishonest.length; place++) {
    const vice = vices[place % vices.length]!
    const [first, second] = vicesOfRequesters.has(vice) ? [left.asks, left.lends] : [left.lends, left.asks]
    viceOf.set((first.pop() ?? second.pop())!, vice)
  }
  return viceOf
}

function planJobs({ workload, live }: Scenario, peers: readonly PlannedPeer[], random: SeededRandom): PlannedJob[] {
  const chosen = live.requesters > 0
  const askers = chosen ? askersOf(peers, live.requesters, random) : peers.map(({ index }) => index)
  const count = chosen ? askers.length * live.jobsEach : workload.jobs
  const withinMs = chosen ? live.jobsWithinMs : workload.jobsWithinMs
  return Array.from({ length: count }, (_, index) => ({
    index,
    requester: chosen ? askers[index % askers.length]! : random.pick(askers),
    atMs: random.between(0, withinMs),
    nodes: random.chance(workload.gangShare) ? random.between(2, Math.max(2, workload.gangSlotsMax)) : 1,
    cancelAfterMs: random.chance(workload.cancelShare) ? random.between(0, cancelWithinMs) : null,
  })).toSorted((left, right) => left.atMs - right.atMs)
}

/** Those that do not lend first: a provider would not answer its own bid. */
function askersOf(peers: readonly PlannedPeer[], count: number, random: SeededRandom): number[] {
  const idle = peers.filter(({ lends }) => !lends).map(({ index }) => index)
  const others = peers.filter(({ lends }) => lends).map(({ index }) => index)
  return [...random.shuffled(idle), ...random.shuffled(others)].slice(0, count)
}

function planObjects({ live }: Scenario, peers: readonly PlannedPeer[], random: SeededRandom): PlannedObject[] {
  const owners = askersOf(peers, live.objects.count, random)
  return owners.map((owner, index) => ({ index, owner }))
}

/** Those that the scenario gives times for; where there are none, as many of the model's as there may be. */
function planFaults(scenario: Scenario, peers: readonly PlannedPeer[], random: SeededRandom): PlannedFault[] {
  const { faults, faultsUntilMs, live } = scenario
  if (live.faults.length > 0) {
    const timed = live.faults.flatMap((fault) => planFault(fault, peers, live.forMs, random))
    return timed.toSorted((left, right) => left.atMs - right.atMs)
  }
  const planned: PlannedFault[] = []
  const lastsMs = (): number => random.between(Math.min(200, faults.lastsMsMax), faults.lastsMsMax)
  const repeat = (count: number, what: PlannedFault['what'], who: () => readonly number[]): void => {
    for (let left = faultsUntilMs === 0 ? 0 : count; left > 0; left--) {
      const byMs = what === 'clock' ? random.between(-clockJumpMsMax, clockJumpMsMax) : 0
      planned.push({
        what,
        atMs: random.between(0, faultsUntilMs),
        forMs: what === 'clock' ? 0 : lastsMs(),
        peers: who(),
        byMs,
        factor: 0.1,
      })
    }
  }
  const one = (): number[] => some(random, peers.length, 1)
  const half = (): number[] => some(random, peers.length, Math.floor(peers.length / 2))
  repeat(faults.crashesMax, 'restart', one)
  repeat(faults.freezesMax, 'freeze', one)
  repeat(faults.diskFullMax, 'disk-full', one)
  repeat(faults.clockJumpsMax, 'clock', one)
  for (let left = faults.cutsMax; left > 0; left--) repeat(1, random.chance(0.3) ? 'one-way' : 'partition', half)
  repeat(faults.clogsMax, 'slow', half)
  return planned.toSorted((left, right) => left.atMs - right.atMs)
}

function planFault(
  fault: LiveFault,
  peers: readonly PlannedPeer[],
  endMs: number,
  random: SeededRandom,
): PlannedFault[] {
  const { atMs, forMs, byMs, factor } = fault
  const named = peers.filter(({ lends }) => fault.who === 'all' || lends === (fault.who === 'lenders'))
  if (fault.what === 'churn') return churn(fault, named, endMs, random)
  const count = Math.min(named.length, Math.max(fault.peers, Math.round(named.length * fault.share)))
  const chosen = some(random, named.length, count).map((place) => named[place]!.index)
  return [{ what: fault.what, atMs, forMs, peers: chosen, byMs, factor }]
}

/** Arrivals of a Poisson process: one peer after the other goes; two in five of them in good order, one for good with its disk. */
function churn(
  { atMs, forMs, perMinute }: LiveFault,
  named: readonly PlannedPeer[],
  endMs: number,
  random: SeededRandom,
): PlannedFault[] {
  const untilMs = forMs === 0 ? endMs : Math.min(endMs, atMs + forMs)
  const everyMs = 60_000 / (named.length * perMinute)
  const gone: PlannedFault[] = []
  const backMs = new Map<number, number>()
  for (let nextMs = atMs; Number.isFinite(everyMs);) {
    nextMs += -Math.log(1 - random.float()) * everyMs
    if (nextMs >= untilMs) break
    const peer = random.pick(named).index
    const away = random.between(...awayMs)
    if ((backMs.get(peer) ?? 0) > nextMs) continue
    backMs.set(peer, nextMs + away + 5_000)
    const what = random.pick(['leave', 'leave', 'restart', 'restart', 'lose-disk'] as const)
    gone.push({ what, atMs: Math.round(nextMs), forMs: away, peers: [peer], byMs: 0, factor: 1 })
  }
  return gone
}

/** So many different numbers below `of`, in the order of chance. */
function some(random: SeededRandom, of: number, count: number): number[] {
  return random.shuffled(Array.from({ length: of }, (_, index) => index)).slice(0, count)
}
