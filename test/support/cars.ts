/** Objects in a warehouse as CARs. */
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { realClock, realFiles } from '../../src/environment.ts'
import { writeCar } from '../../src/storage/car-write.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { sealFile, type SealedObject } from '../../src/storage/seal.ts'
import type { Warehouse } from './shards.ts'

export const carCode = { k: 3, m: 2 }
const mill = new LocalMill()
const never = new AbortController().signal
const soon = () => Date.now() + 600_000
const [owner, reader] = [0, 1]

/** An object whose shards are with keeper 0, as a file of another. */
export async function exportedCar(warehouse: Warehouse, plain: Uint8Array, lacking: readonly number[] = []) {
  const source = join(warehouse.folder, 'plain')
  await writeFile(source, plain)
  const { store } = warehouse.keepers[owner]!
  const key = new Uint8Array(randomBytes(32))
  const object = await sealFile({ disk: realFiles, store, mill }, source, carCode, key, soon(), never)
  const path = join(warehouse.folder, 'object.car')
  const report = await writeCar(
    carDepsOf(warehouse),
    { ...object, sources: carSourcesOf(warehouse, object, lacking), path },
    never,
  )
  return { object, path, report, car: await readFile(path) }
}

export const carDepsOf = (warehouse: Warehouse) => ({
  transfer: warehouse.keepers[reader]!.transfer,
  clock: realClock,
  disk: realFiles,
  onFault: () => {},
})

export const carSourcesOf = (warehouse: Warehouse, { roots }: SealedObject, lacking: readonly number[]) =>
  [...roots.keys()]
    .filter((shard) => !lacking.includes(shard))
    .map((shard) => ({ shard, peers: [warehouse.keepers[owner]!.name] }))
