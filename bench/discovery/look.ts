/**
 * 300 live peers of which half lend, one of them something that nobody else has. Looks by peers that chance picks: by what they know, as
 * newcomers, and by the DHT alone, in one run; then how soon a change is seen, and all of it again when 30 % of the peers are silent.
 */
import { plainPolicy } from '../../src/config/options.ts'
import { noWishes, type Requirements } from '../../protocols/bid/index.ts'
import type { Want } from '../../protocols/discover/index.ts'
import { perfectLink } from '../../sim/live/link.ts'
import type { LivePeer } from '../../sim/live/live-peer.ts'
import { pause, until } from '../../sim/live/waits.ts'
import { LiveWorld, type LiveRole } from '../../sim/live/world.ts'
import { SeededRandom } from '../../sim/random.ts'
import type { Part } from '../bench.ts'
import { missingRow, valueRow, type Row, type Target } from '../report.ts'
import { asKnown, asNewcomer, byDhtAlone, costOf, type Cost, type Way } from './ways.ts'

const peersCount = 300
const looks = 100
/** Of which there are enough to see who is asked more than others. */
const looksOfPopular = 400
const silentShare = 0.3
const seed = 6
const gib = 2 ** 30
const meshWithinMs = 60_000
const recordsWithinMs = 120_000
/** After the last announcement, until gossip has brought it to all. */
const settleMs = 5_000
const changeWithinMs = 20_000
/** Of all that might see a change: to ask everybody again and again is a load by itself, and all would look for those they doubt. */
const observersCount = 30
const observeEveryMs = 200

const plain: Requirements = {
  ...noWishes,
  runtime: 'wasi-preview1',
  cpuMilli: 1_000,
  memoryBytes: gib,
  diskBytes: 0,
  wallMsMax: 60_000,
}
const work = (requirements: Partial<Requirements>): Want => ({
  kind: 'work',
  ask: { requirements: { ...plain, ...requirements }, unit: 'credit', cpuHourMicroMax: 2_000_000 },
})
const popular = work({})
const rare = work({ gpus: { count: 1, memoryBytes: 40 * gib, vendor: '', model: 'h100' } })

export const look: Part = {
  name: 'look',
  about: 'looks for what one peer has, and for what half have; what they cost, and after 30 % have died',
  async measure({ say, signal }) {
    const random = SeededRandom.of(seed, 'bench', 'discovery')
    const gpu = { model: 'NVIDIA H100 80GB HBM3', memoryBytes: 80 * gib, count: 1 }
    const peers = Array.from({ length: peersCount }, (_, index): LiveRole => ({
      lends: index % 2 === 0,
      vice: null,
      skewMs: 0,
      ...(index === 0 ? { offer: { policy: { ...plainPolicy, gpus: [gpu] } } } : {}),
    }))
    const startMs = performance.now()
    const world = await LiveWorld.boot(
      { peers, seed, carrier: 'own', boot: 'fast', link: { ...perfectLink, latencyMs: 10 } },
      () => {},
    )
    try {
      const hasMesh = await world.waitForMesh(4, meshWithinMs)
      const isOut = await world.waitForRecords(recordsWithinMs)
      say(`booted in ${((performance.now() - startMs) / 1_000).toFixed(1)} s; mesh ${hasMesh}, records ${isOut}`)
      await world.announced()
      await pause(settleMs)
      signal.throwIfAborted()
      say('everybody has announced its record')
      const rows = [...(await waysOf(world, random, say)), ...(await changes(world, random, say))]
      for (const peer of random.shuffled(world.peers.slice(1)).slice(0, peersCount * silentShare)) peer.freeze()
      say('30 % are silent')
      return [...rows, ...(await silence(world, random, say))]
    } finally {
      await world.stop()
    }
  },
}

async function waysOf(world: LiveWorld, random: SeededRandom, say: (line: string) => void): Promise<Row[]> {
  const { network } = world
  const ways: readonly [string, Way][] = [
    ['as known', asKnown],
    ['as a newcomer', asNewcomer(network, random)],
    ['by the DHT alone', byDhtAlone(network)],
  ]
  const rows: Row[] = []
  for (const [how, way] of ways) {
    const isOurs = how !== 'by the DHT alone'
    const one = await costOf(world, askers(world, random, looks), rare, 1, way)
    rows.push(...rowsOf(`one of 300, ${how}`, one, isOurs ? { found: { least: looks }, messages: { most: 12 } } : {}))
    const half = await costOf(world, askers(world, random, isOurs ? looksOfPopular : looks), popular, 8, way)
    rows.push(...rowsOf(`half of 300, ${how}`, half, isOurs ? { messages: { most: 12 }, hottest: { most: 5 } } : {}))
    say(
      `${how}: ${one.found} of ${one.looks} found; half: ${half.messages.toFixed(1)} messages, hottest ${half.hottest}`,
    )
  }
  return rows
}

async function silence(world: LiveWorld, random: SeededRandom, say: (line: string) => void): Promise<Row[]> {
  const rows: Row[] = []
  for (const [how, way] of [
    ['as known', asKnown],
    ['as a newcomer', asNewcomer(world.network, random)],
  ] as const) {
    const one = await costOf(world, askers(world, random, looks), rare, 1, way)
    say(`with 30 % silent, ${how}: ${one.found} of ${one.looks} found`)
    rows.push(
      ...rowsOf(`one of 300, 30 % silent, ${how}`, one, { found: { least: looks - 1 }, messages: { most: 12 } }),
    )
  }
  return rows
}

/** A provider that stops in good order, and comes back. */
async function changes(world: LiveWorld, random: SeededRandom, say: (line: string) => void): Promise<Row[]> {
  const peer = world.lenders[1]!
  const observers = random
    .shuffled(world.peers.filter((other) => other !== peer && other.isUp))
    .slice(0, observersCount)
  const seenBy = async (): Promise<number> => {
    const seen = await Promise.all(
      observers.map(async ({ control }) =>
        (await control.offers(false, AbortSignal.timeout(changeWithinMs))).some((offer) => offer.peer === peer.name),
      ),
    )
    return seen.filter(Boolean).length
  }
  const goneMs = await timeUntil(
    async () => (await seenBy()) === 0,
    () => void peer.leave(),
  )
  await until(() => peer.state === 'left', changeWithinMs)
  await pause(settleMs)
  const newMs = await timeUntil(
    async () => (await seenBy()) === observers.length,
    async () => peer.restart(),
  )
  say(`gone in ${goneMs} ms, new in ${newMs} ms`)
  return [
    changeRow(`taken back, gone from the indexes of ${observersCount}`, goneMs, { most: 120_000 }),
    changeRow(`new, in the indexes of ${observersCount}`, newMs, { most: 10_000 }),
  ]
}

async function timeUntil(holds: () => Promise<boolean>, begin: () => void | Promise<void>): Promise<number | null> {
  await begin()
  const startMs = performance.now()
  while (performance.now() - startMs < changeWithinMs) {
    if (await holds()) return Math.round(performance.now() - startMs)
    await pause(observeEveryMs)
  }
  return null
}

function changeRow(name: string, ms: number | null, target: Target): Row {
  return ms === null ? missingRow(name, 'ms', null, 'not within 20 s', target) : valueRow(name, 'ms', [ms], target)
}

/** None of them the one that has what is rare. */
function askers({ peers }: LiveWorld, random: SeededRandom, count: number): LivePeer[] {
  const others = peers.filter(({ index, isUp }) => index !== 0 && isUp)
  return Array.from({ length: count }, () => random.pick(others))
}

function rowsOf(name: string, cost: Cost, targets: { found?: Target; messages?: Target; hottest?: Target }): Row[] {
  const sorted = cost.tookMs.toSorted((left, right) => left - right)
  return [
    valueRow(`${name}: found of ${cost.looks}`, 'looks', [cost.found], targets.found),
    valueRow(`${name}: messages`, 'a look', [cost.messages], targets.messages),
    cost.hottest === null
      ? missingRow(`${name}: most asked peer`, 'x mean', null, 'nobody was asked', targets.hottest)
      : valueRow(`${name}: most asked peer`, 'x mean', [cost.hottest], targets.hottest),
    valueRow(`${name}: p50`, 'ms', [sorted[Math.floor(sorted.length / 2)]!]),
    valueRow(`${name}: p99`, 'ms', [sorted[Math.floor(sorted.length * 0.99)]!]),
  ]
}
