// Programs for coefficients: what they compute, when there are any, and what is done with one that is not right.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { Coefficients } from '../../protocols/erasure/coefficients.ts'
import { multiply } from '../../protocols/erasure/field.ts'
import {
  allocateStrips,
  cauchyMatrix,
  createStripCoder,
  kernelPaths,
  Loom,
  type Matrix,
} from '../../protocols/erasure/index.ts'
import { wasm, type Module } from '../../protocols/erasure/wasm/web-assembly.ts'
import { wovenModule } from '../../protocols/erasure/wasm/woven.ts'
import { digits, xorProgramOf, type XorProgram } from '../../protocols/erasure/xor-program.ts'
import { loomHere } from '../../src/storage/workers/loom.ts'
import { plainLoom, someStrips, wideLoom } from './paths.ts'

const parityOf = (k: number, m: number): Matrix => cauchyMatrix(k, m).slice(k)
const plainly = (bytes: Uint8Array): Module => new wasm!.Module(bytes)

/** One byte of every strip through a program, as its definition says. */
function ran(program: XorProgram, strips: readonly number[]): number[] {
  const values = [...strips]
  for (const [left, right] of program.sums) values.push(values[left]! ^ values[right]!)
  return Array.from({ length: program.rows }, (_, row) => {
    let total = 0
    for (let digit = digits - 1; digit >= 0; digit--) {
      total = multiply(total, 2)
      for (const term of program.terms[digits * row + digit]!) total ^= values[term]!
    }
    return total
  })
}

const matrices = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 9 }))
  .chain(([columns, rows]) =>
    fc.array(fc.uint8Array({ minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
  )

test('a program is the product with its rows, zeros and all', () => {
  fc.assert(
    fc.property(matrices, fc.integer(), (rows, seed) => {
      const strips = someStrips(rows[0]!.length, 1, seed).map(([byte]) => byte!)
      const product = rows.map((row) => strips.reduce((sum, byte, column) => sum ^ multiply(row[column]!, byte), 0))
      assert.deepEqual(ran(xorProgramOf(rows, strips.length), strips), product)
    }),
  )
})

test('what rows have in common is added once', () => {
  const additions = ({ sums, terms }: XorProgram): number =>
    sums.length + terms.reduce((sum, { length }) => sum + length, 0)
  const ones = parityOf(10, 4)
    .flatMap((row) => [...row])
    .reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)
  assert.equal(ones, 184)
  assert.equal(additions(xorProgramOf(parityOf(10, 4), 10)), 87)
})

test('a module makes of any rows and strips what the field does', () => {
  fc.assert(
    fc.property(matrices, fc.integer(), (rows, seed) => {
      const columns = rows[0]!.length
      const bytes = 96
      const strips = someStrips(columns, bytes, seed)
      const memory = allocateStrips({ slots: columns + rows.length, stripBytes: bytes, threads: 1 })
      for (const [slot, strip] of strips.entries()) memory.strip(slot).set(strip)
      const coefficients = new Coefficients(rows, columns)
      const woven = plainLoom().wovenFor(coefficients, bytes)
      assert.ok(woven !== undefined)
      const targets = Array.from(rows.keys(), (row) => columns + row)
      memory.multiplyWoven(woven, [...strips.keys()], targets, { from: 0, to: bytes })
      for (const [index, row] of rows.entries()) {
        const product = Uint8Array.from({ length: bytes }, (_, at) =>
          strips.reduce((sum, strip, column) => sum ^ multiply(row[column]!, strip[at]!), 0),
        )
        assert.deepEqual(Uint8Array.from(memory.strip(targets[index]!)), product)
      }
    }),
    { numRuns: 60 },
  )
})

test('coefficients have a program when enough went through them, and not before', () => {
  let compiled = 0
  const compile = (bytes: Uint8Array): Module => {
    compiled++
    return plainly(bytes)
  }
  const loom = new Loom({ compile, monotonicMs: () => 0 }, { afterBytes: 1_000 })
  const often = (): Coefficients => new Coefficients(parityOf(6, 3), 6)
  assert.equal(loom.wovenFor(often(), 600), undefined)
  assert.equal(loom.wovenFor(new Coefficients(parityOf(6, 2), 6), 600), undefined)
  assert.equal(compiled, 0)
  const woven = loom.wovenFor(often(), 600)
  assert.ok(woven !== undefined)
  // Equal ones are the same ones: a coder that is made anew has them at once.
  assert.equal(loom.wovenFor(often(), 0), woven)
  assert.equal(compiled, 1)
})

test('what has not been used for longest is forgotten', () => {
  const loom = plainLoom()
  const first = loom.wovenFor(new Coefficients(parityOf(3, 1), 3), 1)
  for (let k = 4; k < 11; k++) loom.wovenFor(new Coefficients(parityOf(k, 1), k), 1)
  assert.equal(loom.wovenFor(new Coefficients(parityOf(3, 1), 3), 1), first)
  for (let k = 4; k < 12; k++) loom.wovenFor(new Coefficients(parityOf(k, 1), k), 1)
  assert.notEqual(loom.wovenFor(new Coefficients(parityOf(3, 1), 3), 1), first)
})

/** Parity of 6+3 by a coder with the loom, beside that of the kernel. */
function assertRight(loom: Loom): void {
  const [k, m, bytes] = [6, 3, 1_000]
  const slots = Array.from({ length: k + m }, (_, slot) => slot)
  const coded = [undefined, loom].map((weaver) => {
    const memory = allocateStrips({ slots: k + m, stripBytes: bytes, threads: 1 }, kernelPaths[0], weaver)
    for (const [slot, strip] of someStrips(k, bytes, 3).entries()) memory.strip(slot).set(strip)
    createStripCoder(memory, k, m).encode(slots.slice(0, k), slots.slice(k), bytes)
    return slots.slice(k).map((slot) => Uint8Array.from(memory.strip(slot)))
  })
  assert.deepEqual(coded[1], coded[0])
}

const refusals: { readonly [name: string]: (bytes: Uint8Array) => Module } = {
  'an engine that cannot': () => {
    throw new Error('no such instruction')
  },
  'a module of other coefficients': () => plainly(wovenModule(xorProgramOf(parityOf(6, 3).toReversed(), 6))),
  'a module that traps': (bytes) => {
    // `unreachable`, all through the loop.
    const loop = Buffer.from(bytes).indexOf(Buffer.of(0x03, 0x40))
    const trap = bytes.map((byte, at) => (at > loop + 1 && at < bytes.length - 2 ? 0 : byte))
    assert.ok(wasm!.validate(trap))
    return plainly(trap)
  },
}

for (const [name, compile] of Object.entries(refusals)) {
  test(`${name}: the kernel goes on, and nobody tries again`, () => {
    let compiled = 0
    const counted = (bytes: Uint8Array): Module => {
      compiled++
      return compile(bytes)
    }
    const loom = plainLoom(counted)
    for (let time = 0; time < 5; time++) assertRight(loom)
    assert.equal(compiled, 1)
  })
}

test('a program that is no faster is not taken; it is tried three times', () => {
  let compiled = 0
  let nowMs = 0
  let turns = 0
  const compile = (bytes: Uint8Array): Module => {
    compiled++
    return plainly(bytes)
  }
  // Kernel and program by turns, each asked before and after: the program takes as long.
  const loom = new Loom(
    {
      compile,
      monotonicMs() {
        if (turns++ % 2 === 1) nowMs += 1
        return nowMs
      },
    },
    { afterBytes: 0 },
  )
  for (let time = 0; time < 5; time++) assertRight(loom)
  assert.equal(compiled, 3)
})

test('codes that are too wide have none', () => {
  const loom = plainLoom()
  assert.equal(loom.wovenFor(new Coefficients(parityOf(33, 2), 33), 1e9), undefined)
  assert.equal(loom.wovenFor(new Coefficients(parityOf(2, 33), 2), 1e9), undefined)
  assert.notEqual(loom.wovenFor(new Coefficients(parityOf(32, 32), 32), 1e9), undefined)
})

test('on this engine workers have programs, and they are right', (t) => {
  const loom = wideLoom()
  if (loom === undefined) return t.skip('V8 does not join vectors here (another processor, or it was told not to)')
  assert.notEqual(loom.wovenFor(new Coefficients(parityOf(6, 3), 6), 1), undefined)
  assertRight(loom)
})

test('where a flag speaks of WebAssembly there are none', () => {
  process.execArgv.push('--no-experimental-wasm-revectorize')
  try {
    assert.equal(loomHere({ monotonicMs: () => 0 }), undefined)
  } finally {
    process.execArgv.pop()
  }
})
