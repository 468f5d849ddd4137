/** Writes /out as a tar that depends on names and contents alone. */
import { encodeEntry, paddingBytes, pathBytesMax, tarEnd } from '../tar-format.ts'
import type { End } from './budget.ts'
import type { Folder, Node } from './nodes.ts'
import { writeAll } from './open-file.ts'

const pieceBytes = 1_024 * 1_024

/** Blocks while the peer is busy. Returns the number of files, or null when there was nothing to write. */
export function writeOutputs(out: Folder, descriptor: number, end: End): number | null {
  if (out.entries.size === 0) return null
  let files = 0
  for (const [path, node] of walk(out)) {
    if (Buffer.byteLength(path) >= pathBytesMax)
      end('output-limit', `a path under /out has more than ${pathBytesMax} bytes`)
    if (node.kind === 'folder') {
      writeAll(descriptor, encodeEntry({ kind: 'folder', path, bytes: 0 }))
      continue
    }
    files++
    writeAll(descriptor, encodeEntry({ kind: 'file', path, bytes: node.bytes }))
    for (let at = 0; at < node.bytes; at += pieceBytes) writeAll(descriptor, node.read(at, pieceBytes))
    writeAll(descriptor, new Uint8Array(paddingBytes(node.bytes)))
  }
  writeAll(descriptor, tarEnd)
  return files
}

/** Each folder before what it holds, names in order. Keeps its own stack: folders may be nested deeper than calls can be. */
function* walk(root: Folder): Generator<[path: string, node: Node]> {
  const waiting: [path: string, node: Node][] = sorted(root, '')
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    yield next
    const [path, node] = next
    if (node.kind === 'folder') for (const child of sorted(node, `${path}/`)) waiting.push(child)
  }
}

/** Last name first: they are taken from the end. */
function sorted(folder: Folder, prefix: string): [path: string, node: Node][] {
  const names = [...folder.entries.keys()].toSorted().toReversed()
  return names.map((name) => [`${prefix}${name}`, folder.entries.get(name)!])
}
