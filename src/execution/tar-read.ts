/** Unpacks a tar from a stranger into a folder of this machine. Nothing that exists is overwritten or followed. */
import { constants } from 'node:fs'
import { lstat, mkdir, open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

import { TarDecoder, type TarLimits } from './tar-decoder.ts'
import { TarError } from './tar-format.ts'

const chunkBytes = 1_024 * 1_024
const createAnew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

export interface Unpacked {
  readonly files: number
  readonly bytes: number
}

/**
 * Makes `folder` if need be and puts the archive's files and folders under it. Throws TarError for an archive that is
 * malformed, over the limits, or holds anything but files and folders; and for a file that is there already. What was
 * unpacked until then stays: unpack into a fresh folder where that matters.
 */
export async function unpackTar(tarPath: string, folder: string, limits: TarLimits): Promise<Unpacked> {
  await using tar = await open(tarPath, constants.O_RDONLY)
  const decoder = new TarDecoder(limits)
  const made = new Set<string>()
  const chunk = new Uint8Array(chunkBytes)
  let files = 0
  let bytes = 0
  let file: FileHandle | undefined
  await mkdir(folder, { recursive: true })
  try {
    for (;;) {
      const { bytesRead } = await tar.read(chunk, 0, chunkBytes)
      if (bytesRead === 0) break
      for (const event of decoder.push(chunk.subarray(0, bytesRead))) {
        if (event.is === 'content') {
          await file?.appendFile(event.bytes)
          bytes += event.bytes.byteLength
          continue
        }
        await file?.close()
        file = undefined
        const parts = event.entry.path.split('/')
        await makeFolders(folder, event.entry.kind === 'folder' ? parts : parts.slice(0, -1), made)
        if (event.entry.kind === 'folder') continue
        file = await createFile(join(folder, ...parts), event.entry.path)
        files++
      }
    }
    decoder.end()
  } finally {
    await file?.close()
  }
  return { files, bytes }
}

async function createFile(hostPath: string, path: string): Promise<FileHandle> {
  try {
    return await open(hostPath, createAnew, 0o644)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw new TarError(`${JSON.stringify(path)} is there already`)
    throw error
  }
}

/** Each folder on the way must be one, and no link: a link would lead the archive out of its folder. */
async function makeFolders(folder: string, parts: readonly string[], made: Set<string>): Promise<void> {
  for (let depth = 1; depth <= parts.length; depth++) {
    const path = parts.slice(0, depth).join('/')
    if (made.has(path)) continue
    const hostPath = join(folder, ...parts.slice(0, depth))
    try {
      await mkdir(hostPath, 0o755)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      if (!(await lstat(hostPath)).isDirectory())
        throw new TarError(`${JSON.stringify(path)} is there already, and no folder`)
    }
    made.add(path)
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
