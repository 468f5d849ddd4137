// Every part of WebAssembly that is taken: a module of each does the same with the counter as without it, and what it costs is known.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { sequence } from '../../sim/programs/wasm-builder.ts'
import { prepareModule } from '../../src/execution/wasm/prepare.ts'
import { instance, metered, ordinary, plenty, type Exports } from '../fixtures/prepared.ts'
import { assemble, validate } from '../fixtures/wat.ts'

type Run = (argument: number) => unknown

const callArguments = [0, 1, 2, 3, 100]

/** `run` is called with each argument in an instance of its own; its gas with 1 is known. */
const modules: [what: string, gas: number, fields: string][] = [
  [
    'several results',
    // 5, 4, 1, 7
    17,
    `(func $two (param i32) (result i32 i32) local.get 0 local.get 0 i32.const 3 i32.add)
     (func (export "run") (param i32) (result i32) local.get 0 call $two i32.mul
       (block (param i32) (result i32) i32.const 2 i32.add local.get 0 i32.eqz br_if 0 i32.const 1 i32.sub))`,
  ],
  [
    'sign extension and saturating conversion',
    5,
    `(func (export "run") (param i32) (result i32) local.get 0 i32.extend8_s f64.convert_i32_s f32.demote_f64 i32.trunc_sat_f32_u)`,
  ],
  [
    'bulk memory',
    // 3 + 16 + 2, 3 + 16 + 1, 3 + 16 + 0, 16, 2
    78,
    `(memory 1) (data $d "some data that is here")
     (func (export "run") (param i32) (result i32)
       (memory.fill (i32.const 0) (i32.const 5) (i32.const 40)) (memory.copy (i32.const 100) (i32.const 0) (i32.const 16))
       (memory.init $d (i32.const 8) (i32.const 0) (i32.const 4)) (data.drop $d) (i32.load8_u (local.get 0)))`,
  ],
  [
    'a memory that grows',
    // 1 + 16 + 1024, 1, 1 + 16, 1, 1
    1061,
    `(memory 1 20) (func (export "run") (param i32) (result i32)
       (drop (memory.grow (local.get 0))) (drop (memory.grow (i32.const 0))) memory.size)`,
  ],
  [
    'tables and references',
    // 3 + 16 + 2, 3, 2 + 16 + 1 + 1, 1 + 8 + 1, 2
    56,
    `(table $t 4 funcref) (table $u 2 externref) (elem declare func $f) (func $f (result i32) i32.const 9)
     (func (export "run") (param i32) (result i32)
       (table.fill $t (i32.const 0) (ref.func $f) (i32.const 2)) (table.set $t (i32.const 3) (ref.func $f))
       (drop (table.grow $u (ref.null extern) (i32.const 1))) (i32.add (call_indirect $t (result i32) (i32.const 0)) (i32.const 1)))`,
  ],
  [
    'tail calls',
    // 5, 10, 5
    20,
    `(func $down (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
       (return_call $down (i32.sub (local.get 0) (i32.const 1))))
     (func (export "run") (param i32) (result i32) (return_call $down (local.get 0)))`,
  ],
  [
    'vectors',
    7,
    `(func (export "run") (param i32) (result i32) (i32x4.extract_lane 2 (i32x4.add (i32x4.splat (local.get 0))
       (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (v128.const i32x4 1 2 3 4) (v128.const i32x4 5 6 7 8)))))`,
  ],
  [
    'exceptions',
    // 5, 3 + 256, 2
    266,
    `(tag $e (param i32)) (func $throws (param i32) (if (local.get 0) (then (throw $e (local.get 0)))))
     (func (export "run") (param i32) (result i32)
       (block $h (result i32) (try_table (catch $e $h) (call $throws (local.get 0)) ) (return (i32.const 100)))
       (i32.add (i32.const 1)))`,
  ],
  [
    'exceptions of the older kind',
    // 5, 3 + 256, 2; and 1 for the constant after the call, which is not reached
    267,
    `(tag $e (param i32)) (func $throws (param i32) (if (local.get 0) (then (throw $e (local.get 0)))))
     (func (export "run") (param i32) (result i32)
       (try (result i32) (do (call $throws (local.get 0)) (i32.const 100)) (catch $e (i32.const 1) i32.add)
         (catch_all (i32.const 3))))`,
  ],
]

describe('a module with', () => {
  for (const [what, gas, fields] of modules) {
    test(what, () => {
      const bytes = assemble(`(module ${fields})`)
      const runOf = (exports: Exports): Run => exports['run'] as unknown as Run
      const expected = callArguments.map((argument) => runOf(instance(bytes))(argument))
      for (const canonicalNaNs of [false, true]) {
        validate(prepareModule(bytes, { ...ordinary, canonicalNaNs }).bytes)
        const results = callArguments.map((argument) => {
          const { exports, used } = metered(bytes, plenty, { canonicalNaNs })
          const result = runOf(exports)(argument)
          if (argument === 1) assert.equal(Number(used()), gas)
          return result
        })
        assert.deepEqual(results, expected)
      }
    })
  }

  test('typed references to functions, of which wabt knows only an older form', () => {
    const bytes = Uint8Array.from(
      sequence(
        [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
        [1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f, 3, 3, 2, 0, 0, 7, 7, 1, 3, ...Buffer.from('run'), 0, 1],
        [9, 5, 1, 0x03, 0x00, 1, 0],
        // Doubles; calls that by reference.
        [10, 18, 2, 7, 0, 0x20, 0, 0x41, 2, 0x6c, 0x0b, 8, 0, 0x20, 0, 0xd2, 0, 0x14, 0, 0x0b],
      ),
    )
    const { exports, used } = metered(bytes)
    assert.equal((exports['run'] as unknown as Run)(21), 42)
    assert.equal(used(), 13n)
  })

  test('an export of the name that we would take', () => {
    const bytes = assemble(`(module (global (export "pleach:gas") i32 (i32.const 5)) (func (export "pleach':start")))`)
    const prepared = prepareModule(bytes, ordinary)
    assert.equal(prepared.names.gas, "pleach'':gas")
    const exports = instance(prepared.bytes) as never as { 'pleach:gas': { value: number } }
    assert.equal(exports['pleach:gas'].value, 5)
  })

  test('a function that runs before all others, which waits until it is called', () => {
    const bytes = assemble(
      '(module (global $g (export "g") (mut i32) (i32.const 0)) (func $s (global.set $g (i32.const 3))) (start $s))',
    )
    const prepared = prepareModule(bytes, ordinary)
    const exports = instance(prepared.bytes) as never as { g: { value: number } }
    assert.equal(exports.g.value, 0)
    const { exports: after, used } = metered(bytes)
    assert.equal((after as never as typeof exports).g.value, 3)
    assert.equal(used(), 2n)
  })

  test('sections for other tools, which are left out but for the names', () => {
    const plain = assemble('(module (func $named (export "f")))')
    const custom = (name: string): number[] => [0, name.length + 3, name.length, ...Buffer.from(name), 1, 2]
    const bytes = Uint8Array.from([...plain, ...custom('metadata.code.branch_hint'), ...custom('sourceMappingURL')])
    assert.deepEqual(prepareModule(bytes, ordinary).bytes, prepareModule(plain, ordinary).bytes)
  })
})

describe('gas that is used up', () => {
  const spins = assemble('(module (func (export "run") (loop (br 0))))')
  const recurses = assemble('(module (func $f (export "run") (call $f)))')
  const fills = assemble(
    '(module (memory 1) (func (export "run") (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536))))',
  )

  for (const [what, bytes, gas] of [
    ['in a loop', spins, 1_000_000n],
    ['in calls', recurses, 1_000n],
    ['in one operation, before it is done', fills, 4_000n],
  ] as const) {
    test(what, () => {
      const { exports, left } = metered(bytes, gas)
      assert.throws(exports['run'] as unknown as () => void, /unreachable/)
      assert.ok(left() < 0n)
    })
  }

  test('cannot be caught by the program', () => {
    const { exports, left } = metered(
      assemble('(module (func (export "run") (try (do (loop (br 0))) (catch_all (loop (br 0))))))'),
      1_000n,
    )
    assert.throws(exports['run'] as unknown as () => void, /unreachable/)
    assert.ok(left() < 0n)
  })
})

describe('canonical NaNs', () => {
  const bits32 = '(i32.reinterpret_f32'
  const bits64 = '(i64.reinterpret_f64'
  // NaNs with a sign and a payload, as a program may make them.
  const odd32 = '(f32.reinterpret_i32 (i32.const 0xffa12345))'
  const odd64 = '(f64.reinterpret_i64 (i64.const 0xfff4000000001234))'
  const canonical32 = 0x7fc0_0000
  const canonical64 = 0x7ff8_0000_0000_0000n
  const cases: [expression: string, result: 'i32' | 'i64'][] = [
    ...['f32.add', 'f32.sub', 'f32.mul', 'f32.div', 'f32.min', 'f32.max'].map((op): [string, 'i32'] => [
      `${bits32} (${op} ${odd32} (f32.const 1)))`,
      'i32',
    ]),
    ...['f32.sqrt', 'f32.ceil', 'f32.floor', 'f32.trunc', 'f32.nearest'].map((op): [string, 'i32'] => [
      `${bits32} (${op} ${odd32}))`,
      'i32',
    ]),
    ...['f64.add', 'f64.sub', 'f64.mul', 'f64.div', 'f64.min', 'f64.max'].map((op): [string, 'i64'] => [
      `${bits64} (${op} ${odd64} (f64.const 1)))`,
      'i64',
    ]),
    ...['f64.sqrt', 'f64.ceil', 'f64.floor', 'f64.trunc', 'f64.nearest'].map((op): [string, 'i64'] => [
      `${bits64} (${op} ${odd64}))`,
      'i64',
    ]),
    [`${bits32} (f32.demote_f64 ${odd64}))`, 'i32'],
    [`${bits64} (f64.promote_f32 ${odd32}))`, 'i64'],
    [`${bits64} (f64.div (f64.const 0) (f64.const 0)))`, 'i64'],
    // The first cannot be told from another by the second, which makes it canonical.
    [`${bits64} (f64.add (f64.const 1) (f64.mul ${odd64} (f64.const 2))))`, 'i64'],
    ...['add', 'sub', 'mul', 'div', 'min', 'max'].flatMap((op): [string, 'i32' | 'i64'][] => [
      [`(i32x4.extract_lane 1 (f32x4.${op} (f32x4.splat ${odd32}) (f32x4.splat (f32.const 1))))`, 'i32'],
      [`(i64x2.extract_lane 1 (f64x2.${op} (f64x2.splat ${odd64}) (f64x2.splat (f64.const 1))))`, 'i64'],
    ]),
    ...['sqrt', 'ceil', 'floor', 'trunc', 'nearest'].flatMap((op): [string, 'i32' | 'i64'][] => [
      [`(i32x4.extract_lane 1 (f32x4.${op} (f32x4.splat ${odd32})))`, 'i32'],
      [`(i64x2.extract_lane 1 (f64x2.${op} (f64x2.splat ${odd64})))`, 'i64'],
    ]),
    [`(i32x4.extract_lane 1 (f32x4.demote_f64x2_zero (f64x2.splat ${odd64})))`, 'i32'],
    [`(i64x2.extract_lane 1 (f64x2.promote_low_f32x4 (f32x4.splat ${odd32})))`, 'i64'],
  ]

  for (const [expression, result] of cases) {
    test(expression, () => {
      const bytes = assemble(`(module (func (export "run") (result ${result}) ${expression}))`)
      const { exports } = metered(bytes, plenty, { canonicalNaNs: true })
      validate(prepareModule(bytes, { ...ordinary, canonicalNaNs: true }).bytes)
      assert.equal((exports['run'] as unknown as () => unknown)(), result === 'i32' ? canonical32 : canonical64)
    })
  }

  test('leave numbers, and bits that are only moved, as they were', () => {
    const bytes = assemble(`(module (func (export "run") (result i64 i64 f64 i64)
      ${bits64} ${odd64}) ${bits64} (f64.neg ${odd64})) (f64.add (f64.const 0.1) (f64.const 0.2))
      ${bits64} (f64.copysign ${odd64} (f64.const 1)))))`)
    const { exports } = metered(bytes, plenty, { canonicalNaNs: true })
    assert.deepEqual((exports['run'] as unknown as () => unknown)(), [
      BigInt.asIntN(64, 0xfff4_0000_0000_1234n),
      0x7ff4_0000_0000_1234n,
      0.1 + 0.2,
      0x7ff4_0000_0000_1234n,
    ])
  })
})
