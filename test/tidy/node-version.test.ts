import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

const root = join(import.meta.dirname, '..', '..')
const command = join(root, 'bin', 'pleach.js')
const guard = join(root, 'src', 'require-node.ts')

const run = (node: string, args: string[]) => spawnSync(node, args, { encoding: 'utf8', env: { NODE_OPTIONS: '' } })

/** A Node that the system has beside the one that runs this, and that is too old. */
const oldNode = (): string | undefined => {
  const candidates = `${process.env['PATH']}${delimiter}/usr/bin${delimiter}/usr/local/bin`
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .filter((path) => existsSync(path) && realpathSync(path) !== realpathSync(process.execPath))
  return candidates.find((path) => Number.parseInt(run(path, ['--version']).stdout.slice(1), 10) < 24)
}

/** This Node, saying that it is an older one. */
const pretending = (version: string): string[] => [
  '--import',
  `data:text/javascript,Object.defineProperty(process, 'versions', { value: { node: '${version}' } })`,
]

const assertTold = (result: ReturnType<typeof run>, version: string): void => {
  assert.equal(result.status, 6)
  assert.equal(result.stdout, '')
  const [error, why, cure] = result.stderr.trimEnd().split('\n')
  assert.match(error ?? '', new RegExp(`^error: pleach needs Node 24 or newer, and this is Node ${version}`))
  assert.match(why ?? '', /^ {2}why: /)
  assert.match(cure ?? '', /^ {2}cure: npm ci && /)
}

test('an old Node is told what, why and the cure, and exits 6', (t) => {
  const node = oldNode()
  if (node === undefined) return t.skip('there is no Node older than 24 on this machine')
  assertTold(run(node, [command]), run(node, ['--version']).stdout.trim().slice(1))
})

test('so is one that strips types, by the first import of src/main.ts', () => {
  assertTold(run(process.execPath, [...pretending('22.20.0'), guard]), '22.20.0')
})

test('both say the same', () => {
  const args = pretending('23.1.0')
  assert.equal(run(process.execPath, [...args, guard]).stderr, run(process.execPath, [...args, command]).stderr)
})

test('this Node passes', () => {
  const passed = run(process.execPath, ['--input-type=module', '-e', `await import('${pathToFileURL(guard).href}')`])
  assert.deepEqual([passed.status, passed.stdout, passed.stderr], [0, '', ''])
})
