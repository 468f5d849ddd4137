/** Packs a folder of this machine as a tar that depends on names and contents alone, so that equal folders give equal bytes. */
import { constants } from 'node:fs'
import { open, readdir, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

import type { TarLimits } from './tar-decoder.ts'
import { encodeEntry, paddingBytes, safeParts, tarEnd, TarError } from './tar-format.ts'
import type { Unpacked } from './tar-read.ts'

const chunkBytes = 1_024 * 1_024

/**
 * Writes the tar of what is in `folder` (not of the folder itself) to `tarPath`, which must not exist. Throws TarError for
 * links and devices, for what is over the limits, and when a file changes while it is read; then nothing is left behind.
 */
export async function packFolder(folder: string, tarPath: string, limits: TarLimits): Promise<Unpacked> {
  const tar = await open(tarPath, 'wx')
  try {
    const packer = new Packer(tar, limits)
    await packer.folder(folder, '')
    await tar.appendFile(tarEnd)
    return { files: packer.files, bytes: packer.bytes }
  } catch (error) {
    await rm(tarPath, { force: true })
    throw error
  } finally {
    await tar.close()
  }
}

class Packer {
  readonly #tar: FileHandle
  readonly #limits: TarLimits
  readonly #chunk = new Uint8Array(chunkBytes)
  #entries = 0
  files = 0
  bytes = 0

  constructor(tar: FileHandle, limits: TarLimits) {
    this.#tar = tar
    this.#limits = limits
  }

  async folder(hostPath: string, prefix: string): Promise<void> {
    const found = await readdir(hostPath, { withFileTypes: true })
    for (const entry of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${prefix}${entry.name}`
      safeParts(path)
      if (++this.#entries > this.#limits.entriesMax)
        throw new TarError(`there are more than ${this.#limits.entriesMax} files and folders`)
      if (entry.isDirectory()) {
        await this.#tar.appendFile(encodeEntry({ kind: 'folder', path, bytes: 0 }))
        await this.folder(join(hostPath, entry.name), `${path}/`)
      } else if (entry.isFile()) {
        await this.#file(join(hostPath, entry.name), path)
      } else {
        throw new TarError(`${JSON.stringify(path)} is neither a file nor a folder; links and devices are not packed`)
      }
    }
  }

  async #file(hostPath: string, path: string): Promise<void> {
    await using file = await open(hostPath, constants.O_RDONLY | constants.O_NOFOLLOW)
    const { size } = await file.stat()
    this.files++
    this.bytes += size
    if (this.bytes > this.#limits.bytesMax)
      throw new TarError(`the files have more than ${this.#limits.bytesMax} bytes`)
    await this.#tar.appendFile(encodeEntry({ kind: 'file', path, bytes: size }))
    let left = size
    while (left > 0) {
      const { bytesRead } = await file.read(this.#chunk, 0, Math.min(left, chunkBytes))
      if (bytesRead === 0) throw new TarError(`${JSON.stringify(path)} became shorter while it was read`)
      await this.#tar.appendFile(this.#chunk.subarray(0, bytesRead))
      left -= bytesRead
    }
    await this.#tar.appendFile(new Uint8Array(paddingBytes(size)))
  }
}
