import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { multiply } from '../../protocols/erasure/field.ts'
import { createCoder } from '../../protocols/erasure/index.ts'
import { builtKernel, compiler } from '../../tools/build-kernel.ts'

const bytes = new URL('../../protocols/erasure/wasm/bytes.ts', import.meta.url)

const withoutCompiler = existsSync(compiler)
  ? false
  : 'the compiler (assemblyscript) is not installed: npm ci installs it'

test('the modules are what the compiler makes of kernel.as', { skip: withoutCompiler }, async () => {
  assert.equal(readFileSync(bytes, 'utf8'), await builtKernel(), 'npm run build:kernel writes bytes.ts anew')
})

for (const [lacks, paths] of [
  ['none', ['relaxed', 'simd', 'scalar']],
  ['simd', ['simd', 'scalar']],
  ['bare', ['scalar']],
] as const) {
  test(`an engine that lacks ${lacks} takes the paths ${paths.join(', ')}, to the same bytes`, () => {
    const program = join(import.meta.dirname, '..', 'fixtures', 'engine.ts')
    const { stdout, stderr } = spawnSync(process.execPath, [program, lacks], { encoding: 'utf8' })
    const said = JSON.parse(stdout || assert.fail(stderr)) as { paths: string[]; parity: number[][] }
    assert.deepEqual(said.paths, paths)
    const parity = [
      ...createCoder(2, 1, { path: 'scalar' }).encode([strip(1, 2, 3), strip(multiply(7, 9), 5, 255)])[0]!,
    ]
    assert.deepEqual(said.parity, [parity, parity])
  })
}

function strip(...bytes: number[]): Uint8Array {
  return Uint8Array.from(bytes)
}
