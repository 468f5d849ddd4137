/** A program in another language, written from the agreement alone, reads the CAR of an object. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { leafBytes, leafCount, segmentBytesOf } from '../../protocols/erasure/index.ts'
import { carCode, exportedCar } from '../support/cars.ts'
import { Warehouse } from '../support/shards.ts'

const program = join(import.meta.dirname, 'read_car.py')
const skip =
  spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0
    ? false
    : 'there is no python3 of at least 3.9 on this machine'
const read = (path: string) => spawnSync('python3', ['-B', program, path], { encoding: 'utf8' })

test('Python finds the object in it, and each bit that is turned over', { skip }, async () => {
  await using warehouse = await Warehouse.of(3)
  const { object, path, car } = await exportedCar(warehouse, randomBytes(segmentBytesOf(carCode) + 200_001))
  const { stdout, stderr } = read(path)
  assert.equal(stderr, '')
  assert.equal(stdout, `${object.cid} ${object.bytes} ${carCode.k * leafCount(object.shardBytes)}\n`)
  for (const at of [20, 100, 70_000, car.byteLength - leafBytes, car.byteLength - 1]) {
    const bent = Buffer.from(car)
    bent[at]! ^= 1
    await writeFile(path, bent)
    assert.equal(read(path).status, 1, `byte ${at}`)
  }
  await writeFile(path, await readFile(join(warehouse.folder, 'plain')))
  assert.equal(read(path).status, 1)
})
