/** What a program wrote to the files of one folder, and what it acknowledged, in the order in which it did: from the output of strace. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export type Operation =
  | { readonly is: 'create' | 'unlink' | 'sync'; readonly path: string }
  | { readonly is: 'write'; readonly path: string; readonly at: number; readonly bytes: Buffer }
  | { readonly is: 'truncate'; readonly path: string; readonly bytes: number }
  | { readonly is: 'rename'; readonly path: string; readonly to: string }
  | { readonly is: 'acknowledge'; readonly hash: string }

const calls =
  'openat,close,lseek,write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat'

/** All strings in hexadecimal and whole: the longest write is a group of pages. */
export function straceArguments(tracePath: string): string[] {
  return ['-f', '-xx', '-s', '4194304', '-e', `trace=${calls}`, '-o', tracePath]
}

/** Of the files below `folder`. Calls that failed did nothing. */
export function readTrace(tracePath: string, folder: string): Operation[] {
  const operations: Operation[] = []
  const reader = new TraceReader(folder, operations)
  const begun = new Map<string, string>()
  for (const line of readFileSync(tracePath, 'latin1').split('\n')) {
    const [, thread = '', text = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    // A call during which another thread made one is in two lines.
    const head = /^(.*) <unfinished \.\.\.>$/.exec(text)?.[1]
    if (head !== undefined) {
      begun.set(thread, head)
      continue
    }
    const tail = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1]
    const call = tail === undefined ? text : `${begun.get(thread) ?? ''}${tail}`
    const [, name = '', args = '', result = ''] = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(call) ?? []
    if (name !== '' && !result.startsWith('-')) reader.take(name, args, Number(result))
  }
  return operations
}

interface OpenFile {
  readonly path: string
  at: number
}

class TraceReader {
  readonly #folder: string
  readonly #operations: Operation[]
  readonly #files = new Map<number, OpenFile>()
  #said = ''

  constructor(folder: string, operations: Operation[]) {
    this.#folder = folder
    this.#operations = operations
  }

  take(name: string, args: string, result: number): void {
    const strings = [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, text]) =>
      Buffer.from(text!.replaceAll('\\x', ''), 'hex'),
    )
    const numbers = args
      .replaceAll(/"[^"]*"/g, '')
      .split(',')
      .map((text) => text.trim())
    const file = this.#files.get(Number(numbers[0]))
    switch (name) {
      case 'openat':
        return this.#open(pathOf(strings[0]!), numbers[2] ?? '', result)
      case 'close':
        return void this.#files.delete(Number(numbers[0]))
      case 'lseek':
        if (file !== undefined) file.at = result
        return
      case 'write':
        if (numbers[0] === '1') return this.#acknowledge(strings[0]!.toString())
        if (file !== undefined) {
          this.#operations.push({ is: 'write', path: file.path, at: file.at, bytes: strings[0]! })
          file.at += result
        }
        return
      case 'pwrite64':
        if (file !== undefined)
          this.#operations.push({ is: 'write', path: file.path, at: Number(numbers[3]), bytes: strings[0]! })
        return
      case 'writev':
      case 'pwritev':
        if (file !== undefined) throw new Error(`${name} to ${file.path} is not understood`)
        return
      case 'fsync':
      case 'fdatasync':
        if (file !== undefined) this.#operations.push({ is: 'sync', path: file.path })
        return
      case 'ftruncate':
        if (file !== undefined) this.#operations.push({ is: 'truncate', path: file.path, bytes: Number(numbers[1]) })
        return
      case 'unlink':
      case 'unlinkat':
        if (this.#isOurs(pathOf(strings[0]!))) this.#operations.push({ is: 'unlink', path: pathOf(strings[0]!) })
        return
      case 'rename':
      case 'renameat':
      case 'renameat2':
        if (this.#isOurs(pathOf(strings[0]!)))
          this.#operations.push({ is: 'rename', path: pathOf(strings[0]!), to: pathOf(strings[1]!) })
        return
      default:
    }
  }

  #open(path: string, flags: string, descriptor: number): void {
    this.#files.delete(descriptor)
    if (!this.#isOurs(path)) return
    if (flags.includes('O_CREAT')) this.#operations.push({ is: 'create', path })
    if (flags.includes('O_TRUNC')) this.#operations.push({ is: 'truncate', path, bytes: 0 })
    this.#files.set(descriptor, { path, at: 0 })
  }

  #acknowledge(text: string): void {
    const lines = (this.#said + text).split('\n')
    this.#said = lines.pop()!
    for (const line of lines)
      if (line.startsWith('A ')) this.#operations.push({ is: 'acknowledge', hash: line.slice(2) })
  }

  #isOurs(path: string): boolean {
    return path === this.#folder || path.startsWith(join(this.#folder, '/'))
  }
}

function pathOf(bytes: Buffer): string {
  return resolve(bytes.toString())
}
