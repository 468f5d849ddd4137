/**
 * Keys that follow from the content, so that the same owner sealing the same bytes twice makes the same object. The owner's secret is
 * mixed in: without it nobody can tell from the object, by sealing a guess, what is in it.
 */
import { createHash, hkdfSync } from 'node:crypto'

import { keyBytes, type Code } from '../../protocols/erasure/index.ts'
import type { Files } from '../environment.ts'
import { FileSource, readBytesMax } from './plain-source.ts'

const domain = 'pleach/convergent-key/1'

/**
 * `contentHash`: SHA-256 of the plaintext. The code is in it, since with another one the segments end elsewhere, and the same nonces
 * would seal other bytes.
 */
export function convergentKey(secret: Uint8Array, contentHash: Uint8Array, { k, m }: Code): Uint8Array {
  const about = Buffer.concat([Buffer.from(domain), Uint8Array.of(k >> 8, k, m >> 8, m), contentHash])
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), about, keyBytes))
}

/** SHA-256 of a file. Rejects with SourceChangedError when it is written to meanwhile. */
export async function hashOfFile(disk: Pick<Files, 'open'>, path: string, signal: AbortSignal): Promise<Uint8Array> {
  await using file = await FileSource.of(disk, path)
  const hash = createHash('sha256')
  const room = new Uint8Array(Math.min(readBytesMax, file.bytesLeftMax))
  do {
    signal.throwIfAborted()
    hash.update(room.subarray(0, await file.fill(room)))
  } while (!(await file.isOver()))
  return new Uint8Array(hash.digest())
}
