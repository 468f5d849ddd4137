/** `sim live`: hundreds of real peers in this process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import type { CarrierName } from '../live/carrier.ts'
import type { LinkQuality } from '../live/link.ts'
import { measureFinds, measureGossip, watched } from '../live/measure.ts'
import { LiveWorld, plainRoles, type BootName } from '../live/world.ts'

export interface LiveOrder {
  readonly scenario: string
  readonly peers: number
  readonly seed: number
  readonly carrier: CarrierName
  readonly boot: BootName
  readonly json: boolean
}

export const liveScenarios = ['boot'] as const
export const livePeersDefault = 300
/** A mesh of degree 4 needs some to choose from. */
export const livePeersMin = 8
export const livePeersMax = 2_000

/** Between continents. */
const link: LinkQuality = {
  latencyMs: 40,
  jitterMs: 20,
  bytesPerSecond: 12_500_000,
  loss: 0,
  lossIs: 'delay',
}
const lendsOneIn = 5
const bids = 20
const lookUps = 50
/** gossipsub's Dlo: below it a peer looks for more. */
const meshDegreeWanted = 4
/** What is not there after this will not come. */
const meshWithinMs = 60_000

/**
 * V8's youngest generation, in MiB, and who empties it. The models of this simulator are faster with a large one; live peers
 * keep much of what they make, so that a large one is a pause of 40 ms when it is full, and 150 MB more. Helpers would
 * shorten the pauses on an idle machine; on a busy one everything waits until they get their turn.
 */
const heapFlags = ['--max-semi-space-size=16', '--no-parallel-scavenge']

/** In a process of its own, with a heap that suits it. */
export async function live(order: LiveOrder, args: readonly string[]): Promise<number> {
  if (heapFlags.every((flag) => process.execArgv.includes(flag))) {
    process.once('SIGINT', () => process.exit(130))
    process.once('SIGTERM', () => process.exit(143))
    return measured(order)
  }
  const child = spawn(process.execPath, [...heapFlags, process.argv[1]!, ...args], { stdio: 'inherit' })
  // From a terminal the child is told too; by whatever else, only this process.
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
  process.on('SIGINT', pass).on('SIGTERM', pass)
  const [code] = (await once(child, 'exit')) as [number | null]
  process.off('SIGINT', pass).off('SIGTERM', pass)
  return code ?? 1
}

async function measured({ scenario, peers, seed, carrier, boot, json }: LiveOrder): Promise<number> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  const way = carrier === 'tcp' ? 'TCP' : `${link.latencyMs}±${link.jitterMs} ms one way`
  say(`live ${scenario}  ${peers} peers  seed ${seed}  ${way}`)
  const startedMs = performance.now()
  const sinceMs = (): number => Math.round(performance.now() - startedMs)
  const roles = plainRoles(peers, lendsOneIn)
  const world = await LiveWorld.boot({ peers: roles, seed, carrier, boot, link }, (booted) => {
    if (booted % 50 === 0) say(`  ${booted} peers run after ${seconds(sinceMs())}`)
  })
  try {
    await world.waitForMesh(1, meshWithinMs)
    say(`  every peer is in the mesh after ${seconds(sinceMs())}`)
    await world.waitForMesh(meshDegreeWanted, meshWithinMs)
    const meshMs = sinceMs()
    say(`  every peer has ${meshDegreeWanted} neighbours in it after ${seconds(meshMs)}`)
    await world.waitForRecords(meshWithinMs)
    const bootMs = sinceMs()
    say(`  ${world.lenders.length} records are out after ${seconds(bootMs)}`)
    collectGarbage()
    const [spread, believable] = await watched(world, async () => measureGossip(world, bids, seed))
    say(`  ${bids} bids are measured after ${seconds(sinceMs())}`)
    const finds = await measureFinds(world, lookUps, seed)
    say(`  ${lookUps} look-ups are measured after ${seconds(sinceMs())}`)
    const connections = world.peers.reduce((sum, { host }) => sum + host.connections().length, 0)
    const meshDegreeMin = world.meshDegreeMin
    const lateMs = Math.max(believable.eventLoopDelayP99Ms, believable.deliveryLateP99Ms)
    const report = {
      v: 1,
      scenario,
      peers,
      seed,
      carrier,
      // fast: routing tables and address books were there, as after a restart. cold: one address was.
      boot,
      bootMs,
      meshMs,
      rssMb: Math.round(process.memoryUsage.rss() / 1e6),
      rssPeakMb: Math.round(process.resourceUsage().maxRSS / 1e3),
      gossipCoverage: spread.coverage,
      gossipP50Ms: Math.round(spread.p50Ms),
      gossipP99Ms: Math.round(spread.p99Ms),
      findHitRate: finds.hitRate,
      findP50Ms: Math.round(finds.p50Ms),
      meshDegreeMin,
      connectionsMean: Math.round((connections / peers) * 10) / 10,
      latencyMs: carrier === 'tcp' ? 0 : link.latencyMs,
      eventLoopDelayP99Ms: Math.round(believable.eventLoopDelayP99Ms * 10) / 10,
      deliveryLateP99Ms: Math.round(believable.deliveryLateP99Ms * 10) / 10,
      /** Whether the machine kept up: otherwise latencies are its own, and not the network's. */
      valid: lateMs <= link.latencyMs,
      errors: world.errors.length,
    }
    for (const error of world.errors.slice(0, 5)) say(`  error: ${error}`)
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${JSON.stringify(report, null, 2)}\n`)
    const holds = spread.coverage === 1 && finds.hitRate === 1 && meshDegreeMin >= meshDegreeWanted
    return holds ? 0 : 3
  } finally {
    const stoppingMs = performance.now()
    await world.stop()
    say(`  stopped in ${seconds(performance.now() - stoppingMs)}`)
  }
}

/** What booting left behind would otherwise be collected while it is measured how late messages are. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
