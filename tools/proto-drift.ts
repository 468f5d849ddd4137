// Are the generated modules those that the schemas give? Generates into a temporary folder and compares.
// `npm run generate` is the cure for whatever it finds.

import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const root = process.argv[2] ?? join(import.meta.dirname, '..')
const binaries = join(import.meta.dirname, '..', 'node_modules', '.bin')

const listed = (pattern: string, cwd: string): string[] => globSync(pattern, { cwd }).toSorted()
const text = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Every generated file that differs from its schema, with how. */
const drift = (target: string): string[] => {
  const fresh = listed('protocols/**/*_pb.ts', target)
  const kept = listed('protocols/**/*_pb.ts', root)
  return [
    ...fresh.flatMap((path) => {
      const here = text(join(root, path))
      if (here === text(join(target, path))) return []
      return [`${path} ${here === undefined ? 'is missing' : 'differs from its schema'}`]
    }),
    ...kept.filter((path) => !fresh.includes(path)).map((path) => `${path} has no schema any more: remove it`),
  ]
}

const target = mkdtempSync(join(tmpdir(), 'pleach-proto-'))
try {
  const schemas = listed('protocols/**/*.proto', root)
  if (schemas.length > 0) {
    const made = spawnSync(join(binaries, 'buf'), ['generate', '-o', target], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, PATH: `${binaries}${delimiter}${process.env['PATH']}` },
    })
    if (made.status !== 0) {
      throw new Error(made.error?.message ?? `${made.stdout}${made.stderr}`)
    }
  }
  const found = drift(target)
  if (found.length > 0) {
    console.error(`${found.join('\n')}\ncure: npm run generate`)
    process.exitCode = 1
  } else {
    console.log(`${schemas.length} schemas, and what is generated from them is up to date`)
  }
} catch (error) {
  console.error(`could not generate: ${error instanceof Error ? error.message.trim() : String(error)}`)
  process.exitCode = 1
} finally {
  rmSync(target, { recursive: true, force: true })
}
