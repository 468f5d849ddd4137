/**
 * The fastest Reed–Solomon in WebAssembly that npm has: the Rust crate reed-solomon-erasure, compiled (`@subspace/…`; its fork
 * `@digitaldefiance/…` has the same binary). It is installed into a folder of the bench, without its scripts.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const npmPackage = '@subspace/reed-solomon-erasure.wasm'
const version = '0.2.5'
export const npmCodecName = `${npmPackage} ${version}`
const installTimeoutMs = 60_000

export interface NpmCodec {
  /** `shards`: all k + m, one after the other; the last m are written. 0 is success. */
  encode(shards: Uint8Array, k: number, m: number): number
}

interface NpmModule {
  readonly ReedSolomonErasure: { fromBytes(bytes: Uint8Array): NpmCodec }
}

export async function installNpmCodec(
  folder: string,
  signal: AbortSignal,
): Promise<{ codec: NpmCodec } | { missing: string }> {
  const options = ['--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts']
  try {
    const how = { timeout: installTimeoutMs, signal }
    await promisify(execFile)('npm', ['install', ...options, `${npmPackage}@${version}`], how)
  } catch (error) {
    signal.throwIfAborted()
    const { message, stderr = '' } = error as Error & { readonly stderr?: string }
    return { missing: `${npmCodecName} could not be installed: ${(stderr || message).trim().split('\n')[0]}` }
  }
  const require = createRequire(join(folder, 'of-the-bench.js'))
  const entry = require.resolve(npmPackage)
  const { ReedSolomonErasure } = require(entry) as NpmModule
  const bytes = await readFile(join(dirname(entry), 'reed_solomon_erasure_bg.wasm'))
  return { codec: ReedSolomonErasure.fromBytes(bytes) }
}
