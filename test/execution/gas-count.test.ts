// The count of a prepared module against an interpreter that steps through the same program one instruction at a time.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { countedProgram, interpret, toWat } from '../fixtures/counted-programs.ts'
import { instance, metered, ordinary } from '../fixtures/prepared.ts'
import { assemble, validate } from '../fixtures/wat.ts'
import { prepareModule } from '../../src/execution/wasm/prepare.ts'

test('what is counted is what is executed, and nothing else changes', () => {
  let executed = 0
  fc.assert(
    fc.property(countedProgram, (program) => {
      const bytes = assemble(toWat(program))
      const expected = interpret(program)
      const plain = instance(bytes) as never as { run(): void; fuel: { value: number } }
      plain.run()
      assert.equal(plain.fuel.value, expected.fuel, 'the interpreter does what the engine does')
      for (const canonicalNaNs of [false, true]) validate(prepareModule(bytes, { ...ordinary, canonicalNaNs }).bytes)

      const full = metered(bytes)
      const { run, fuel } = full.exports as never as { run(): void; fuel: { value: number } }
      run()
      assert.equal(Number(full.used()), expected.gas)
      assert.equal(fuel.value, expected.fuel)

      const exact = metered(bytes, BigInt(expected.gas))
      ;(exact.exports as never as { run(): void }).run()
      assert.equal(exact.left(), 0n, 'what it needs is enough')

      const short = metered(bytes, BigInt(expected.gas) - 1n)
      try {
        ;(short.exports as never as { run(): void }).run()
      } catch (error) {
        assert.match(String(error), /unreachable/)
      }
      assert.ok(short.left() < 0n, 'one less is not, and can be seen')
      executed += expected.gas
    }),
    { numRuns: 600 },
  )
  assert.ok(executed > 100_000, `only ${executed} gas in all: the property says little`)
})
