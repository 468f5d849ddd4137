// A large object's file is written past the cache of the system: all of it is there, from wherever it lay in memory, and next to none of it in the cache.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, open, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'

import {
  describeObject,
  encodeObjectManifest,
  hashLeaves,
  rootOf,
  segmentBytesOf,
  stripBytesMax,
  tagBytes,
  type Code,
} from '../../protocols/erasure/index.ts'
import { realFiles } from '../../src/environment.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { PartFile } from '../../src/storage/part-file.ts'
import { newStripMemory } from '../../src/storage/strip-memory.ts'
import { StripPool, type StripRoom } from '../../src/storage/strip-pool.ts'

const never = new AbortController().signal
const code: Code = { k: 8, m: 1 }
const segmentBytes = segmentBytesOf(code)
const roots = Array.from({ length: code.k + code.m }, (_, shard) => rootOf(hashLeaves(Uint8Array.of(shard))))
/** ext4, as most have it. */
const ext4 = 0xef53

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pleach-past-cache-'))
})
after(async () => rm(folder, { recursive: true }))

/** Bytes of a file that are in the cache; undefined, with the reason printed, where that is not to be had. */
async function cachedBytes(context: TestContext, path: string): Promise<number | undefined> {
  if ((await statfs(folder)).type !== ext4) {
    context.skip(`${folder} is on another file system than ext4`)
    return undefined
  }
  try {
    const { stdout } = await promisify(execFile)('fincore', ['--bytes', '--noheadings', '--output', 'RES', path])
    return Number(stdout)
  } catch (error) {
    context.skip(`there is no fincore: ${(error as Error).message}`)
    return undefined
  }
}

/** The plaintext of a segment, as it lies in a room: each piece is its own bytes, and differs at its ends. */
function pieces(room: StripRoom, segment: number): Uint8Array[] {
  return Array.from({ length: code.k }, (_, shard) => {
    // One that was decoded lies elsewhere.
    const isDecoded = segment % 3 === 1 && shard === 4
    const strip = isDecoded ? new Uint8Array(stripBytesMax) : room.strip(shard)
    const piece = shard < code.k - 1 ? strip : strip.subarray(0, stripBytesMax - tagBytes)
    piece.fill(segment * code.k + shard)
    piece[0] = 251
    piece[piece.byteLength - 1] = 252
    return piece
  })
}

async function fetched(segments: number, name: string): Promise<{ readonly path: string; readonly expected: Buffer }> {
  const { bytes: manifest } = encodeObjectManifest(describeObject(code, segments * segmentBytes, roots))
  const path = join(folder, name)
  const part = await PartFile.open(
    { disk: realFiles, mill: new LocalMill() },
    path,
    manifest,
    new Uint8Array(32),
    never,
  )
  const pool = new StripPool(code, newStripMemory)
  const expected: Uint8Array[] = []
  for (let segment = 0; segment < segments; segment++) {
    const room = pool.take(segment * segmentBytes)
    const plain = pieces(room, segment)
    expected.push(...plain.map((piece) => Uint8Array.from(piece)))
    await part.write(segment, plain, new Uint8Array(32))
    room.giveBack()
  }
  await part.finish()
  return { path, expected: Buffer.concat(expected) }
}

const contents = async (path: string): Promise<Buffer> => {
  const file = await open(path)
  try {
    return await file.readFile()
  } finally {
    await file.close()
  }
}

test('a large object is all there, and what else the system has in its cache stays there', async (context) => {
  const { path, expected } = await fetched(9, 'large')
  const cached = await cachedBytes(context, path)
  assert.ok((await contents(path)).equals(expected))
  if (cached !== undefined) assert.ok(cached < expected.byteLength / 20, `${cached} bytes of it are in the cache`)
})

test('who opens a small one next finds it in the cache', async (context) => {
  const { path, expected } = await fetched(2, 'small')
  const cached = await cachedBytes(context, path)
  assert.ok((await contents(path)).equals(expected))
  if (cached !== undefined) assert.ok(cached >= expected.byteLength, `${cached} bytes of it are in the cache`)
})

test('wherever bytes lie in memory and in the file, they are written', async () => {
  const path = join(folder, 'anywhere')
  const file = await realFiles.create(path, 'as-is', 'past-cache')
  const pool = new StripPool(code, newStripMemory)
  let all = Buffer.alloc(0)
  const places = [
    [0, 3],
    [3, 4096],
    [4099, 200_000],
    [204_099, 1],
    [204_100, 65_536],
    [300_000, 1_000_000],
    [4096, 131_072],
    [1_300_001, 4095],
  ] as const
  for (const liesRight of [true, false]) {
    for (const [at, count] of places) {
      const bytes = liesRight ? pool.take(at).strip(0).subarray(0, count) : new Uint8Array(count)
      bytes.set(randomBytes(count))
      await file.write(bytes, at)
      all = Buffer.concat([all, Buffer.alloc(Math.max(0, at + count - all.byteLength))])
      all.set(bytes, at)
    }
  }
  await file.datasync()
  await file.close()
  assert.ok((await contents(path)).equals(all))
})
