/** Builds the tree that a program finds: its inputs, read-only, and the empty folders /out and /tmp. */
import { fstatSync, readSync } from 'node:fs'

import type { ChildTask } from '../child-protocol.ts'
import { TarDecoder } from '../tar-decoder.ts'
import { safeParts, TarError } from '../tar-format.ts'
import { nodesMax, type Budget } from './budget.ts'
import { Folder, LentFile } from './nodes.ts'

const chunkBytes = 1_024 * 1_024
/** No program could read more anyway; the files stay where they are and cost no memory. */
const inputBytesMax = 2 ** 42

export interface Tree {
  readonly root: Folder
  readonly out: Folder
}

/** Throws TarError for an input that cannot be shown as a file or as the folder that its tar holds. */
export function buildTree(inputs: ChildTask['inputs'], budget: Budget): Tree {
  const root = new Folder()
  const input = new Folder(true)
  const out = new Folder()
  out.underOut = true
  root.attach('in', input)
  root.attach('tmp', new Folder())
  // Attached last, for it is the only one that keeps the mark.
  root.entries.set('out', out)
  out.parent = root
  for (const { kind, guestPath, descriptor } of inputs) {
    const parts = safeParts(guestPath.slice(1))
    try {
      if (kind === 'file') lend(root, parts, new LentFile(descriptor, 0, fstatSync(descriptor).size), budget)
      else lendTar(folderAt(root, parts, budget), descriptor, budget)
    } catch (error) {
      if (error instanceof TarError) throw new TarError(`input ${guestPath}: ${error.message}`)
      throw error
    }
  }
  return { root, out }
}

/** Reads the headers only; the files of the tar are then read where they lie in it. */
function lendTar(folder: Folder, descriptor: number, budget: Budget): void {
  const decoder = new TarDecoder({ entriesMax: nodesMax, bytesMax: inputBytesMax })
  const chunk = new Uint8Array(chunkBytes)
  for (let offset = 0; ;) {
    const bytes = readSync(descriptor, chunk, 0, chunkBytes, offset)
    if (bytes === 0) break
    offset += bytes
    for (const event of decoder.push(chunk.subarray(0, bytes))) {
      if (event.is === 'content') continue
      const parts = event.entry.path.split('/')
      if (event.entry.kind === 'folder') folderAt(folder, parts, budget)
      else lend(folder, parts, new LentFile(descriptor, event.at, event.entry.bytes), budget)
    }
  }
  decoder.end()
}

function lend(root: Folder, parts: readonly string[], file: LentFile, budget: Budget): void {
  const name = parts.at(-1)
  if (name === undefined) throw new TarError('a file cannot be the root')
  const folder = folderAt(root, parts.slice(0, -1), budget)
  if (folder.entries.has(name)) throw new TarError(`${JSON.stringify(name)} is there already`)
  budget.takeNode(1)
  folder.attach(name, file)
}

function folderAt(root: Folder, parts: readonly string[], budget: Budget): Folder {
  let folder = root
  for (const part of parts) {
    const found = folder.entries.get(part)
    if (found !== undefined && found.kind !== 'folder')
      throw new TarError(`${JSON.stringify(part)} is a file and a folder`)
    if (found === undefined) budget.takeNode(1)
    const next = found ?? new Folder(true)
    if (found === undefined) folder.attach(part, next)
    folder = next
  }
  return folder
}
