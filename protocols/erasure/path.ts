/**
 * The ways in which rows are applied to strips: WebAssembly with relaxed SIMD, with SIMD, or none of it. All give the same bytes;
 * which of them an engine can take shows when it is asked to validate the modules.
 */
import { fromString } from 'uint8arrays'

import { relaxedWasm, simdWasm } from './wasm/bytes.ts'
import { wasm, type Module } from './wasm/web-assembly.ts'

export type KernelPath = 'relaxed' | 'simd' | 'scalar'

/** `multiply` of wasm/kernel.as: addresses and counts. */
export type Multiply = (
  tables: number,
  sources: number,
  columns: number,
  targets: number,
  rows: number,
  from: number,
  to: number,
  lowDigits: number,
) => void

const encoded = { relaxed: relaxedWasm, simd: simdWasm } as const
const modules = new Map<KernelPath, Module>()

/** What this engine can take, the fastest first; `scalar` always is the last. */
export const kernelPaths: readonly KernelPath[] = [
  ...(['relaxed', 'simd'] as const).filter((path) => wasm?.validate(fromString(encoded[path], 'base64pad')) === true),
  'scalar',
]

/** Compiled at first use: about a millisecond, once a thread. */
export function moduleOf(path: Exclude<KernelPath, 'scalar'>): Module {
  const known = modules.get(path)
  if (known !== undefined) return known
  if (wasm === undefined || !kernelPaths.includes(path))
    throw new RangeError(`this engine cannot take the path ${path}`)
  const module = new wasm.Module(fromString(encoded[path], 'base64pad'))
  modules.set(path, module)
  return module
}
