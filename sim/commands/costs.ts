/**
 * `sim costs`: what a peer, a bid and a look-up cost as the number of peers grows, and what that predicts for more than can be run,
 * beside what the model has of as many. Each live world is a process of its own, one after the other, since each wants the
 * whole machine; the models come after them.
 */
import { fromString } from 'uint8arrays'

import { identityFromSeed } from '../../src/host/index.ts'
import { capacityOf } from '../costs/capacity.ts'
import { runModels } from '../costs/models.ts'
import { bidMeans, peerLines, predictionsOf, type LivePoint } from '../costs/predict.ts'
import type { CostsReport } from '../costs/report.ts'
import type { LiveCosts } from '../live/measures/costs.ts'
import { recordOfCosts } from '../report/from-costs.ts'
import { makeFolder, pageFile, writeRun } from '../report/folder.ts'
import { machine } from '../report/provenance.ts'
import { scenarios } from '../scenarios/index.ts'
import { reportOfChild } from './own-process.ts'

export interface CostsOrder {
  /** Sizes of live worlds, in peers. */
  readonly peers: readonly number[]
  /** Each size is run with each of them. */
  readonly seeds: readonly number[]
  readonly json: boolean
  readonly out: string | undefined
}

/** As far as it is read: see commands/live.ts. */
interface LiveReport {
  readonly bootMs: number | null
  readonly connectionsMean: number | null
  readonly valid: boolean
  readonly costs: LiveCosts | null
  readonly numbers: Readonly<Record<string, number | null>>
}

const scenario = 'costs'
const tcpPeersMax = 100
/** Of the model alone, beside the sizes of the live worlds. */
const modelSizes = [1_000, 10_000, 100_000, 1_000_000] as const

/** Exit code: 0, or 3 when a live world has no numbers. */
export async function costs({ peers, seeds, json, out }: CostsOrder, args: readonly string[]): Promise<number> {
  const beganMs = performance.now()
  if (out !== undefined) makeFolder(out)
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  const failed: CostsReport['failed'][number][] = []
  const measured = async (size: number, seed: number, ...more: string[]): Promise<LivePoint[]> => {
    const asked = ['run', scenario, '--peers', String(size), '--seed', String(seed), '--json', ...more]
    const report = await reportOfChild<LiveReport>(asked)
    const why = typeof report === 'string' ? report : report.costs === null ? 'it measured no rest' : null
    if (typeof report === 'string' || report.costs === null) {
      failed.push({ peers: size, seed, why: why! })
      return []
    }
    const { bootMs, connectionsMean, valid, costs: found, numbers } = report
    const meshDegreeMean = numbers['mesh_degree_mean'] ?? null
    return [{ peers: size, seed, bootMs, meshDegreeMean, connectionsMean, valid, costs: found }]
  }
  const live: LivePoint[] = []
  for (const size of peers) for (const seed of seeds) live.push(...(await measured(size, seed)))
  const tcp = (await measured(tcpSizeOf(peers), seeds[0]!, '--tcp'))[0] ?? null
  const sizes = [...new Set([...peers, ...modelSizes])].toSorted((left, right) => left - right)
  const { delayMs } = scenarios[scenario]!.network
  const models = runModels({ sizes, seed: seeds[0]!, delayMs, say })
  const perBid = bidMeans(live)
  const signatureMs = msOfCheck()
  const report: CostsReport = {
    v: 1,
    bench: 'costs',
    machine: machine(),
    seeds,
    delayMs,
    live,
    tcp,
    failed,
    signatureMs,
    perPeer: peerLines(live),
    perBid,
    models,
    predictions: predictionsOf(live, models, modelSizes),
    capacity: perBid === null ? null : capacityOf(perBid, signatureMs, overTcp(live, tcp), modelSizes),
  }
  if (out !== undefined) {
    const command = `npm run -s sim -- ${args.join(' ')}`
    writeRun(out, recordOfCosts(report, { command, wallMs: performance.now() - beganMs, config: scenarios[scenario]! }))
    say(`  ${out}/${pageFile}`)
  }
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${JSON.stringify(report, null, 2)}\n`)
  return failed.length === 0 ? 0 : 3
}

/** What encryption costs is the same for every frame: a small world shows it, though not one that does next to nothing. */
function tcpSizeOf(peers: readonly number[]): number {
  const small = peers.filter((count) => count <= tcpPeersMax)
  return small.length === 0 ? Math.min(...peers) : Math.max(...small)
}

/** What a bid costs over TCP by what it costs without, in worlds of one size; 1 where that is not known. */
function overTcp(live: readonly LivePoint[], tcp: LivePoint | null): number {
  const own = live.find(({ peers, seed }) => peers === tcp?.peers && seed === tcp.seed)
  const [ownMs, tcpMs] = [own?.costs.bids?.cpuMsPerPeer ?? 0, tcp?.costs.bids?.cpuMsPerPeer ?? 0]
  return ownMs <= 0 || tcpMs <= 0 ? 1 : tcpMs / ownMs
}

const checks = 500
const bidBytes = 400

/** Milliseconds of the processor to check one signature. */
function msOfCheck(): number {
  const { signer } = identityFromSeed(new Uint8Array(32).fill(7))
  const message = fromString('b'.repeat(bidBytes))
  const signature = signer.sign(message)
  const began = process.cpuUsage()
  for (let count = 0; count < checks; count++)
    if (!signer.verify(signer.publicKey, message, signature)) throw new Error('a signature does not fit its own key')
  const { user, system } = process.cpuUsage(began)
  return (user + system) / 1_000 / checks
}
