/** `sim run`, and `sim live`, which is the same with the numbers of a boot on its last line: hundreds of real peers in this process. */
import { join } from 'node:path'

import { realClock } from '../../src/environment.ts'
import type { AgentAddress } from '../live/agents/addresses.ts'
import { agentVersion } from '../live/agents/messages.ts'
import { RemotePart } from '../live/agents/remote-part.ts'
import type { ProcessSample } from '../live/measures/findings.ts'
import { costsOf } from '../live/measures/costs.ts'
import { Progress } from '../live/measures/progress.ts'
import { quantileOf, spreadOf } from '../live/measures/spread.ts'
import { distancesOf } from '../live/run/distances.ts'
import { LivePart } from '../live/run/part.ts'
import { planOf } from '../live/run/plan.ts'
import { PartGroup, type Part } from '../live/run/parts.ts'
import { runLive, type LiveResult } from '../live/run/run.ts'
import { makeFolder, metricsFile, pageFile, writeRun } from '../report/folder.ts'
import { metricOfSecond } from '../report/from-live.ts'
import { MetricsWriter } from '../report/metrics.ts'
import { isGood } from '../report/record.ts'
import { quantile } from '../report/samples.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { tokenVariable } from './agent.ts'
import { interruptedCode, onInterrupt } from './interrupts.ts'
import { collectGarbage, heapFlags, inOwnProcess, workFlags } from './own-process.ts'

/** What it takes to ask one agent, with as much again for whatever else is to be done. */
const lookMsEach = 5

export interface LiveOrder {
  readonly scenario: Scenario
  readonly seed: number
  readonly json: boolean
  /** Where the record of the run goes; undefined: it is only told. */
  readonly out: string | undefined
  /** Processes, here or elsewhere, among which the peers are shared out; with none they are in this one. */
  readonly agents: readonly AgentAddress[]
}

/** In this process's child, or, with agents, in theirs. */
export async function live(order: LiveOrder, args: readonly string[]): Promise<number> {
  if (order.agents.length > 0) return watched(order, args)
  const works = order.scenario.live.requesters > 0
  return inOwnProcess(args, async () => watched(order, args), works ? workFlags : heapFlags)
}

/** Exit code: 0, 3 when an invariant or an assertion does not hold, 130 when it was interrupted; what was found so far is told. */
async function watched({ scenario, seed, json, out, agents }: LiveOrder, args: readonly string[]): Promise<number> {
  if (out !== undefined) makeFolder(out)
  using metrics = out === undefined ? undefined : new MetricsWriter(join(out, metricsFile))
  const progress = new Progress(process.stderr, scenario.peers)
  const interrupted = new AbortController()
  onInterrupt((signal) => {
    progress.say(`  ${signal}: the peers stop, and what was found so far is told; once more ends it at once`)
    interrupted.abort(new Error('it was interrupted'))
  })
  progress.say(`${scenario.name}: ${scenario.about}\n  ${scenario.peers} live peers, seed ${seed}`)
  const plan = planOf(scenario, seed)
  const onSample = (sample: ProcessSample): void => {
    metrics?.write(metricOfSecond('all peers', sample))
    metrics?.flush()
    progress.sample(sample)
  }
  const part: Part =
    agents.length > 0
      ? remoteParts(scenario, seed, agents)
      : new LivePart({
          plan,
          say: (line) => progress.say(line),
          onQuiet: collectGarbage,
          onSample,
        })
  using _looks = agents.length > 0 ? lookAt(part, agents.length, onSample) : undefined
  try {
    const result = await runLive({
      plan,
      part,
      onPhase(phase) {
        progress.phase = phase
        if (agents.length > 0) progress.say(`  ${phase}`)
      },
      command: `npm run -s sim -- ${args.join(' ')}`,
      signal: interrupted.signal,
    })
    progress.end()
    if (result === null) return interruptedCode
    if (out !== undefined) writeRun(out, result.record)
    tell(scenario, result, json, out)
    return interrupted.signal.aborted ? interruptedCode : isGood({ ...result.record, valid: true }) ? 0 : 3
  } finally {
    progress.end()
  }
}

/** What agents did in the last second, asked of all at once: once a second, and more rarely of many. */
function lookAt(part: Part, agents: number, onSample: (sample: ProcessSample) => void): Disposable {
  const everyMs = Math.max(1_000, agents * lookMsEach)
  const ended = new AbortController()
  const look = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await realClock.sleep(everyMs, ended.signal)
      const sample = await part.sample()
      if (sample !== null && !ended.signal.aborted) onSample(sample)
    }
  }
  void look().catch(() => {})
  return { [Symbol.dispose]: () => ended.abort() }
}

/** As many peers for each agent as for any other. */
function remoteParts(scenario: Scenario, seed: number, agents: readonly AgentAddress[]): Part {
  const token = process.env[tokenVariable]
  const share = (count: number): number => Math.round((count * scenario.peers) / agents.length)
  return new PartGroup(
    agents.map(
      ({ host, port }, count) =>
        new RemotePart({
          host,
          port,
          token,
          order: {
            v: agentVersion,
            scenario,
            seed,
            mine: [share(count), share(count + 1)],
            name: `agent ${count + 1}`,
          },
        }),
    ),
  )
}

function tell(scenario: Scenario, result: LiveResult, json: boolean, out: string | undefined): void {
  const { record, findings } = result
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  for (const { name, wanted, got, holds } of record.assertions)
    say(`  ${holds ? 'holds ' : 'BROKEN'}  ${name === wanted ? wanted : `${name}: ${wanted}`} (${got})`)
  for (const error of findings?.errors.slice(0, 5) ?? []) say(`  error  ${error}`)
  if (!record.valid) say(`  not valid: ${record.invalidBecause}`)
  if (out !== undefined) say(`  ${join(out, pageFile)}`)
  const report = reportOf(scenario, result)
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${JSON.stringify(report, null, 2)}\n`)
}

/** The last line on stdout: the numbers of a boot under the names that they have always had, and all numbers of the record. */
function reportOf(scenario: Scenario, { record, boot, findings }: LiveResult): object {
  const number = (name: string): number | null => record.numbers.find((one) => one.name === name)?.value ?? null
  const { gossip = null, finds = null } = findings?.findings ?? {}
  const spread = gossip === null ? null : spreadOf(gossip)
  return {
    v: 1,
    scenario: scenario.name,
    peers: scenario.peers,
    seed: record.seed,
    carrier: scenario.live.carrier,
    // fast: routing tables and address books were there, as after a restart. cold: one address was.
    boot: scenario.live.boot,
    bootMs: boot?.bootMs ?? null,
    meshMs: boot?.meshMs ?? null,
    rssMb: findings === null ? null : Math.round(findings.rssBytes / 1e6),
    rssPeakMb: Math.round((number('rss_peak_bytes') ?? 0) / 1e6),
    gossipCoverage: spread?.coverage ?? null,
    gossipP50Ms: rounded(spread && quantile(spread.latencyMs, 0.5)),
    gossipP99Ms: rounded(spread && quantile(spread.latencyMs, 0.99)),
    findHitRate: finds === null || finds.asked === 0 ? null : finds.found / finds.asked,
    findP50Ms: rounded(finds && quantileOf(finds.tookMs, 0.5)),
    meshDegreeMin: boot?.meshDegreeMin ?? null,
    connectionsMean: boot === null ? null : Math.round((10 * boot.connections) / scenario.peers) / 10,
    latencyMs: distancesOf(scenario, record.seed).typicalMs,
    eventLoopDelayP99Ms: number('loop_delay_p99_ms'),
    deliveryLateP99Ms: number('delivery_late_p99_ms'),
    /** Whether the machine kept up: otherwise latencies are its own, and not the network's. */
    valid: record.valid,
    errors: findings?.errors.length ?? 0,
    assertions: Object.fromEntries(record.assertions.map(({ name, holds }) => [name, holds])),
    /** What peers, bids and look-ups cost; null where no rest was measured. */
    costs: findings === null ? null : costsOf(findings.findings),
    numbers: Object.fromEntries(record.numbers.map(({ name, value }) => [name, value])),
  }
}

function rounded(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : Math.round(value)
}
