/**
 * What a get costs at the very least beside a bare stream: the keeper reads each block and sums it up, the reader hashes it, decrypts and
 * writes. In processor time, alone, as fast as each goes here: on a machine with two processors, which both sides and all their threads
 * share, the time by the clock cannot be less than half of the sum.
 */
import { createDecipheriv, randomFillSync } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { crc32 } from 'node:zlib'

import { hashLeaf, leafBytes } from '../../protocols/erasure/index.ts'
import { realFiles } from '../../src/environment.ts'
import { newStripMemory } from '../../src/storage/strip-memory.ts'

const bytes = 2 ** 26
const pieceBytes = 2 ** 20

/** Nanoseconds of a processor for a byte, all of it together. */
export async function floorNs(folder: string): Promise<number> {
  // As strips have it: only from whole pages it goes past the cache.
  const piece = randomFillSync(new Uint8Array(newStripMemory.take(pieceBytes), 0, pieceBytes))
  const hash = await nsOf(() => {
    for (let at = 0; at < pieceBytes; at += leafBytes) hashLeaf(piece.subarray(at, at + leafBytes))
  })
  const sum = await nsOf(() => void crc32(piece))
  const cipher = createDecipheriv('aes-256-gcm', new Uint8Array(32), new Uint8Array(12))
  const decrypt = await nsOf(() => void cipher.update(piece).buffer.transfer(0))
  const path = join(folder, 'floor')
  const got = await realFiles.create(path, 'as-is', 'past-cache')
  let at = 0
  const write = await nsOf(async () => {
    await got.write(piece, at)
    at += pieceBytes
  })
  await got.close()
  // What is read was written through the cache: keepers have it there.
  const kept = await realFiles.create(path, 'as-is')
  for (at = 0; at < bytes; at += pieceBytes) await kept.write(piece, at)
  at = 0
  const read = await nsOf(async () => {
    await kept.read(piece, at)
    at += pieceBytes
  })
  await kept.close()
  await rm(path)
  return hash + sum + decrypt + write + read
}

async function nsOf(work: () => void | Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  for (let done = 0; done < bytes; done += pieceBytes) await work()
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1_000) / bytes
}
