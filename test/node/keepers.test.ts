import assert from 'node:assert/strict'
import { test } from 'node:test'

import { directFirst, rested } from '../../src/node/keepers.ts'
import { looksEnough, type Assessment, type Uptime } from '../../src/reputation/reputation.ts'

const fine: Assessment = {
  standing: 0.5,
  familiarity: 'stranger',
  jobs: 0,
  coolDown: undefined,
  provenUntilMs: undefined,
  terms: [],
  ways: [],
  startMs: undefined,
}
const cooling: Assessment = { ...fine, coolDown: { untilMs: 1, because: 'noShow' } }
const names = (count: number): string[] => Array.from({ length: count }, (_, number) => `keeper-${number}`)
const found = async (count: number, failed: string, uptimes: Readonly<Record<string, Uptime>> = {}) =>
  rested({ assess: (peer) => (peer === failed ? cooling : fine), uptime: (peer) => uptimes[peer] }, async () =>
    names(count),
  )(new AbortController().signal)

test('a keeper that failed not long ago is not asked while there are sixteen others, and comes last when there are not', async () => {
  assert.deepEqual(await found(17, 'keeper-3'), names(17).toSpliced(3, 1))
  assert.deepEqual(await found(16, 'keeper-3'), [...names(16).toSpliced(3, 1), 'keeper-3'])
})

test('nor is one that is hardly ever there, once it was looked for often enough', async () => {
  const last = async (uptime: Uptime) => (await found(4, '', { 'keeper-0': uptime })).at(-1)
  assert.equal(await last({ share: 0.4, looks: looksEnough }), 'keeper-0')
  assert.equal(await last({ share: 0.4, looks: looksEnough - 1 }), 'keeper-3', 'too few looks say nothing')
  assert.equal(await last({ share: 0.9, looks: 500 }), 'keeper-3')
})

test('keepers that are connected through a relay alone come last, and are left in otherwise', async () => {
  const found = ['relayed', 'unknown', 'both', 'direct']
  const [through, open] = ['/ip4/1.2.3.4/tcp/1/p2p/R/p2p-circuit/p2p/P', '/ip4/1.2.3.4/tcp/2']
  const connections = [
    { peer: 'relayed', address: through },
    { peer: 'both', address: through },
    { peer: 'both', address: open },
    { peer: 'direct', address: open },
  ]
  const find = directFirst(
    () => connections,
    async () => found,
  )
  assert.deepEqual(await find(new AbortController().signal), ['unknown', 'both', 'direct', 'relayed'])
})
