/** Our standard input as a file, which the peer reads by itself: it is another process. */
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

export interface StdinFile {
  readonly path: string
  remove(): Promise<void>
}

export async function spoolStdin(signal: AbortSignal): Promise<StdinFile> {
  const folder = await mkdtemp(join(tmpdir(), 'pleach-stdin-'))
  const path = join(folder, 'stdin')
  const remove = async (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    await pipeline(process.stdin, createWriteStream(path, { mode: 0o600 }), { signal })
  } catch (error) {
    await remove()
    throw signal.aborted ? signal.reason : error
  }
  return { path, remove }
}
