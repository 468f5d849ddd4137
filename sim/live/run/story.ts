/** What a live run came to, put together as its record. */
import { namedNumber } from '../../report/numbers.ts'
import type { Notary } from '../../../protocols/negotiate/index.ts'
import { identityFromSeed } from '../../../src/host/index.ts'
import { compareRuns, fires, valuesOf } from '../../report/compare.ts'
import { ExpressionError } from '../../report/expression.ts'
import { recordOfLive } from '../../report/from-live.ts'
import type { Assertion, Graph, RunRecord, Timeline } from '../../report/record.ts'
import { auditLedgers } from './audit.ts'
import type { JobOutcome } from './jobs.ts'
import type { LedgerOfPeer } from './ledgers.ts'
import { distancesOf } from './distances.ts'
import type { BootFindings, PartFindings, Ties } from './parts.ts'
import type { ObjectOutcome } from './objects.ts'
import type { LivePlan, PlannedFault } from './plan.ts'

/** What is known so far. */
export interface Story {
  boot: BootFindings | null
  before: Ties | null
  after: Ties | null
  findings: PartFindings | null
  ledgers: readonly LedgerOfPeer[] | null
}

interface Frame {
  readonly command: string
  readonly wallMs: number
  readonly isCutShort: boolean
}

export function recordOfRun(plan: LivePlan, story: Story, { command, wallMs, isCutShort }: Frame): RunRecord {
  const { scenario, seed } = plan
  const { boot, findings } = story
  if (findings === null) throw new Error('the run was interrupted before its peers were there')
  const record = recordOfLive({
    scenario: {
      name: scenario.name,
      about: scenario.about,
      config: scenario,
    },
    seed,
    boot: scenario.live.boot,
    bootMs: boot?.bootMs ?? null,
    command,
    wallMs,
    stubs: stubsOf(plan),
    findings: findings.findings,
    assertions: [],
    events: eventsOf(plan, findings),
    latencyMs: distancesOf(scenario, seed).typicalMs,
    before: graphOf(plan, story.before),
    after: graphOf(plan, story.after)!,
    ...(isCutShort ? { invalidBecause: 'it was interrupted' } : {}),
    numbers: numbersOf(plan, story, findings),
  })
  return { ...record, assertions: assertionsOf(plan, story, record) }
}

function stubsOf({ scenario: { live } }: LivePlan): string[] {
  const own = live.carrier === 'own'
  return [
    ...(own
      ? ['Connections are inside the process: neither encryption nor a muxer, though a dial takes their round trips.']
      : [
          'Connections are TCP of the machine, or of the machines: what the scenario says of the network is not there.',
        ]),
    live.boot === 'fast'
      ? 'Fast boot: routing tables and address books were there, as after a restart; the simulator dialled the first neighbours.'
      : 'Cold boot: peers knew one address.',
    'Hosts keep four connections and six places in a bucket of the DHT, and rarely ping or look for more.',
    'A signature is checked once in the process, and ledgers are in memory.',
    ...(live.execution === 'modelled' ? ['Programs are not run: their running is a wait.'] : []),
  ]
}

function eventsOf(plan: LivePlan, { faults, startedMs }: PartFindings): Timeline['events'] {
  return faults.map(({ fault, atMs, untilMs }) => ({
    what: toldFault(plan.faults[fault]!),
    atMs: startedMs + atMs,
    untilMs: untilMs === null ? null : startedMs + untilMs,
  }))
}

function toldFault({ what, peers }: PlannedFault): string {
  return peers.length === 1 ? `${what}: peer ${peers[0]}` : `${what}: ${peers.length} peers`
}

function graphOf({ peers }: LivePlan, ties: Ties | null): Graph | null {
  if (ties === null) return null
  const places = new Map(ties.peers.map(({ name }, place) => [name, place]))
  const ends = new Set<string>()
  for (const [from, { mesh }] of ties.peers.entries())
    for (const name of mesh) {
      const to = places.get(name)
      // Most of the time both say that they are neighbours.
      if (to !== undefined) ends.add(`${Math.min(from, to)} ${Math.max(from, to)}`)
    }
  const edges = [...ends].map((pair) => pair.split(' ').map(Number) as [number, number])
  return {
    nodes: ties.peers.map(({ index, isUp, region }) => {
      const { lends, vice } = peers[index]!
      return { id: String(index), role: vice ?? (lends ? 'lends' : 'asks'), region, alive: isUp }
    }),
    edges,
  }
}

function numbersOf(plan: LivePlan, { boot, before }: Story, findings: PartFindings): RunRecord['numbers'] {
  const reads = findings.objects.map(({ code }) => code)
  const paid = findings.jobs.filter(({ ending }) => ending === 'paid')
  return [
    namedNumber('mesh_degree_min', 'neighbours of the peer that has fewest', '', boot?.meshDegreeMin ?? null),
    namedNumber(
      'connections_mean',
      'connections of a peer after the boot',
      '',
      boot === null ? null : boot.connections / plan.peers.length,
    ),
    namedNumber('mesh_degree_mean', 'neighbours of a peer in the mesh', '', degreeOf(before)),
    namedNumber('jobs_planned', 'jobs that were to be asked for', '', plan.jobs.length),
    namedNumber(
      'jobs_wrong',
      'jobs that were paid for a wrong output',
      '',
      paid.filter(({ isRight }) => isRight === false).length,
    ),
    namedNumber(
      'object_success',
      'of the reads of objects brought their bytes',
      'share',
      reads.length === 0 ? null : reads.filter((code) => code === null).length / reads.length,
    ),
    namedNumber('errors', 'errors in the logs', '', findings.errors.length),
  ]
}

/** Mean of what each says of itself. */
function degreeOf(ties: Ties | null): number | null {
  if (ties === null || ties.peers.length === 0) return null
  return ties.peers.reduce((sum, { mesh }) => sum + mesh.length, 0) / ties.peers.length
}

function assertionsOf(plan: LivePlan, story: Story, record: RunRecord): Assertion[] {
  const { scenario } = plan
  // What a dishonest peer asks for may end as it likes.
  const jobs = (story.findings?.jobs ?? []).filter((job) => plan.peers[job.plan.requester]?.vice === null)
  return [
    ...scenario.live.expect.map((expression) => expected(expression, record)),
    ...(jobs.length === 0 ? [] : [paidShare(jobs, scenario.assertions.paidShareMin), noneWrong(jobs)]),
    ...objectsWhole(story.findings?.objects ?? []),
    ...invariants(plan, story),
  ]
}

function expected(expression: string, record: RunRecord): Assertion {
  const names = [...expression.matchAll(/[a-z_][\w.]*/gi)].map(([name]) => name)
  const got = valuesOf(record)
    .filter(({ name }) => names.includes(name))
    .map(({ name, value }) => `${name} ${value ?? 'was not measured'}`)
  try {
    return {
      name: expression,
      wanted: expression,
      got: got.join(', '),
      holds: fires(expression, compareRuns(record, record)),
    }
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return { name: expression, wanted: expression, got: error.message, holds: false }
  }
}

function paidShare(jobs: readonly JobOutcome[], paidShareMin: number): Assertion {
  const paid = jobs.filter(({ ending }) => ending === 'paid').length
  const otherwise = Map.groupBy(
    jobs.filter(({ ending }) => ending !== 'paid'),
    ({ ending, code }) => [ending, code].filter((word) => word !== '').join(' '),
  )
  const endings = [...otherwise].map(([ending, { length }]) => `${length} ${ending}`)
  return {
    name: 'paid-share',
    wanted: `at least ${paidShareMin} of the jobs are paid`,
    got: [`${paid} of ${jobs.length} paid`, ...endings].join(', '),
    holds: paid >= paidShareMin * jobs.length,
  }
}

function noneWrong(jobs: readonly JobOutcome[]): Assertion {
  const wrong = jobs.filter(({ isRight }) => isRight === false)
  return {
    name: 'outputs-are-right',
    wanted: 'what is paid for is what the program makes of the input',
    got:
      wrong.length === 0
        ? 'all are'
        : `${wrong.length} are not: jobs ${wrong.map(({ plan }) => plan.index).join(', ')}`,
    holds: wrong.length === 0,
  }
}

/** An object may be out of reach; other bytes than were put are never right. */
function objectsWhole(objects: readonly ObjectOutcome[]): Assertion[] {
  if (objects.length === 0) return []
  const codes = Map.groupBy(objects, ({ code }) => code ?? 'whole')
  return [
    {
      name: 'data-is-exact',
      wanted: 'what is fetched is what was put',
      got: [...codes].map(([code, { length }]) => `${length} ${code}`).join(', '),
      holds: !codes.has('OTHER_BYTES'),
    },
  ]
}

/** Violations of one checker that are told. */
const toldMax = 3

function invariants(plan: LivePlan, { findings, ledgers }: Story): Assertion[] {
  if (findings === null || ledgers === null) return []
  const notary: Notary = { network: findings.network, signer: identityFromSeed(new Uint8Array(32)).signer }
  const gone = new Set(
    plan.faults.filter(({ forMs, what }) => forMs === 0 && away.has(what)).flatMap(({ peers }) => peers),
  )
  const { jobs: outcomes, lastFaultMs } = findings
  return [...auditLedgers({ plan, notary, ledgers, outcomes, gone, lastFaultMs })].map(([name, wrong]) => ({
    name,
    wanted: 'no violation',
    got: wrong.length === 0 ? 'none' : `${wrong.length}: ${wrong.slice(0, toldMax).join('; ')}`,
    holds: wrong.length === 0,
  }))
}

const away: ReadonlySet<string> = new Set(['leave', 'freeze', 'restart', 'lose-disk'])
