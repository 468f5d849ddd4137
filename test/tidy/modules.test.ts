// Loads every module, so that a broken import shows, and so that coverage counts the files that no test loads.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join, matchesGlob } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'

const longestLines = 400
/** These do something when they are loaded. */
const programs = [
  'src/main.ts',
  'sim/main.ts',
  'bench/main.ts',
  'bench/data/*-worker.ts',
  'bench/data/*-peer.ts',
  'bench/execution/run-module.ts',
  'sim/demo.ts',
  'sim/demo/direct.ts',
  'src/execution/child/**',
  'src/storage/workers/worker.ts',
]

const root = join(import.meta.dirname, '..', '..')
const sources = globSync('{src,protocols,verify,sim,bench}/**/*.ts', { cwd: root }).toSorted()
const isProgram = (path: string): boolean => programs.some((pattern) => matchesGlob(path, pattern))

describe('every module loads', () => {
  for (const path of sources.filter((source) => !isProgram(source))) {
    test(path, async () => {
      await import(pathToFileURL(join(root, path)).href)
    })
  }
})

test(`no source has more than ${longestLines} lines`, () => {
  const long = sources
    .filter((path) => !path.endsWith('_pb.ts'))
    .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > longestLines)
  assert.deepEqual(long, [])
})

/** Absolute paths of the machine that something was written on; not what stands inside a URL or below `~`. */
const machinePath = new RegExp(`(?<![\\w.~-])/(${['work', 'root'].join('|')})/`)

const filesOfRepository = (): string[] => {
  try {
    const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).split('\0').filter(Boolean)
  } catch {
    return globSync('**', { cwd: root, exclude: ['node_modules/**', '.git/**'], withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
  }
}

test('no file names a path of the machine that it was written on', () => {
  const found = [...new Set(filesOfRepository())].filter((path) => {
    try {
      const bytes = readFileSync(join(root, path))
      return !bytes.includes(0) && machinePath.test(bytes.toString('utf8'))
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
      throw error
    }
  })
  assert.deepEqual(found, [])
})
