/**
 * Peers in regions of the world: a public table of round trips, and how they are connected there. Where a peer is follows from
 * the seed and its IP address, so that several processes agree without a word.
 */
import { readFileSync } from 'node:fs'

import { parse } from 'yaml'
import { z } from 'zod'

import { SeededRandom } from '../random.ts'
import type { LinkQuality } from './link.ts'

const ms = z.number().min(0).max(10_000)
const share = z.number().min(0).max(1)
const bytesPerSecond = z.number().positive()

const tableSchema = z.strictObject({
  source: z.string(),
  sameRegionMs: ms,
  regions: z.array(z.string()).min(2).max(64),
  roundTripsMs: z.record(z.string(), z.array(ms)),
  jitterShare: share,
  classes: z.record(
    z.string(),
    z.strictObject({ share, upBytesPerSecond: bytesPerSecond, downBytesPerSecond: bytesPerSecond, accessMs: ms }),
  ),
})

type Classes = z.infer<typeof tableSchema>['classes']

export interface RegionTable {
  readonly source: string
  readonly regions: readonly string[]
  readonly jitterShare: number
  readonly classes: Readonly<Classes>
  /** Between two regions, or within one, without what the access of a peer adds. */
  readonly roundTripMs: (from: string, to: string) => number
}

/** Throws when the table is not whole. */
export function regionTable(text = readFileSync(new URL('regions.yaml', import.meta.url), 'utf8')): RegionTable {
  const { roundTripsMs, sameRegionMs, ...table } = tableSchema.parse(parse(text))
  const { regions } = table
  const byPair = new Map<string, number>()
  for (const [index, from] of regions.entries()) {
    const row = roundTripsMs[from] ?? []
    const others = regions.slice(index + 1)
    if (row.length !== others.length)
      throw new RangeError(`${from} has ${row.length} round trips, not ${others.length}`)
    byPair.set(pairOf(from, from), sameRegionMs)
    for (const [place, to] of others.entries()) {
      byPair.set(pairOf(from, to), row[place]!)
      byPair.set(pairOf(to, from), row[place]!)
    }
  }
  return {
    ...table,
    roundTripMs(from, to) {
      const found = byPair.get(pairOf(from, to))
      if (found === undefined) throw new RangeError(`no round trip from ${from} to ${to} is known`)
      return found
    },
  }
}

/** One way between two regions, of most pairs, without what the access of a peer adds. */
export function medianLatencyMs({ regions, roundTripMs }: Pick<RegionTable, 'regions' | 'roundTripMs'>): number {
  const ways = regions.flatMap((from, index) => regions.slice(index + 1).map((to) => roundTripMs(from, to) / 2))
  return ways.toSorted((left, right) => left - right)[Math.floor(ways.length / 2)]!
}

/** Weights by name. A name that is left out has none. */
export type Shares = Readonly<Record<string, number>>

export interface RegionsOptions {
  readonly seed: number
  /** How many of all peers are in each region; left out, as many in each. */
  readonly shares?: Shares
  /** What is other than in good weather. */
  readonly loss?: number
}

export interface Regions {
  regionOf(ip: string): string
  /** One of the table's classes. */
  classOf(ip: string): string
  /** As a network takes it. */
  readonly link: (from: string, to: string) => LinkQuality
}

/** How the peers of a network are spread over the table. */
export function spreadOver(table: RegionTable, { seed, shares, loss = 0 }: RegionsOptions): Regions {
  const { regions, classes } = table
  const regionWeights = regions.map((region) => (shares === undefined ? 1 : (shares[region] ?? 0)))
  const unknown = Object.keys(shares ?? {}).find((region) => !regions.includes(region))
  if (unknown !== undefined) throw new RangeError(`there is no region ${unknown}; there are ${regions.join(', ')}`)
  const classNames = Object.keys(classes)
  const classWeights = classNames.map((name) => classes[name]!.share)
  // Asked for every message: where a host is, is drawn once, and all that can be between two is made once.
  const spots = regions.flatMap((region) => classNames.map((name) => ({ region, class: name })))
  const qualities = spots.map((from) => spots.map((to) => qualityBetween(table, from, to, loss)))
  const spotByIp = new Map<string, number>()
  const spotOf = (ip: string): number => {
    let spot = spotByIp.get(ip)
    if (spot === undefined) {
      const random = SeededRandom.of(seed, 'live', 'region', ip)
      const region = drawn(random, regionWeights)
      spotByIp.set(ip, (spot = region * classNames.length + drawn(random, classWeights)))
    }
    return spot
  }
  return {
    regionOf: (ip) => spots[spotOf(ip)]!.region,
    classOf: (ip) => spots[spotOf(ip)]!.class,
    link: (from, to) => qualities[spotOf(from)]![spotOf(to)]!,
  }
}

interface Spot {
  readonly region: string
  readonly class: string
}

function qualityBetween(table: RegionTable, from: Spot, to: Spot, loss: number): LinkQuality {
  const [near, far] = [table.classes[from.class]!, table.classes[to.class]!]
  const latencyMs = table.roundTripMs(from.region, to.region) / 2 + near.accessMs + far.accessMs
  return {
    latencyMs,
    jitterMs: latencyMs * table.jitterShare,
    bytesPerSecond: Math.min(near.upBytesPerSecond, far.downBytesPerSecond),
    loss,
    lossIs: 'delay',
  }
}

/** A place in the list, by its weights. */
function drawn(random: SeededRandom, weights: readonly number[]): number {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  if (sum <= 0) throw new RangeError('all shares are 0')
  let left = random.float() * sum
  for (const [place, weight] of weights.entries()) {
    left -= weight
    if (left < 0) return place
  }
  return weights.findLastIndex((weight) => weight > 0)
}

function pairOf(from: string, to: string): string {
  return `${from} ${to}`
}
