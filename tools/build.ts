// `npm run build`: JavaScript and declarations of src/, protocols/ and verify/ in dist/, for those who install the package: Node strips no
// types in node_modules. `npm pack` does it first. In a checkout nothing is built and dist/ is not looked at. The verifier is one file
// there, dist/verify.js, to be copied to wherever it is wanted.

import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { bundleVerify } from './bundle-verify.ts'

const root = join(import.meta.dirname, '..')
const compiler = join(root, 'node_modules', '.bin', 'tsc')

// What is no source any more must not be packed.
rmSync(join(root, 'dist'), { recursive: true, force: true })
const { status, error } = spawnSync(compiler, ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
if (error !== undefined) throw error
if (status === 0) writeFileSync(join(root, 'dist', 'verify.js'), bundleVerify())
process.exit(status ?? 1)
