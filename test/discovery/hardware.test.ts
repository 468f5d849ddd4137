// What the system says of itself, and what is made of nonsense.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { realClock } from '../../src/environment.ts'
import { gpusOf, readHardware } from '../../src/discovery/hardware.ts'

const mib = 2 ** 20

test('equal GPUs are counted together; what has no memory, or too much, is none', () => {
  const l4 = { vendor: 'NVIDIA', model: 'L4', vram: 23_034, memoryTotal: 24_576, driverVersion: '550.1' }
  const found = gpusOf(
    [
      l4,
      { ...l4, model: 'RTX\u0007 4090  Ti' },
      l4,
      { vendor: 'ASPEED', model: 'display', vram: null },
      { vendor: 'x', model: 'y', vram: -5 },
      { vendor: 'x', model: 'z', vram: 1e12 },
      { vendor: 'x', model: '', vram: 8 },
      { vendor: 'x', model: 'w', vram: Number.NaN },
    ],
    7,
  )
  const memoryBytes = { value: 24_576 * mib, evidence: 'measured', atMs: 7 }
  assert.deepEqual(found, [
    { vendor: 'NVIDIA', model: 'L4', memoryBytes, count: 2, driver: '550.1' },
    { vendor: 'NVIDIA', model: 'RTX 4090 Ti', memoryBytes, count: 1, driver: '550.1' },
  ])
})

test('this machine is read, in plain words that fit a record', async () => {
  const { cpuModel, features, gpus } = await readHardware(realClock)
  assert.match(cpuModel, /^\P{Cc}{0,64}$/u)
  assert.ok(features.length <= 32 && features.every((word) => /^[a-z0-9_]{2,24}$/.test(word)), features.join(' '))
  assert.ok(gpus.length <= 8)
})
