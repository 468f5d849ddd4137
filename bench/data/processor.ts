/**
 * Where the processors' time goes in a get: nanoseconds for a byte, of the reader, of its main thread, and of all keepers together; and beside it in
 * bare streams. What a change of the way of a byte gives is seen here: the rate is what the machine makes of it, beside what else it does.
 */
import { join } from 'node:path'

import { collectForBulk } from '../../src/collector.ts'
import type { Part } from '../bench.ts'
import { valueRow, type Row } from '../report.ts'
import { Crowd, sealedObject } from './crowd.ts'
import { RawCrowd, type Drunk } from './raw-crowd.ts'
import { Reader } from './reader.ts'

const code = { k: 10, m: 4 }
const objectBytes = 32 * code.k * 2 ** 20
/** Before what is measured: what runs for the first time is not compiled yet. */
const warmUps = 5

interface Taken {
  readonly seconds: number
  readonly reader: number
  readonly main: number
  readonly keepers: number
}

export const processor: Part = {
  name: 'processor',
  about: 'what a get takes of the processors, reader and keepers apart',
  async measure({ folder, rounds, say, signal }) {
    collectForBulk()
    say('sealing')
    const object = await sealedObject(folder, objectBytes, code)
    await using crowd = await Crowd.of(code.k, folder)
    await using reader = await Reader.of(
      crowd.peers.map(({ address }) => address),
      signal,
    )
    const get = async (keepers: number): Promise<Taken> => {
      const before = await crowd.processorMs(keepers)
      const run = await reader.fetch(object, join(folder, 'fetched'), (shard) => crowd.peers[shard % keepers]!.peer)
      const keepersMs = (await crowd.processorMs(keepers)) - before
      const nsPerByte = (ms: number): number => (ms * 1e6) / objectBytes
      say(`${keepers}: ${run.seconds.toFixed(2)} s`)
      return {
        seconds: run.seconds,
        reader: nsPerByte(run.cpuMs),
        main: nsPerByte(run.mainMs),
        keepers: nsPerByte(keepersMs),
      }
    }
    const rows: Row[] = []
    for (const keepers of [1, code.k]) {
      for (let index = 0; index < warmUps; index++) await get(keepers)
      const taken: Taken[] = []
      for (let round = 0; round < rounds; round++) taken.push(await get(keepers))
      const of = (name: string, unit: string, figure: (one: Taken) => number): Row =>
        valueRow(`get from ${keepers}: ${name}`, unit, taken.map(figure))
      rows.push(
        of('rate', 'MB/s', ({ seconds }) => objectBytes / 1e6 / seconds),
        of('all', 'ns/B', (one) => one.reader + one.keepers),
        of('reader', 'ns/B', (one) => one.reader),
        of('its main thread', 'ns/B', ({ main }) => main),
        of('keepers', 'ns/B', (one) => one.keepers),
      )
    }
    say('bare streams')
    return [...rows, ...(await streamRows('as it comes', rounds)), ...(await streamRows('as a peer', rounds))]
  },
}

/** The same bytes on bare streams, from one and from as many as a get has keepers. */
async function streamRows(node: 'as it comes' | 'as a peer', rounds: number): Promise<Row[]> {
  await using crowd = await RawCrowd.of(code.k, node)
  const rows: Row[] = []
  for (const from of [1, code.k]) {
    for (let index = 0; index < warmUps; index++) await crowd.drink(from, objectBytes)
    const drunk: Drunk[] = []
    for (let round = 0; round < rounds; round++) drunk.push(await crowd.drinkCounted(from, objectBytes))
    const of = (name: string, unit: string, figure: (one: Drunk) => number): Row =>
      valueRow(`bare streams of ${from}: ${name}`, unit, drunk.map(figure), undefined, `in a Node ${node}`)
    rows.push(
      of('rate', 'MB/s', ({ seconds }) => objectBytes / 1e6 / seconds),
      of('all', 'ns/B', ({ drinker, pourers }) => drinker + pourers),
      of('who drinks', 'ns/B', ({ drinker }) => drinker),
      of('who pour', 'ns/B', ({ pourers }) => pourers),
    )
  }
  return rows
}
