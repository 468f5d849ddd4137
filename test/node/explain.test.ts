import { plainCompute, plainPrice, unsaid } from '../../protocols/capability/index.ts'
import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Capability } from '../../protocols/capability/index.ts'
import { plainTerms } from '../../sim/model/stand-ins.ts'
import { explainNoMatch } from '../../src/node/explain.ts'
import { signer } from '../support/peers.ts'

const terms = plainTerms('x', 0)
const capability: Capability = {
  sequence: 1,
  issuedMs: 0,
  expiresMs: 1,
  withdrawn: false,
  software: '',
  ...unsaid,
  compute: {
    ...plainCompute,
    arch: 'x86_64',
    cpuMilli: { value: 2_000, evidence: 'measured' },
    memoryBytes: { value: 2 ** 30, evidence: 'measured' },
    diskBytes: { value: 2 ** 30, evidence: 'measured' },
    wallMsMax: 3_600_000,
  },
  storage: null,
  runtimes: [{ name: 'wasi-preview1', version: '', isolation: '' }],
  price: { ...plainPrice, unit: 'credit', cpuHourMicro: 1_000_000 },
}
const known = (...records: Partial<Capability>[]) =>
  records.map((over, index) => ({
    peer: signer(index).peer,
    envelope: new Uint8Array(),
    capability: { ...capability, ...over },
  }))
const compute = capability.compute!

test('each provider counts under the first requirement that it fails, with what would let it pass', () => {
  const records = known(
    { runtimes: [] },
    { compute: { ...compute, cpuMilli: { value: 500, evidence: 'measured' } } },
    { compute: { ...compute, cpuMilli: { value: 500, evidence: 'measured' }, wallMsMax: 1_000 } },
    { compute: { ...compute, wallMsMax: 30_000 } },
    { price: { ...plainPrice, unit: 'credit', cpuHourMicro: 9_000_000 } },
    { price: { ...plainPrice, unit: 'credit', cpuHourMicro: 7_500_000 } },
  )
  assert.deepEqual(explainNoMatch(terms, records, 4, 0), {
    known: 6,
    reachable: 4,
    answered: 0,
    excluded: [
      { requirement: 'runtime wasi-preview1', count: 1, onlyThis: 1, relax: null },
      { requirement: 'cpu >= 1', count: 2, onlyThis: 1, relax: '--cpu 0.5' },
      { requirement: 'time >= 60s', count: 1, onlyThis: 1, relax: '--timeout 30s' },
      { requirement: 'price <= 5/h', count: 2, onlyThis: 2, relax: '--max-price 7.5' },
    ],
  })
})

test('a provider that fits is not excluded', () => {
  assert.deepEqual(explainNoMatch(terms, known({}), 1, 0).excluded, [])
})
