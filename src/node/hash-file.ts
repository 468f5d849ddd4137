import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** What a file holds, piece by piece and never all of it in memory. `sha256` is hex. */
export async function hashFile(
  path: string,
  signal: AbortSignal,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path, { signal })) {
    hash.update(chunk as Uint8Array)
    bytes += (chunk as Uint8Array).byteLength
  }
  return { bytes, sha256: hash.digest('hex') }
}
