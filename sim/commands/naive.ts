/** `sim naive`: libp2p's parts as they come, measured as live peers are. What they are measured beside. */
import { NaiveWorld } from '../live/naive.ts'
import { SeededRandom } from '../random.ts'

export interface NaiveOrder {
  readonly peers: number
  readonly seed: number
  readonly json: boolean
}

const providesOneIn = 5
const messages = 20
const lookUps = 50
const meshDegreeWanted = 4
/** What is not there after this will not come. */
const meshWithinMs = 120_000

export async function naive({ peers, seed, json }: NaiveOrder): Promise<number> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`)
  say(`naive  ${peers} nodes  seed ${seed}  TCP`)
  const startedMs = performance.now()
  const world = await NaiveWorld.boot(peers, providesOneIn)
  try {
    const hasMesh = await world.waitForMesh(meshDegreeWanted, meshWithinMs)
    const bootMs = Math.round(performance.now() - startedMs)
    const { meshDegreeMin } = world
    say(`  the least has ${meshDegreeMin} neighbours in the mesh after ${(bootMs / 1000).toFixed(1)} s`)
    const gossipCoverage = await world.coverage(messages, SeededRandom.of(seed, 'naive', 'messages'))
    const findHitRate = await world.hitRate(lookUps, providesOneIn, SeededRandom.of(seed, 'naive', 'finds'))
    const connections = world.nodes.reduce((sum, node) => sum + node.getConnections().length, 0)
    const { user, system } = process.cpuUsage()
    const report = {
      v: 1,
      scenario: 'boot',
      peers,
      seed,
      carrier: 'tcp',
      boot: 'naive',
      /** Until every node had its neighbours, or the time for that was over. */
      bootMs,
      hasMesh,
      providers: world.providers.length,
      rssMb: Math.round(process.memoryUsage.rss() / 1e6),
      rssPeakMb: Math.round(process.resourceUsage().maxRSS / 1e3),
      gossipCoverage,
      findHitRate,
      meshDegreeMin,
      connectionsMean: Math.round((connections / peers) * 10) / 10,
      numbers: { cpu_seconds: (user + system) / 1e6 },
    }
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${JSON.stringify(report, null, 2)}\n`)
    return 0
  } finally {
    await world.stop()
  }
}
