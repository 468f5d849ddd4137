// `npm run build`: JavaScript and declarations of src/ and protocols/ in dist/, for those who install the package: Node strips no types
// in node_modules. `npm pack` does it first. In a checkout nothing is built and dist/ is not looked at.

import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const compiler = join(root, 'node_modules', '.bin', 'tsc')

// What is no source any more must not be packed.
rmSync(join(root, 'dist'), { recursive: true, force: true })
const { status, error } = spawnSync(compiler, ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
if (error !== undefined) throw error
process.exit(status ?? 1)
