// `npm run build:kernel`: compiles protocols/erasure/wasm/kernel.as, and writes the bytes to bytes.ts beside it. The bytes are
// committed, so that nobody needs the compiler; test/erasure/wasm.test.ts builds them again and compares.

import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'protocols', 'erasure', 'wasm')
export const compiler = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js')

/** The two modules, by the names of their constants in bytes.ts. */
const features = { relaxedWasm: 'simd,relaxed-simd,threads', simdWasm: 'simd,threads' } as const
/** A memory of any size fits, so long as it is shared. */
const memory = '--importMemory --sharedMemory --noExportMemory --initialMemory 1 --maximumMemory 65536'
const compileTimeoutMs = 60_000

/** The text of bytes.ts. Rejects when the compiler complains. */
export async function builtKernel(): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'pleach-kernel-'))
  try {
    // The compiler takes files by this ending only, which here is TypeScript's.
    await copyFile(join(folder, 'kernel.as'), join(scratch, 'kernel.ts'))
    const constants: string[] = []
    for (const [name, enabled] of Object.entries(features)) {
      constants.push(`export const ${name} =\n  '${await compiled(scratch, enabled)}'\n`)
    }
    return `/** Built of kernel.as by \`npm run build:kernel\`: two modules in base64. Not to be edited. */\n${constants.join('')}`
  } finally {
    await rm(scratch, { recursive: true })
  }
}

async function compiled(scratch: string, enabled: string): Promise<string> {
  const options = `kernel.ts -o kernel.wasm -O3 --noAssert --runtime stub --enable ${enabled} ${memory}`
  const how = { cwd: scratch, timeout: compileTimeoutMs }
  await promisify(execFile)(process.execPath, [compiler, ...options.split(' ')], how)
  return readFile(join(scratch, 'kernel.wasm'), 'base64')
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await writeFile(join(folder, 'bytes.ts'), await builtKernel())
}
