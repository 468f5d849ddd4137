// Whether a file is what is sealed here.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { appendFile, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { segmentBytesOf } from '../../protocols/erasure/index.ts'
import { realFiles } from '../../src/environment.ts'
import { isSealedFrom } from '../../src/storage/compare.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { sealFile } from '../../src/storage/seal.ts'
import { Warehouse } from '../support/shards.ts'

const code = { k: 2, m: 1 }
const mill = new LocalMill()
const never = new AbortController().signal

for (const bytes of [0, 1, segmentBytesOf(code), 3 * segmentBytesOf(code) + 70_001]) {
  test(`a file of ${bytes} bytes is itself, and with any byte changed, more or less it is not`, async () => {
    await using warehouse = await Warehouse.of(1)
    const { store, index, folder } = warehouse.keepers[0]!
    const path = join(warehouse.folder, 'plain')
    const plain = randomBytes(bytes)
    await writeFile(path, plain)
    const deps = { disk: realFiles, mill, store }
    const key = new Uint8Array(randomBytes(32))
    const object = await sealFile(deps, path, code, key, Date.now() + 600_000, never)
    const isSame = async (also = object) => isSealedFrom(deps, path, also, never)
    assert.equal(await isSame(), true)
    for (const at of bytes === 0 ? [] : [0, bytes >> 1, bytes - 1]) {
      const bent = Buffer.from(plain)
      bent[at]! ^= 1
      await writeFile(path, bent)
      assert.equal(await isSame(), false, `byte ${at}`)
    }
    await writeFile(path, plain)
    await appendFile(path, 'x')
    assert.equal(await isSame(), false)
    if (bytes > 0) {
      await writeFile(path, plain.subarray(1))
      assert.equal(await isSame(), false)
    }
    await writeFile(path, plain)
    assert.equal(await isSame({ ...object, key: new Uint8Array(32) }), false)
    assert.equal(await isSame(), true)

    // A shard that is damaged, or gone, cannot be gone on with.
    const name = Buffer.from(object.roots[0]!).toString('hex')
    const shard = await open(join(folder, 'shards', name.slice(0, 2), name), 'r+')
    await shard.write(Uint8Array.of(7, 7, 7, 7), 0, 4, 0)
    await shard.close()
    assert.equal(await isSame(), false)
    await index.delete(Buffer.from(object.roots[2]!).toString('hex'))
    assert.equal(await isSame(), false)
  })
}
