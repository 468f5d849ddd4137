/**
 * Programs for coefficients on V8, which can lay two vectors of 16 bytes in one register of 32 (`--experimental-wasm-revectorize`): without
 * that they are not worth making. It does so for what is compiled while that is switched on, by the compiler that it
 * keeps for what has run for long; so both are asked for while one of our modules is compiled, and for nothing else. A thread that
 * compiles another module in the same millisecond gets the same for it.
 *
 * V8 calls it experimental, and it is: what a program makes is compared with the kernel before it is used (`protocols/erasure/loom.ts`), and
 * where a flag on Node's command line speaks of WebAssembly (`--no-experimental-wasm-revectorize`) there are no programs.
 */
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'

import { Loom, type LoomOptions } from '../../../protocols/erasure/loom.ts'
import { wasm, type Module } from '../../../protocols/erasure/wasm/web-assembly.ts'
import type { Clock } from '../../environment.ts'

/** V8 by its first number: those in which the flags below were seen to do what is said here. One that has another flag would complain on stderr. */
const seenOn = /^(13|14)\./

const whileCompiling = {
  on: ['--experimental-wasm-revectorize', '--no-liftoff', '--no-wasm-lazy-compilation'],
  off: ['--no-experimental-wasm-revectorize', '--liftoff', '--wasm-lazy-compilation'],
} as const

/** Undefined where the engine cannot, or was told otherwise. */
export function loomHere(clock: Pick<Clock, 'monotonicMs'>, options: LoomOptions = {}): Loom | undefined {
  const { variables } = process.config as { readonly variables: { readonly [name: string]: unknown } }
  const isBuiltIn = variables['v8_enable_wasm_simd256_revec'] === 1
  const isTold = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((text) => /wasm|liftoff/.test(text))
  if (!isBuiltIn || isTold || process.arch !== 'x64' || !seenOn.test(process.versions.v8)) return undefined
  return new Loom({ compile, monotonicMs: () => clock.monotonicMs() }, options)
}

function compile(bytes: Uint8Array): Module {
  for (const flag of whileCompiling.on) setFlagsFromString(flag)
  try {
    return new wasm!.Module(bytes)
  } finally {
    for (const flag of whileCompiling.off) setFlagsFromString(flag)
  }
}
