/** The codes of independent programs: Intel ISA-L, and klauspost/reedsolomon. The files say how the data are made. */
import { createHash, hash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface Case {
  k: number
  m: number
  shardBytes: number
  seed: number
  dataSha256: string
  paritySha256: string | string[]
  coefficients?: number[][]
}

export const vectors = (['cauchy', 'vandermonde'] as const).flatMap((matrix) => {
  const file = matrix === 'cauchy' ? 'reed-solomon-cauchy1' : 'reed-solomon-vandermonde'
  const text = readFileSync(new URL(`../vectors/${file}.json`, import.meta.url), 'utf8')
  return (JSON.parse(text) as { cases: Case[] }).cases.map((vector) => ({ matrix, vector }))
})

export const sha256 = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex')

export function dataOf({ k, shardBytes, seed }: Case): Uint8Array[] {
  const bytes = Buffer.alloc(Math.ceil((k * shardBytes) / 32) * 32)
  for (let index = 0; index * 32 < bytes.byteLength; index++) {
    const block = Buffer.alloc(17)
    block.write('pleach-rs')
    block.writeUInt32BE(seed, 9)
    block.writeUInt32BE(index, 13)
    createHash('sha256')
      .update(block)
      .digest()
      .copy(bytes, index * 32)
  }
  return Array.from(
    { length: k },
    (_, shard) => new Uint8Array(bytes.subarray(shard * shardBytes, (shard + 1) * shardBytes)),
  )
}

/** Every choice of so many numbers below one. */
export function* choices(below: number, count: number, from = 0): Generator<number[]> {
  if (count === 0) return yield []
  for (let first = from; first <= below - count; first++) {
    for (const rest of choices(below, count - 1, first + 1)) yield [first, ...rest]
  }
}
