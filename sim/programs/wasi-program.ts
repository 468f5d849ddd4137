/** WASI programs made from instructions, and what most of them do. Small, so that neither a compiler nor blobs are needed. */
import { op, sequence, WasmBuilder, type Code, type Signature, type ValueType } from './wasm-builder.ts'

const wasi = 'wasi_snapshot_preview1'
/** Where calls leave a number, a descriptor, a vector; text of the program begins at `textAt`. */
export const numberAt = 0
export const descriptorAt = 8
export const vectorAt = 16
export const subscriptionAt = 64
export const eventAt = 128
export const textAt = 1_024
const preopened = 3
export const create = 1
export const exclusiveAndCreate = 5
export const readAndWrite = 0x42n

const i32s = (count: number): readonly ValueType[] => Array.from({ length: count }, () => 'i32')
const calls = {
  proc_exit: { params: i32s(1) },
  fd_write: { params: i32s(4), results: ['i32'] },
  fd_read: { params: i32s(4), results: ['i32'] },
  args_sizes_get: { params: i32s(2), results: ['i32'] },
  args_get: { params: i32s(2), results: ['i32'] },
  environ_sizes_get: { params: i32s(2), results: ['i32'] },
  environ_get: { params: i32s(2), results: ['i32'] },
  poll_oneoff: { params: i32s(4), results: ['i32'] },
  fd_close: { params: i32s(1), results: ['i32'] },
  path_symlink: { params: i32s(5), results: ['i32'] },
  random_get: { params: i32s(2), results: ['i32'] },
  path_open: { params: ['i32', 'i32', 'i32', 'i32', 'i32', 'i64', 'i64', 'i32', 'i32'], results: ['i32'] },
} satisfies Record<string, Signature>

export type Call = (name: keyof typeof calls) => number[]

interface Shape {
  readonly pagesMin?: number
  readonly pagesMax?: number
  readonly text?: string | Uint8Array
  readonly locals?: readonly ('i32' | 'i64')[]
}

/** A program whose `_start` is `body`. */
export function program(body: (call: Call) => Code[], shape: Shape = {}): Uint8Array {
  const builder = new WasmBuilder()
  const indexes = new Map(
    Object.entries(calls).map(([name, signature]) => [name, builder.import(wasi, name, signature)]),
  )
  builder.memory(shape.pagesMin ?? 1, shape.pagesMax).exportMemory()
  const start = builder.function({}, shape.locals ?? [], ...body((name) => op.call(indexes.get(name)!)))
  builder.exportFunction('_start', start)
  if (shape.text !== undefined) builder.data(textAt, shape.text)
  return builder.build()
}

export const store = (at: number, value: number): Code => sequence(op.i32(at), op.i32(value), op.store())
/** Copies a number in memory. */
export const copy = (to: number, from: number): Code => sequence(op.i32(to), op.i32(from), op.load(), op.store())

/** fd_write of memory to a descriptor, which `descriptor` pushes. Leaves the error number. */
export const write = (call: Call, descriptor: Code, at: number, bytes: number): Code =>
  sequence(store(vectorAt, at), store(vectorAt + 4, bytes), writeVector(call, descriptor))

export const writeVector = (call: Call, descriptor: Code): Code =>
  sequence(descriptor, op.i32(vectorAt), op.i32(1), op.i32(numberAt), call('fd_write'))

export const open = (call: Call, path: string, how: number, rights: bigint): Code => {
  const where = sequence(op.i32(preopened), op.i32(0), op.i32(textAt), op.i32(path.length))
  const what = sequence(op.i32(how), op.i64(rights), op.i64(rights), op.i32(0))
  return sequence(where, what, op.i32(descriptorAt), call('path_open'))
}

export const opened: Code = sequence(op.i32(descriptorAt), op.load())
export const exitWithTop = (call: Call): Code => call('proc_exit')
