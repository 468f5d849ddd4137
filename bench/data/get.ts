/**
 * Reading an object from keepers over TCP, each in a process of its own: verified, decrypted and on the disk, beside a bare libp2p
 * stream with the same encrypter; and with some of the keepers stalled, slow or lying, beside the same with none.
 */
import { join } from 'node:path'

import type { FetchReport } from '../../src/storage/fetch.ts'
import type { Circumstances, Part } from '../bench.ts'
import { alternate, pair } from '../paired.ts'
import { pairedRow, valueRow, type Row } from '../report.ts'
import { collectForBulk } from '../../src/collector.ts'
import { Crowd, honest, sealedObject } from './crowd.ts'
import { floorNs } from './floor.ts'
import { RawCrowd } from './raw-crowd.ts'
import { Reader, type Run } from './reader.ts'
import type { ServingOrder } from './serving-peer.ts'

const code = { k: 10, m: 4 }
/** 64 segments: a second and more. What is waited for before a keeper counts as late is a fixed time, and was a tenth of a get of half as much. */
const objectBytes = 64 * code.k * 2 ** 20
const troublesome = 4
/**
 * Before anything is measured: peers and streams run for days, and V8 finds out in the first seconds of work what is worth compiling. After so many nothing
 * becomes faster any more.
 */
const warmUps = 8
/** A get from 14 whose memory and lateness are looked at. */
const watched = 'watched'

async function measure(circumstances: Circumstances): Promise<readonly Row[]> {
  const { folder, rounds } = circumstances
  collectForBulk()
  const say = (line: string): void => circumstances.say(line)
  say('sealing')
  const object = await sealedObject(folder, objectBytes, code)
  await using crowd = await Crowd.of(code.k + code.m, folder)
  await using plain = await RawCrowd.of(code.k, 'as it comes')
  await using raw = await RawCrowd.of(code.k, 'as a peer')
  await using reader = await Reader.of(
    crowd.peers.map(({ address }) => address),
    circumstances.signal,
  )
  const runs: Record<string, Run[]> = {}
  const noted = async (name: string, count: number, order: ServingOrder, peerOf: (shard: number) => number) => {
    await crowd.order(count, order)
    // To look a thousand times a second takes time too: what is compared is not watched.
    const run = await reader.fetch(
      object,
      join(folder, 'fetched'),
      (shard) => crowd.peers[peerOf(shard)]!.peer,
      name === watched,
    )
    ;(runs[name] ??= []).push(run)
    say(`${name}: ${run.seconds.toFixed(2)} s, ${share(run.report.wastedBytes).toFixed(3)} wasted`)
    return run.seconds
  }
  const each = (shard: number): number => shard
  await crowd.order(0, honest)
  /** Of the usual speed of a keeper, in bytes a second; known once all have begun. */
  let tenth = 0
  const streamNs: Record<'rawOne' | 'plainOne' | 'rawMany' | 'plainMany', number[]> = {
    rawOne: [],
    plainOne: [],
    rawMany: [],
    plainMany: [],
  }
  const floors: number[] = []
  const drink = async (name: keyof typeof streamNs, nodes: RawCrowd, count: number): Promise<number> => {
    const { seconds: took, drinker, pourers } = await nodes.drinkCounted(count, objectBytes)
    streamNs[name].push(drinker + pourers)
    return took
  }
  const measures = {
    rawOne: async () => {
      floors.push(await floorNs(folder))
      return drink('rawOne', raw, 1)
    },
    plainOne: async () => drink('plainOne', plain, 1),
    one: async () => noted('one', 0, honest, () => 0),
    rawMany: async () => drink('rawMany', raw, code.k),
    plainMany: async () => drink('plainMany', plain, code.k),
    many: async () => noted('many', 0, honest, each),
    watched: async () => noted(watched, 0, honest, each),
    stalled: async () => noted('stalled', troublesome, { mode: 'stalled', bytesPerSecond: null }, each),
    slow: async () => noted('slow', troublesome, { mode: 'honest', bytesPerSecond: tenth }, each),
    corrupt: async () => noted('corrupt', troublesome, { mode: 'corrupt', bytesPerSecond: null }, each),
  }
  const beforehand = { one: [] as number[], many: [] as number[] }
  for (let warmUp = 0; warmUp < warmUps; warmUp++) {
    for (const name of ['rawOne', 'plainOne', 'rawMany', 'plainMany'] as const) await measures[name]()
    for (const name of ['one', 'many'] as const) beforehand[name].push(await measures[name]())
  }
  tenth = objectBytes / code.k / beforehand.many.at(-1)! / 10
  for (const list of [...Object.values(runs), ...Object.values(streamNs), floors]) list.length = 0
  const seconds = await alternate(rounds, measures)
  const rates = (times: readonly number[]): number[] => times.map((time) => objectBytes / 1e6 / time)
  const all = Object.values(runs).flat()
  const liars = new Set(crowd.peers.slice(0, troublesome).map(({ peer }) => peer))
  const named = runs['corrupt']!.map(({ blamed }) => [...blamed].filter((peer) => liars.has(peer)).length)
  const wrongly = all.flatMap(({ blamed }) => [...blamed]).filter((peer) => !liars.has(peer)).length
  const usages = runs[watched]!.flatMap(({ usage }) => usage ?? [])
  const overhead = runs['many']!.map(({ frameBytes, report }) => (frameBytes / received(report) - 1) * 100)
  const beside = 'get from 14, none at fault'
  /** What a get would be beside such a stream that cost as much as the stream, and what it has to do with each byte on top, and nothing else. */
  const boundRow = (streams: string, list: readonly number[], note: string): Row =>
    valueRow(
      `bound beside ${streams}`,
      '×',
      list.map((stream, round) => stream / (stream + floors[round]!)),
      undefined,
      `${note}: its processor time, both sides, ÷ that and what hashing, summing up, decrypting, reading and writing take alone`,
    )
  const inBulk = 'with the collector set for bulk, as a peer has it'
  const asItComes = 'in a Node as it comes'
  const besideStreams =
    (name: string, streams: string, times: readonly number[], least: number) =>
    (baseline: readonly number[], note: string): Row =>
      pairedRow(name, 'MB/s', streams, pair(rates(times), rates(baseline)), { least }, note)
  const one = besideStreams('get from one peer', 'bare stream of one', seconds.one, 0.85)
  const many = besideStreams('get from 14', 'bare streams of ten', seconds.many, 0.8)
  return [
    one(seconds.plainOne, asItComes),
    one(seconds.rawOne, inBulk),
    boundRow('bare stream of one', streamNs.plainOne, asItComes),
    boundRow('bare stream of one', streamNs.rawOne, inBulk),
    many(seconds.plainMany, asItComes),
    many(seconds.rawMany, inBulk),
    boundRow('bare streams of ten', streamNs.plainMany, asItComes),
    boundRow('bare streams of ten', streamNs.rawMany, inBulk),
    valueRow(
      'first get from one peer',
      'MB/s',
      rates(beforehand.one.slice(0, 1)),
      undefined,
      'of a reader and a keeper that have just started',
    ),
    valueRow('first get from 14', 'MB/s', rates(beforehand.many.slice(0, 1)), undefined, 'the same'),
    pairedRow('4 of 14 stalled', 's', beside, pair(seconds.stalled, seconds.many), { most: 1.25 }),
    pairedRow('4 at a tenth of the speed', 's', beside, pair(seconds.slow, seconds.many), { most: 1.3 }),
    pairedRow('4 corrupt every block', 's', beside, pair(seconds.corrupt, seconds.many), { most: 1.4 }),
    valueRow('corrupt peers named, of 4', 'peers', [Math.min(...named)], { least: 4 }, 'the fewest of all rounds'),
    valueRow('honest peers named', 'peers', [wrongly], { most: 0 }),
    valueRow(
      'wasted',
      '%',
      [Math.max(...all.map(({ report }) => share(report.wastedBytes) * 100))],
      { most: 10 },
      'the most of all runs',
    ),
    valueRow(
      'wire overhead of frames',
      '%',
      overhead,
      { most: 0.5 },
      'without what muxer and encrypter add to any stream',
    ),
    valueRow(
      'memory of the reader',
      'MiB',
      usages.map(({ extraBytes }) => extraBytes / 2 ** 20),
      { most: 96 },
      'over what it had before',
    ),
    valueRow(
      'event loop of the reader, p99',
      'ms',
      usages.map(({ late }) => late.p99),
      { most: 20 },
    ),
  ]
}

const share = (bytes: number): number => bytes / objectBytes
const received = ({ sources }: FetchReport): number => sources.reduce((sum, { bytes }) => sum + bytes, 0)

export const get: Part = {
  name: 'get',
  about: 'an object from one keeper and from fourteen, with some of them stalled, slow or lying',
  measure,
}
