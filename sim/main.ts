/**
 * `npm run -s sim -- …`: the simulator from the command line.
 *
 *   model   [--scenario X] [--peers N] [--seeds N] [--from S] [--workers N] [--json] [--stop] [--no-shrink] [--signatures model|real] [--out DIR]
 *   run     [X] [--peers N] [--seed S] [--for T] [--tcp] [--cold] [--out DIR] [--json]
 *   live    [--scenario X] …, the same
 *   agent   [--listen HOST:PORT] [--host IP] [--json]
 *           then: run X --agents HOST:PORT,HOST:PORT | --agents-file FILE | --agents dns:NAME:PORT [--agents-wanted N]
 *   boots   [--peers N] [--seed S] [--json]   |   naive, the same
 *   costs   [--peers N,N,…] [--seeds N] [--from S] [--out DIR] [--json]
 *   replay  --seed S [--scenario X] [--until T] [--focus PEER] [--mischief-until T] [--jobs N] [--fault F …]
 *   exhaust [--scenario X] [--from S] [--seeds N] [--pairs N] [--triples N] [--json]
 *   mutants [--only NAME] [--seeds N] [--json]
 *   compare A B [--fail-if 'EXPR' …] [--json]
 *   report  DIR
 *   list | show X
 */
import { parseArgs } from 'node:util'

import { simOptions } from './options.ts'
import { exhaust } from './commands/exhaust.ts'
import { model } from './commands/model.ts'
import { mutants } from './commands/mutants.ts'
import { replay, replayStorage } from './commands/replay.ts'
import { realClock } from '../src/environment.ts'
import { agentsInFile, listedAgents, lookUpAgents, namedAgents, type AgentAddress } from './live/agents/addresses.ts'
import { parseFault, type InjectedFault } from './model/injected.ts'
import {
  allScenarios,
  livePeersMax,
  livePeersMin,
  liveScenarioDefault,
  scenarioDefault,
  scenarioNamed,
  storageScenarioNamed,
  withPeers,
} from './scenarios/index.ts'
import { ScenarioError } from './scenarios/load.ts'
import type { StorageScenario } from './scenarios/storage.ts'
import type { Scenario } from './scenarios/scenario.ts'

/** Lives whose every fault is tried, when nothing else is said. */
const livesExhausted = 8

/** Sizes of live worlds between which a line is drawn. */
const costsPeersDefault = '50,100,200,400,800'

class UsageError extends Error {}

const usage =
  'usage: sim run|agent|boots|costs|model|replay|exhaust|mutants|compare|report|list|show   (npm run -s sim -- model --seeds 1000)'
const compareUsage =
  "usage: sim compare A B [--fail-if 'job_success<0.95'] [--json]   (A and B are folders that --out made)"
const reportUsage = 'usage: sim report DIR   (a folder that --out made)'

async function main(args: string[]): Promise<number> {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: simOptions,
  })
  const scenario = (fallback = scenarioDefault): Scenario => {
    const named = found(values.scenario ?? fallback)
    return values.peers === undefined ? named : withPeers(named, whole(values.peers, 'peers'))
  }
  const optional = <Value>(text: string | undefined, read: (text: string) => Value): Value | undefined =>
    text === undefined ? undefined : read(text)
  if (values.signatures !== 'model' && values.signatures !== 'real')
    throw new UsageError(`signatures are model or real, not ${values.signatures}`)
  const { json, signatures } = values
  switch (positionals[0]) {
    case 'model': {
      const storage = values.scenario === undefined ? undefined : storageScenarioNamed(values.scenario)
      const chosen = storage ?? scenario()
      // A life of thousands of peers is one life.
      const seeds = args.includes('--seeds') || chosen.peers < 200 ? whole(values.seeds, 'seeds') : 1
      return model({
        scenario: chosen,
        from: whole(values.from, 'from'),
        seeds,
        json,
        stopAtFirst: values.stop,
        workers: Math.max(1, whole(values.workers, 'workers')),
        shrink: !values['no-shrink'],
        signatures,
        out: values.out,
      })
    }
    case 'compare': {
      const [, a, b, ...others] = positionals
      if (a === undefined || b === undefined || others.length > 0) throw new UsageError(compareUsage)
      const { compare } = await import('./commands/compare.ts')
      return compare({ a, b, failIf: values['fail-if'], json })
    }
    case 'report': {
      const [, folder, ...others] = positionals
      if (folder === undefined || others.length > 0) throw new UsageError(reportUsage)
      const { report } = await import('./commands/compare.ts')
      return report(folder)
    }
    case 'live':
    case 'run': {
      const name = positionals[0] === 'run' ? (positionals[1] ?? values.scenario) : values.scenario
      const named = found(name ?? liveScenarioDefault)
      const agents = await agentsOf(
        values.agents,
        values['agents-file'],
        whole(values['agents-wanted'], 'agents-wanted'),
      )
      const most = livePeersMax * Math.max(1, agents.length)
      const peers = values.peers === undefined ? Math.min(named.peers, most) : whole(values.peers, 'peers')
      if (peers < livePeersMin || peers > most)
        throw new UsageError(`--peers of live is ${livePeersMin} to ${most}, not ${peers}`)
      if (peers < agents.length)
        throw new UsageError(`${peers} peers are fewer than ${agents.length} agents: more --peers, or fewer agents`)
      const chosen = withPeers(named, peers)
      const live = {
        ...chosen.live,
        ...(values.cold ? { boot: 'cold' as const } : {}),
        // What several processes share is the network of the machine, or of many.
        ...(values.tcp || agents.length > 0 ? { carrier: 'tcp' as const } : {}),
        ...(values.for === undefined ? {} : { forMs: virtualMs(values.for) }),
      }
      const { live: runLive } = await import('./commands/live.ts')
      return runLive(
        { scenario: { ...chosen, live }, seed: whole(values.seed, 'seed'), json, out: values.out, agents },
        args,
      )
    }
    case 'naive':
    case 'boots': {
      const order = { peers: whole(values.peers ?? '100', 'peers'), seed: whole(values.seed, 'seed'), json }
      if (order.peers < livePeersMin || order.peers > livePeersMax)
        throw new UsageError(`--peers is ${livePeersMin} to ${livePeersMax}, not ${order.peers}`)
      if (positionals[0] === 'naive') return (await import('./commands/naive.ts')).naive(order)
      return (await import('./commands/boots.ts')).boots(order)
    }
    case 'costs': {
      const peers = (values.peers ?? costsPeersDefault).split(',').map((text) => whole(text, 'peers'))
      const wrong = peers.find((count) => count < livePeersMin || count > livePeersMax)
      if (wrong !== undefined)
        throw new UsageError(`--peers of costs is ${livePeersMin} to ${livePeersMax} each, not ${wrong}`)
      const seeds = args.includes('--seeds') ? whole(values.seeds, 'seeds') : 1
      if (seeds === 0) throw new UsageError('--seeds of costs is 1 at least')
      const from = whole(values.from, 'from')
      const { costs } = await import('./commands/costs.ts')
      const order = { peers, seeds: Array.from({ length: seeds }, (_, count) => from + count), json, out: values.out }
      return costs(order, args)
    }
    case 'agent': {
      const listen = agentAt(values.listen)
      const { agent } = await import('./commands/agent.ts')
      return agent({ listen, host: values.host, json }, args)
    }
    case 'replay': {
      const seed = whole(values.seed, 'seed')
      const untilMs = optional(values.until, virtualMs)
      const focus = optional(values.focus, (text) => whole(text.replace(/^peer-/, ''), 'focus'))
      const storage = values.scenario === undefined ? undefined : storageScenarioNamed(values.scenario)
      if (storage !== undefined) return replayStorage(storage, seed, untilMs, focus)
      const mischiefUntilMs = optional(values['mischief-until'], virtualMs)
      const jobsMax = optional(values.jobs, (text) => whole(text, 'jobs'))
      return replay({
        scenario: scenario(),
        seed,
        untilMs,
        focus,
        signatures,
        faults: values.fault.map(faultOf),
        ...(mischiefUntilMs === undefined ? {} : { mischiefUntilMs }),
        ...(jobsMax === undefined ? {} : { jobsMax }),
      })
    }
    case 'exhaust':
      return exhaust({
        scenario: scenario('single'),
        from: whole(values.from, 'from'),
        seeds: args.includes('--seeds') ? whole(values.seeds, 'seeds') : livesExhausted,
        pairs: whole(values.pairs, 'pairs'),
        triples: whole(values.triples, 'triples'),
        json,
      })
    case 'mutants':
      return mutants({ only: values.only, seeds: whole(values.seeds, 'seeds'), json })
    case 'list':
      for (const { name, about } of allScenarios) process.stdout.write(`${name.padEnd(15)} ${about}\n`)
      return 0
    case 'show':
      process.stdout.write(`${JSON.stringify(shown(positionals[1] ?? scenarioDefault), null, 2)}\n`)
      return 0
    default:
      throw new UsageError(usage)
  }
}

function shown(name: string): Scenario | StorageScenario {
  return storageScenarioNamed(name) ?? found(name)
}

function found(name: string): Scenario {
  const scenario = scenarioNamed(name)
  if (scenario !== undefined) return scenario
  throw new UsageError(`${name} is no scenario; there are ${allScenarios.map((known) => known.name).join(', ')}`)
}

function faultOf(text: string): InjectedFault {
  const fault = parseFault(text)
  if (fault !== undefined) return fault
  throw new UsageError(`${text} is no fault: drop:12, double:12, delay:12, crash:2:before:40`)
}

function agentAt(text: string): AgentAddress {
  const [address, ...others] = listedAgents(text)
  if (address !== undefined && others.length === 0) return address
  throw new UsageError(`${text} is no address of an agent: 127.0.0.1:7070`)
}

/** None: the peers are in this process. */
async function agentsOf(
  listed: string | undefined,
  file: string | undefined,
  wanted: number,
): Promise<readonly AgentAddress[]> {
  if (listed !== undefined && file !== undefined) throw new UsageError('--agents or --agents-file, not both')
  const named = listed === undefined ? undefined : namedAgents(listed)
  if (wanted > 0 && named === undefined) throw new UsageError('--agents-wanted goes with --agents dns:NAME:PORT')
  if (named !== undefined) {
    const say = (line: string): void => void process.stderr.write(`${line}\n`)
    return lookUpAgents(named, { count: wanted, clock: realClock, say })
  }
  if (file !== undefined) return agentsInFile(file)
  const agents = listed === undefined ? [] : listedAgents(listed)
  if (listed !== undefined && agents.length === 0) throw new UsageError('--agents names none: HOST:PORT,HOST:PORT')
  return agents
}

function whole(text: string, what: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number
  throw new UsageError(`--${what} is a whole number, not ${text}`)
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, '': 1 }

/** Milliseconds of `1500ms`, `12s`, `2m`, `1:05.220`. */
function virtualMs(text: string): number {
  const clock = /^(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(text)
  if (clock !== null)
    return Math.round((Number(clock[1] ?? 0) * 3600 + Number(clock[2]) * 60 + Number(clock[3])) * 1000)
  const plain = /^(\d+(?:\.\d+)?)(ms|s|m|)$/.exec(text)
  if (plain !== null) return Math.round(Number(plain[1]) * unitMs[plain[2]!]!)
  throw new UsageError(`${text} is no time: 1500ms, 12s, 2m, 1:05.220`)
}

// `sim replay … | head` is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const { name, message, code } = error as Error & { readonly code?: string }
  const isUsage =
    error instanceof UsageError ||
    error instanceof ScenarioError ||
    name === 'PlanError' ||
    name === 'AddressError' ||
    name === 'ExpressionError' ||
    code?.startsWith('ERR_PARSE_ARGS') === true
  // A folder that is no run, and an agent that does not what it is told, are told without a stack, and are no mistakes of usage.
  if (!isUsage && name !== 'RecordError' && name !== 'AgentError') throw error
  process.stderr.write(`error: ${message}
`)
  process.exitCode = isUsage ? 2 : 1
}
