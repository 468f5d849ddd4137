// The child's record, read as if a stranger had written it.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { recordBytesMax } from '../../src/execution/child-protocol.ts'
import { gasLine, gasLineBytes } from '../../src/execution/child/gas.ts'
import { readGas, readRecord } from '../../src/execution/record.ts'
import { Scratch } from '../fixtures/executions.ts'

const record = {
  reason: 'exited',
  exitCode: 0,
  detail: '',
  cpuMs: 1,
  memoryBytesPeak: 2,
  outputBytes: 3,
  outputFiles: null,
}

function read(written: string): { readonly gas: number | undefined; readonly record: unknown } {
  using scratch = new Scratch()
  const path = scratch.file('record', written)
  return { gas: readGas(path), record: readRecord(path) }
}

describe('a record', () => {
  test('of a child that has not said anything is none', () => {
    assert.deepEqual(read(''), { gas: undefined, record: undefined })
  })

  for (const gas of [0, 1, 2 ** 28, Number.MAX_SAFE_INTEGER])
    test(`has the gas that was used so far: ${gas}`, () => {
      assert.equal(gasLine(gas).length, gasLineBytes)
      assert.deepEqual(read(gasLine(gas)), { gas, record: undefined })
      assert.deepEqual(read(`${gasLine(gas)}${JSON.stringify(record)}\n`), { gas, record })
    })

  const whole = `${gasLine(7)}${JSON.stringify(record)}\n`
  const long = recordBytesMax + gasLineBytes
  for (const [what, written, reason] of [
    ['that is cut off', whole.slice(0, -9), /JSON/],
    ['that is written twice', whole + whole, /JSON/],
    ['without its gas', JSON.stringify(record), /does not begin with its gas/],
    ['of which the gas is cut off', gasLine(7).slice(1), /does not begin with its gas/],
    ['of which the gas is no whole number', `${'7'.repeat(gasLineBytes - 3)}.5\n`, /does not begin with its gas/],
    ['of which the gas is below nothing', `-${gasLine(7).slice(1)}`, /does not begin with its gas/],
    ['of which the gas cannot be counted exactly', `${'9'.repeat(gasLineBytes - 1)}\n`, /does not begin with its gas/],
    ['with a key that is none', `${gasLine(7)}${JSON.stringify({ ...record, gas: 1 })}`, /gas/],
    ['with another word for how it ended', `${gasLine(7)}${JSON.stringify({ ...record, reason: 'well' })}`, /reason/],
    ['that is too long', `${gasLine(7)}${' '.repeat(long)}`, /more than 65536 bytes/],
  ] as const)
    test(`${what} is refused`, () => {
      assert.throws(() => read(written), reason)
    })

  test('that is as long as it may be is read', () => {
    const said = JSON.stringify(record)
    const filled = `${gasLine(7)}${said}${' '.repeat(recordBytesMax - said.length)}`
    assert.deepEqual(read(filled), { gas: 7, record })
  })
})
