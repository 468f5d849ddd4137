// Whoever made an object may have made its shards as it liked. Whichever k of them are read, all readers read the same, or nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'
import { concat, equals } from 'uint8arrays'

import { hashLeaves, leafBytes, segmentBytesOf, type Code } from '../../protocols/erasure/index.ts'
import { eachLeaf } from '../../protocols/transfer/index.ts'
import { InconsistentObjectError, fetchObject } from '../../src/storage/fetch.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { describedShards, sealedObject } from '../support/segments.ts'

const never = new AbortController().signal
const key = new Uint8Array(32).fill(8)
const mill = new LocalMill()

/** An object whose maker cheated: for each segment and shard, which of several plaintexts its strip is of; 3: of none. */
interface Forged {
  readonly code: Code
  readonly bytes: number
  readonly picks: readonly (readonly number[])[]
}

class Made {
  readonly code: Code
  readonly shards: readonly Uint8Array[]
  readonly roots: readonly Uint8Array[]
  readonly manifest: Uint8Array

  constructor({ code, bytes, picks }: Forged) {
    this.code = code
    const [first, third] = [1, 3].map((value) => Uint8Array.from({ length: bytes }, (_, at) => Math.imul(at, value)))
    // The second begins as the first does, so that of their data shards only the last differ.
    const second = first!.map((byte, at) => (at < bytes - 20 ? byte : byte ^ 1))
    const plains = [first!, second, third!]
    // All under the same key and nonces, so that each opens wherever k strips of it come together.
    const sealed = plains.map((plain) => sealedObject(code, key, plain))
    this.shards = Array.from({ length: code.k + code.m }, (_, shard) =>
      concat(
        picks.map((of, segment) => {
          const strip = sealed[of[shard]!]?.[segment]?.[shard]
          return strip ?? sealed[0]![segment]![shard]!.map((byte) => byte ^ 0x5a)
        }),
      ),
    )
    const { roots, manifest } = describedShards(code, bytes, this.shards)
    this.roots = roots
    this.manifest = manifest
  }

  /** What a reader gets of these shards and no others; undefined: it finds out. `failsAfter`: so many leaves of each, and then nobody answers. */
  async read(disk: MemoryDisk, shards: readonly number[], failsAfter = Infinity): Promise<Uint8Array | undefined> {
    const deps = {
      disk: disk.files,
      mill,
      onFault: () => {},
      transfer: {
        get: async (
          _peer: string,
          root: Uint8Array,
          _shardBytes: number,
          leaves: Parameters<typeof eachLeaf>[0],
          onLeaf: (leaf: number, bytes: Uint8Array, hash: Uint8Array) => Promise<void>,
          signal: AbortSignal,
        ) => {
          const shard = this.shards[this.roots.findIndex((other) => equals(other, root))]!
          for await (const leaf of eachLeaf(leaves, signal)) {
            if (leaf >= failsAfter) throw new Error('lost')
            const bytes = shard.subarray(leaf * leafBytes, (leaf + 1) * leafBytes)
            await onLeaf(leaf, bytes, hashLeaves(bytes)[0]!)
          }
        },
      },
    }
    const sources = shards.map((shard) => ({ shard, peers: [`peer${shard}`] }))
    const request = { manifest: this.manifest, key, sources, path: '/home/out' }
    try {
      await fetchObject(deps, request, never)
      return disk.content('/home/out').slice()
    } catch (error) {
      if (failsAfter === Infinity) assert.ok(error instanceof InconsistentObjectError, String(error))
      return undefined
    }
  }
}

async function homeDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  await disk.files.makeFolder('/home')
  return disk
}

/** Mostly of the first plaintext, so that some readers find nothing wrong. */
const pick = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 4, arbitrary: fc.nat(3) })
const codes: readonly Code[] = [
  { k: 1, m: 1 },
  { k: 1, m: 3 },
  { k: 2, m: 2 },
  { k: 2, m: 4 },
  { k: 3, m: 2 },
  { k: 3, m: 5 },
]
const forgedOf = (code: Code, bytes: number, segments: number): fc.Arbitrary<Forged> => {
  const width = code.k + code.m
  const some = fc.array(pick, { minLength: width, maxLength: width })
  // Data of one plaintext and parity of another: what needs the commitment to be seen.
  const halves = fc
    .tuple(fc.nat(2), fc.nat(2))
    .map(([data, parity]) => Array.from({ length: width }, (_, shard) => (shard < code.k ? data : parity)))
  return fc
    .array(fc.oneof(some, halves), { minLength: segments, maxLength: segments })
    .map((picks) => ({ code, bytes, picks }))
}
const subset = ({ k, m }: Code): fc.Arbitrary<number[]> =>
  fc.shuffledSubarray(
    Array.from({ length: k + m }, (_, shard) => shard),
    { minLength: k, maxLength: k },
  )

test('two readers of any k shards each read the same bytes, or one of them finds the maker out', async () => {
  const outcomes = { same: 0, one: 0, none: 0 }
  const objects = fc.constantFrom(...codes).chain((code) =>
    fc.record({
      forged: forgedOf(code, 100, 1),
      left: subset(code),
      right: subset(code),
    }),
  )
  await fc.assert(
    fc.asyncProperty(objects, async ({ forged, left, right }) => {
      const made = new Made(forged)
      const [one, two] = [await made.read(await homeDisk(), left), await made.read(await homeDisk(), right)]
      if (one !== undefined && two !== undefined) assert.deepEqual(one, two)
      const count = [one, two].filter((plain) => plain !== undefined).length
      outcomes[(['none', 'one', 'same'] as const)[count]!]++
    }),
    { numRuns: 1_500 },
  )
  // It is no proof when one of these never comes.
  assert.ok(
    Object.values(outcomes).every((count) => count > 20),
    JSON.stringify(outcomes),
  )
})

test('a reader that goes on with other shards than it began with reads no mixture either', async () => {
  const code = { k: 1, m: 2 }
  const bytes = segmentBytesOf(code) + 500
  const objects = fc.record({ forged: forgedOf(code, bytes, 2), left: subset(code), right: subset(code) })
  let read = 0
  await fc.assert(
    fc.asyncProperty(objects, async ({ forged, left, right }) => {
      const made = new Made(forged)
      const whole = await made.read(await homeDisk(), [0])
      const disk = await homeDisk()
      // The first segment has 16 leaves.
      await made.read(disk, left, 16)
      const mixed = await made.read(disk, right)
      if (mixed !== undefined) {
        read++
        assert.ok(whole !== undefined && equals(mixed, whole))
      }
    }),
    { numRuns: 25 },
  )
  assert.ok(read > 0)
})
