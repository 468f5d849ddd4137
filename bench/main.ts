/**
 * `npm run -s bench -- …`: benches from the command line. A bench measures; bars that are not cleared are rows that say so, and
 * the exit code is 0 all the same.
 *
 *   NAME [PART …] [--rounds N] [--json]     runs a bench, or some of its parts; with --json the last line is one JSON object
 *   list                                    what there is
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { startForBulk } from '../src/collector.ts'
import { runBench, type Bench } from './bench.ts'
import { data } from './data/index.ts'
import { discovery } from './discovery/index.ts'
import { execution } from './execution/index.ts'
import { ledger } from './ledger/index.ts'
import { market } from './market/index.ts'
import { roundsDefault, roundsMin } from './paired.ts'
import { table } from './report.ts'

const benches: readonly Bench[] = [data, discovery, execution, ledger, market]

class UsageError extends Error {}

const usage = 'usage: bench NAME [PART …] [--rounds N] [--json] | bench list'

async function main(args: string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { rounds: { type: 'string', default: String(roundsDefault) }, json: { type: 'boolean', default: false } },
  })
  const [name, ...partNames] = positionals
  if (name === undefined) throw new UsageError(usage)
  if (name === 'list') return list()
  const bench = named(benches, name, 'bench')
  // Peers of the bench, here and in the processes that it forks, are to have the heap of a peer, which starts so. Nothing is open yet.
  if (bench === data) startForBulk()
  const parts = partNames.length === 0 ? bench.parts : partNames.map((part) => named(bench.parts, part, 'part'))
  const rounds = Number(values.rounds)
  if (!Number.isSafeInteger(rounds) || rounds < roundsMin)
    throw new UsageError(`--rounds is a whole number of at least ${roundsMin}, not ${values.rounds}`)
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
  const report = await runBench(bench, parts, async (part) => {
    const folder = await mkdtemp(join(tmpdir(), `pleach-bench-${part.name}-`))
    return {
      rounds,
      folder,
      say: (line) => void process.stderr.write(`${part.name}: ${line}\n`),
      signal: interrupted.signal,
      [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }),
    }
  })
  const { processor, cores, node } = report.machine
  process.stdout.write(`${table(report.rows)}\n${processor}, ${cores} cores, Node ${node}\n`)
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
}

function list(): void {
  for (const { name, about, parts } of benches) {
    process.stdout.write(`${name.padEnd(15)} ${about}\n`)
    for (const part of parts) process.stdout.write(`  ${part.name.padEnd(13)} ${part.about}\n`)
  }
}

function named<Kind extends { readonly name: string }>(all: readonly Kind[], name: string, what: string): Kind {
  const found = all.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new UsageError(`${name} is no ${what}; there are ${all.map((one) => one.name).join(', ')}`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  const { message, code } = error as Error & { readonly code?: string }
  if (!(error instanceof UsageError) && code?.startsWith('ERR_PARSE_ARGS') !== true) throw error
  process.stderr.write(`error: ${message}\n`)
  process.exitCode = 2
}
