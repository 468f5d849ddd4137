import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

import { kernelPaths } from '../../protocols/erasure/index.ts'
import { builtKernel, compiler } from '../../tools/build-kernel.ts'

const bytes = new URL('../../protocols/erasure/wasm/bytes.ts', import.meta.url)

const withoutCompiler = existsSync(compiler)
  ? false
  : 'the compiler (assemblyscript) is not installed: npm ci installs it'

test('the modules are what the compiler makes of kernel.as', { skip: withoutCompiler }, async () => {
  assert.equal(readFileSync(bytes, 'utf8'), await builtKernel(), 'npm run build:kernel writes bytes.ts anew')
})

test('the project’s own Node takes every path', () => {
  assert.deepEqual(kernelPaths, ['relaxed', 'simd', 'scalar'])
})
