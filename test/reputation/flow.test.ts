import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { firstEdge, inflow, waysTo, type Known } from '../../src/reputation/flow.ts'
import { vouching } from '../../src/reputation/experience.ts'
import { ShownReferences, shownPeersMax, type Reference } from '../../src/reputation/shown-references.ts'
import { seenOf, work } from './worlds.ts'

const known: Known = { jobs: 4, paidMicro: 400 }
const nobody: Known = { jobs: 0, paidMicro: 0 }
const knows =
  (...names: string[]) =>
  (by: string): Known =>
    names.includes(by) ? known : nobody
const signed = (by: string, amountMicro: number): Reference => ({ by, unit: 'credit', amountMicro, issuedMs: 0 })

/** What flows in to each of these, when each shows this. */
function flows(shows: Readonly<Record<string, readonly Reference[]>>, knowing: (by: string) => Known): number[] {
  const shown = new ShownReferences('credit')
  for (const [peer, references] of Object.entries(shows)) shown.put(peer, references, 0)
  return Object.keys(shows).map((peer) => inflow(waysTo(shown.of(peer), (by) => shown.allSignedBy(by), knowing)))
}

test('a flow is as wide as the narrower of its two edges, and ways add up', () => {
  assert.deepEqual(flows({ worker: [signed('k', 100)] }, knows('k')), [1], 'in jobs of the one who vouches')
  assert.deepEqual(flows({ worker: [signed('k', 9_000)] }, knows('k')), [4], 'no more than it did for us')
  assert.deepEqual(flows({ worker: [signed('k', 100), signed('l', 200)] }, knows('k', 'l')), [3])
  assert.deepEqual(
    flows({ worker: [signed('k', 100), signed('k', 100)] }, knows('k')),
    [2],
    'two leases of one requester',
  )
})

test('a clique of any size, whatever it signs for itself, gets exactly nothing', () => {
  const edge = fc.tuple(fc.nat(30), fc.nat(30), fc.nat(1_000_000_000))
  fc.assert(
    fc.property(fc.array(edge, { maxLength: 200 }), (edges) => {
      const shows: Record<string, Reference[]> = {}
      for (const [by, of, amount] of edges) (shows[`sybil-${of}`] ??= []).push(signed(`sybil-${by}`, amount))
      assert.ok(flows(shows, knows('k', 'l', 'm')).every((flow) => flow === 0))
    }),
  )
})

test('what one peer vouches for is together no more than what it did for us: nobody gains by splitting', () => {
  const parts = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 50 })
  fc.assert(
    fc.property(parts, (amounts) => {
      const whole = amounts.reduce((sum, amount) => sum + amount, 0)
      const [alone] = flows({ sybil: [signed('k', whole)] }, knows('k'))
      const split = flows(
        Object.fromEntries(amounts.map((amount, at) => [`sybil-${at}`, [signed('k', amount)]])),
        knows('k'),
      )
      const all = split.reduce((sum, flow) => sum + flow, 0)
      assert.ok(all <= alone! + 1e-9, `${all} of ${alone}`)
      assert.ok(all <= known.jobs + 1e-9)
    }),
  )
})

test('more that is signed for never lowers what flows in to the one who worked', () => {
  fc.assert(
    fc.property(fc.nat(10_000), fc.nat(10_000), fc.nat(10_000), (first, more, others) => {
      const with_ = (amount: number) =>
        flows({ worker: [signed('k', amount)], other: [signed('k', others)] }, knows('k'))[0]!
      assert.ok(with_(first + more) >= with_(first) - 1e-9)
    }),
  )
})

test('who lied to us passes nothing on, and who vouched badly passes on less', () => {
  const rows = new Map([[work, seenOf({ success: 6, paidMicro: 600 })]])
  assert.deepEqual(firstEdge(rows, 0.8, 0), { jobs: 6, paidMicro: 600 })
  assert.deepEqual(firstEdge(rows, 0.49, 0), nobody)
  const failed = new Map([...rows, [vouching, seenOf({ noShow: 1 })]])
  assert.deepEqual(firstEdge(failed, 0.8, 0), { jobs: 2, paidMicro: 200 })
  const mixed = new Map([...rows, [vouching, seenOf({ success: 3, fault: 1 })]])
  assert.equal(firstEdge(mixed, 0.8, 0).jobs, 4)
})

test('what is shown is bounded, in one unit, none of it one’s own, and forgotten with its peer', () => {
  const shown = new ShownReferences('credit')
  shown.put('worker', [signed('k', 5), { ...signed('k', 7), unit: 'shells' }, signed('worker', 9)], 0)
  assert.deepEqual([...shown.of('worker')], [['k', 5]])
  shown.put('worker', [signed('k', 6)], 0)
  assert.equal(shown.allSignedBy('k'), 6, 'in the place of what it showed before')
  for (let peer = 0; peer < shownPeersMax; peer++) shown.put(`peer-${peer}`, [signed('l', 1)], 0)
  assert.equal(shown.of('worker').size, 0, 'the oldest gives way')
  assert.equal(shown.allSignedBy('k'), 0)
  assert.equal(shown.allSignedBy('l'), shownPeersMax)
})
