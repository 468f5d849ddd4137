/** Takes what comes over a pipe into a new file, up to a cap. Bytes are counted here, whatever the child says of them. */
import { createHash } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'

export class OutputsTooLargeError extends Error {
  override readonly name = 'OutputsTooLargeError'
}

export interface SavedOutputs {
  readonly bytes: number
  /** As hex. */
  readonly sha256: string
}

/**
 * What was written to `path`; 0 bytes when none came, and then there is no file. Rejects with OutputsTooLargeError, or
 * as the file system does (a full disk, a file that is there already).
 */
export async function saveOutputs(outputs: Readable, path: string, bytesMax: number): Promise<SavedOutputs> {
  const hash = createHash('sha256')
  let file: FileHandle | undefined
  let bytes = 0
  try {
    for await (const chunk of outputs as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength
      if (bytes > bytesMax) throw new OutputsTooLargeError(`the archive of the outputs has more than ${bytesMax} bytes`)
      file ??= await open(path, 'wx', 0o600)
      hash.update(chunk)
      await file.appendFile(chunk)
    }
    return { bytes, sha256: hash.digest('hex') }
  } catch (error) {
    if (file !== undefined) await rm(path, { force: true })
    throw error
  } finally {
    await file?.close()
  }
}
