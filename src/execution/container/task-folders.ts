/** What goes into a container as /in, and what comes out of it as /out: tars both ways, rewritten by us both ways. */
import { createReadStream } from 'node:fs'
import { open, rm, stat, type FileHandle } from 'node:fs/promises'

import type { ExecutionInput, ExecutionOutputs } from '../executor.ts'
import { TarDecoder, type TarLimits } from '../tar-decoder.ts'
import { encodeEntry, paddingBytes, safeParts, tarEnd, TarError, type TarEntry } from '../tar-format.ts'

const inputEntriesMax = 65_536
const copyBytes = 1_024 * 1_024

/** One tar of all inputs, its paths relative to /in. Throws TarError for an input's own tar, and for a path outside of /in. */
export async function* inputsTar(inputs: readonly ExecutionInput[], signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const made = new Set<string>()
  const folders = function* (parts: readonly string[]): Generator<Uint8Array> {
    for (let depth = 1; depth <= parts.length; depth++) {
      const path = parts.slice(0, depth).join('/')
      if (made.has(path)) continue
      made.add(path)
      yield encodeEntry({ kind: 'folder', path, bytes: 0 })
    }
  }
  for (const { kind, guestPath, hostPath } of inputs) {
    const parts = partsUnderIn(guestPath)
    if (kind === 'file') {
      const { size } = await stat(hostPath)
      yield* folders(parts.slice(0, -1))
      yield encodeEntry({ kind: 'file', path: parts.join('/'), bytes: size })
      yield* chunksOf(hostPath, signal)
      yield new Uint8Array(paddingBytes(size))
      continue
    }
    yield* folders(parts)
    const decoder = new TarDecoder({ entriesMax: inputEntriesMax, bytesMax: Number.MAX_SAFE_INTEGER })
    let padding = 0
    for await (const chunk of chunksOf(hostPath, signal)) {
      for (const event of decoder.push(chunk)) {
        if (event.is === 'content') {
          yield event.bytes
          continue
        }
        yield new Uint8Array(padding)
        padding = paddingBytes(event.entry.bytes)
        const path = [...parts, ...event.entry.path.split('/')]
        yield* folders(event.entry.kind === 'folder' ? path : path.slice(0, -1))
        if (event.entry.kind === 'file') yield encodeEntry({ ...event.entry, path: path.join('/') })
      }
    }
    decoder.end()
    yield new Uint8Array(padding)
  }
  yield tarEnd
}

function partsUnderIn(guestPath: string): string[] {
  const [first, ...rest] = safeParts(guestPath.slice(1))
  if (!guestPath.startsWith('/') || first !== 'in' || rest.length === 0)
    throw new TarError(`the input ${JSON.stringify(guestPath.slice(0, 80))} is not under /in`)
  return rest
}

async function* chunksOf(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path, { signal, highWaterMark: 256 * 1_024 }) as AsyncIterable<Uint8Array>
}

export interface TakenOutputs {
  /** Null when there is nothing but the folder itself. */
  readonly outputs: ExecutionOutputs | null
  /** Links and devices that were left out. */
  readonly skipped: number
}

/**
 * The engine's tar of /out becomes ours: names sorted, times and owners gone, links left out, so that equal outputs give
 * equal bytes. Throws TarError when there is more than the limits, and leaves no file then.
 */
export async function takeOutputs(
  archive: AsyncIterable<Uint8Array>,
  tarPath: string,
  limits: TarLimits,
): Promise<TakenOutputs> {
  const spoolPath = `${tarPath}.raw`
  await using spool = await open(spoolPath, 'wx+', 0o600)
  try {
    const decoder = new TarDecoder({ ...limits, skipsOthers: true })
    const found: (TarEntry & { readonly at: number })[] = []
    let spooled = 0
    for await (const chunk of archive) {
      for (const event of decoder.push(chunk)) {
        if (event.is === 'entry') {
          // `out` itself comes first.
          const [, ...parts] = event.entry.path.split('/')
          if (parts.length > 0) found.push({ ...event.entry, path: parts.join('/'), at: spooled })
        } else {
          await spool.appendFile(event.bytes)
          spooled += event.bytes.byteLength
        }
      }
    }
    decoder.end()
    if (found.length === 0) return { outputs: null, skipped: decoder.skipped }
    found.sort((a, b) => (sortKey(a.path) < sortKey(b.path) ? -1 : 1))
    await using tar = await open(tarPath, 'wx', 0o600)
    for (const { at, ...entry } of found) {
      await tar.appendFile(encodeEntry(entry))
      await copy(spool, at, entry.bytes, tar)
      await tar.appendFile(new Uint8Array(paddingBytes(entry.bytes)))
    }
    await tar.appendFile(tarEnd)
    const files = found.filter(({ kind }) => kind === 'file').length
    return { outputs: { path: tarPath, files, bytes: spooled }, skipped: decoder.skipped }
  } catch (error) {
    await rm(tarPath, { force: true })
    throw error
  } finally {
    await rm(spoolPath, { force: true })
  }
}

/** A folder comes right before what is in it, and `a/b` before `a.txt`, as when each folder is sorted for itself. */
function sortKey(path: string): string {
  return path.replaceAll('/', '\0')
}

async function copy(from: FileHandle, at: number, bytes: number, to: FileHandle): Promise<void> {
  const chunk = new Uint8Array(Math.min(copyBytes, bytes))
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await from.read(chunk, 0, Math.min(chunk.byteLength, bytes - done), at + done)
    if (bytesRead === 0) throw new Error('the outputs became shorter while they were read')
    await to.appendFile(chunk.subarray(0, bytesRead))
    done += bytesRead
  }
}
