import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'

import { buildIsaL, isaLParity } from '../../bench/data/isa-l.ts'
import { someStrips, ways } from './paths.ts'

test('parity is byte for byte that of Intel ISA-L, for any k, m and length, on every path', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'pleach-isa-l-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const built = await buildIsaL(folder)
  if ('missing' in built) return t.skip(built.missing)
  const codes = fc.oneof(
    fc.record({ k: fc.integer({ min: 1, max: 20 }), m: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ k: fc.integer({ min: 1, max: 128 }), m: fc.integer({ min: 1, max: 127 }) }),
  )
  fc.assert(
    fc.property(codes, fc.integer({ min: 1, max: 3000 }), fc.integer(), ({ k, m }, length, seed) => {
      const data = someStrips(k, length, seed)
      const expected = isaLParity(built.program, data, m)
      for (const way of ways) {
        assert.equal(Buffer.compare(Buffer.concat(way.encode(data, m)), expected), 0, `${way.name}, ${k}+${m}`)
      }
    }),
    { numRuns: 60 },
  )
})
