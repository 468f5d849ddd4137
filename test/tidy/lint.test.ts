// A linter that does not find its plugin, its types or its files says that all is well. This one must complain.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
const faults = `
export const late = async (): Promise<number> => 1
late()
export const say = (word: 'yes' | 'no'): string => {
  switch (word) {
    case 'yes':
      return 'ja'
  }
  return 'nein'
}
export const loose = (value: any): boolean => value == 1
import { Buffer } from 'node:buffer'
export type Bytes = Buffer
setTimeout(() => {}, 1)
`
const expected = [
  'eslint(eqeqeq)',
  'pleach(clock)',
  'typescript(consistent-type-imports)',
  'typescript(no-explicit-any)',
  'typescript(no-floating-promises)',
  'typescript(switch-exhaustiveness-check)',
]

test('the linter runs with the rules, the types and the plugin of this repository', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'pleach-lint-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const path of ['.oxlintrc.json', 'tsconfig.json', 'package.json', 'tools/lint']) {
    cpSync(join(root, path), join(folder, path), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  mkdirSync(join(folder, 'src', 'market'), { recursive: true })
  writeFileSync(join(folder, 'src', 'market', 'faults.ts'), faults)
  const linter = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint')
  const { status, stdout, stderr } = spawnSync(process.execPath, [linter, '--format=json'], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH']}` },
  })
  assert.equal(status, 1, stderr)
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string }[] }
  const found = [...new Set(diagnostics.map(({ code }) => code))].toSorted()
  for (const code of expected) assert.ok(found.includes(code), `${code} is not in ${found.join(' ')}`)
})
