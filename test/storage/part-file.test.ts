// A fetch's file on the disk: when it is settled, and what comes of a disk that could not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import {
  describeObject,
  encodeObjectManifest,
  hashLeaves,
  rootOf,
  segmentBytesOf,
  type Code,
} from '../../protocols/erasure/index.ts'
import type { Files, OpenFile } from '../../src/environment.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { PartFile } from '../../src/storage/part-file.ts'
import { MemoryDisk } from '../support/memory-disk.ts'

const never = new AbortController().signal
const code: Code = { k: 8, m: 1 }
const segmentBytes = segmentBytesOf(code)
/** The first that make 16 MiB. */
const settledFirst = 3
const segments = 9
const roots = Array.from({ length: code.k + code.m }, (_, shard) => rootOf(hashLeaves(Uint8Array.of(shard))))
const { bytes: manifest } = encodeObjectManifest(describeObject(code, segments * segmentBytes, roots))

/** A disk of which each settling of a file with plaintext waits for the test, or is refused by it. */
class SlowDisk extends MemoryDisk {
  readonly settling: { readonly bytes: number; readonly done: () => void; readonly fail: (error: Error) => void }[] = []
  readonly slow: Files = {
    ...methodsOf<Files>(this.files),
    create: async (path, how) => {
      const file = await this.files.create(path, how)
      if (!path.endsWith('.part')) return file
      const slowly: OpenFile = {
        ...methodsOf<OpenFile>(file),
        datasync: async () => {
          const { promise, resolve, reject } = Promise.withResolvers<void>()
          this.settling.push({ bytes: (await file.look()).bytes, done: resolve, fail: reject })
          await promise
          await file.datasync()
        },
      }
      return slowly
    },
  }
}

function methodsOf<Port extends object>(port: Port): Port {
  const names = new Set([...Object.keys(port), ...Object.getOwnPropertyNames(Object.getPrototypeOf(port) as object)])
  const methods = [...names].map((name) => [name, (port as Record<string, unknown>)[name]] as const)
  return Object.fromEntries(
    methods.map(([name, method]) => [name, typeof method === 'function' ? (method.bind(port) as unknown) : method]),
  ) as Port
}

async function written(disk: SlowDisk): Promise<PartFile> {
  await disk.files.makeFolder('/home')
  const part = await PartFile.open(
    { disk: disk.slow, mill: new LocalMill() },
    '/home/out',
    manifest,
    new Uint8Array(32),
    never,
  )
  for (let segment = 0; segment < segments; segment++) {
    await part.write(segment, [new Uint8Array(segmentBytes).fill(segment + 1)], new Uint8Array(32))
  }
  return part
}

const turn = async (): Promise<void> => setImmediate()

test('what was written is settled while more comes, one time after the other, and before the file has its name', async () => {
  const disk = new SlowDisk()
  const part = await written(disk)
  assert.deepEqual(
    disk.settling.map(({ bytes }) => bytes),
    [settledFirst * segmentBytes],
    'the next waits until the first is done, and nothing waits for that',
  )
  const finishing = part.finish()
  await turn()
  assert.equal(disk.settling.length, 1)
  disk.settling[0]!.done()
  while (disk.settling.length < 2) await turn()
  assert.equal(disk.settling[1]!.bytes, segments * segmentBytes)
  assert.ok(!disk.paths('/home').includes('/home/out'))
  disk.settling[1]!.done()
  await finishing
  assert.deepEqual(disk.paths('/home'), ['/home/out'])
})

test('a disk that failed to settle something on the way, and then no more, gives the file no name', async () => {
  const disk = new SlowDisk()
  const part = await written(disk)
  disk.settling[0]!.fail(new Error('EIO'))
  const finishing = part.finish()
  while (disk.settling.length < 2) await turn()
  disk.settling[1]!.done()
  await assert.rejects(finishing, /EIO/)
  assert.ok(!disk.paths('/home').includes('/home/out'))
  await part.discard()
})

test('what lies one behind the other in memory is written in one go, and what does not is not', async () => {
  const disk = new MemoryDisk()
  await disk.files.makeFolder('/home')
  const written: number[] = []
  const files: Files = {
    ...methodsOf<Files>(disk.files),
    create: async (path, how) => {
      const file = methodsOf<OpenFile>(await disk.files.create(path, how))
      if (!path.endsWith('.part')) return file
      return {
        ...file,
        write: async (bytes, at) => {
          written.push(bytes.byteLength)
          await file.write(bytes, at)
        },
      }
    },
  }
  const part = await PartFile.open(
    { disk: files, mill: new LocalMill() },
    '/home/out',
    manifest,
    new Uint8Array(32),
    never,
  )
  const memory = Uint8Array.from({ length: 1_000 }, (_, at) => at)
  const piece = (from: number, to: number): Uint8Array => memory.subarray(from, to)
  await part.write(
    0,
    [piece(0, 100), piece(100, 300), piece(300, 301), piece(400, 500), memory.slice(500, 600), piece(600, 700)],
    new Uint8Array(32),
  )
  assert.deepEqual(written, [301, 100, 100, 100])
  await part.leave()
  const [name] = disk.paths('/home').filter((path) => path.endsWith('.part'))
  const file = await disk.files.open(name!)
  const found = new Uint8Array(601)
  assert.equal(await file.read(found, 0), 601)
  await file.close()
  assert.deepEqual(found, Uint8Array.from([...piece(0, 301), ...piece(400, 700)]))
})
