/** Whatever is lost, late, doubled, or restarted: both sides come to the same chain, and nothing is counted twice. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'
import { toString } from 'uint8arrays'

import { openStatement, originOf, openAgreed, type Agreed } from '../../protocols/settle/index.ts'
import { sha256 } from '../../protocols/wire/index.ts'
import { startMs } from '../negotiate/parties.ts'
import { quoted, readmeOf, tablesOf } from '../spec/tables.ts'
import { network } from '../support/peers.ts'
import { Pair, onTime, type Name } from './pair.ts'
import { higher, lower, turns, unit, type Side } from './parties.ts'

const names = ['low', 'high'] as const
const nameOf = (isLow: boolean): Name => (isLow ? 'low' : 'high')
const leases = ['a', 'b', 'c', 'd', 'e', 'f']

/** The agreed statements that a side has on its disk, from the first; they must be a chain. */
function chainOf(side: Side, story: string): Agreed[] {
  const chain: Agreed[] = []
  let previous = originOf(network, lower, higher, unit)
  for (let number = 1; ; number++) {
    const envelopes = side.books.agreed(side.other, unit, number)
    if (envelopes === undefined) return chain
    const agreed = openAgreed(side.notary, envelopes)
    assert.deepEqual(agreed.statement.body.previous, previous, story)
    previous = sha256(agreed.statement.envelope)
    chain.push(agreed)
  }
}

/** What the chain says of each lease: what it added in all, and where it stands. */
function settledBy(chain: readonly Agreed[], story: string): Map<string, number> {
  const settled = new Map<string, number>()
  for (const { statement } of chain) {
    for (const { lease, amountMicro, settledMicro } of statement.body.entries) {
      const before = settled.get(lease) ?? 0
      assert.equal(settledMicro, before, `counted twice, or not at all\n${story}`)
      assert.ok(amountMicro > before, `an amount fell\n${story}`)
      settled.set(lease, before + (amountMicro - settledMicro))
    }
  }
  return settled
}

/** Whoever earned is owed, whoever forfeits owes. */
function checkSums(body: Agreed['statement']['body'], story: string): void {
  const owedTo = { [body.lower]: 0, [body.higher]: 0 }
  for (const { provider, amountMicro, settledMicro } of body.entries) owedTo[provider]! += amountMicro - settledMicro
  for (const { provider, bondMicro } of body.forfeits)
    owedTo[provider === body.lower ? body.higher : body.lower]! += bondMicro
  const netMicro = owedTo[body.lower]! - owedTo[body.higher]!
  assert.equal(body.netMicro, Math.abs(netMicro), story)
  assert.equal(body.debtor, netMicro === 0 ? '' : netMicro > 0 ? body.higher : body.lower, story)
}

/** Two statements of one number and revision by one signer are never on any disk. */
function checkNoEquivocation(pair: Pair, story: string): void {
  const seen = new Map<string, string>()
  for (const { kind, envelope } of [...pair.low.records, ...pair.high.records]) {
    if (kind !== 'settlement') continue
    const { by, body } = openStatement(pair.low.notary, envelope)
    const key = `${by} ${body.number}.${body.revision}`
    const hash = toString(sha256(envelope), 'hex')
    assert.equal(seen.get(key) ?? hash, hash, `two statements of ${key}\n${story}`)
    seen.set(key, hash)
  }
}

type Deed =
  | { do: 'work'; atMs: number; lease: string; amount: number; arrives: boolean }
  | { do: 'betray'; atMs: number; slot: number; bond: number }
  | { do: 'propose' | 'restart'; atMs: number; low: boolean }

const copies = fc.oneof(
  { weight: 4, arbitrary: fc.constant([10]) },
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 2, arbitrary: fc.array(fc.nat(40_000), { maxLength: 3 }) },
)
const atMs = fc.nat(90_000)
const deed = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('work' as const),
      atMs,
      lease: fc.constantFrom(...leases),
      amount: fc.integer({ min: 1, max: 1_000 }),
      arrives: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('betray' as const),
      atMs,
      slot: fc.nat(5),
      bond: fc.integer({ min: 1, max: 1_000_000 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('propose' as const), atMs, low: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const), atMs, low: fc.boolean() }) },
)

/** A receipt that never arrived is proved while the one after it arrives. */
const moreMeanwhile: [number[][], Deed[], boolean, [number, number][], number] = [
  [],
  [
    { do: 'work', atMs: 0, lease: 'b', amount: 1, arrives: false },
    { do: 'work', atMs: 72_799, lease: 'b', amount: 1, arrives: true },
    { do: 'propose', atMs: 0, low: false },
    { do: 'propose', atMs: 0, low: false },
    { do: 'propose', atMs: 72_788, low: true },
  ],
  false,
  [],
  5_340_177,
]

test('in the end both have the same chain, every amount is in it once, and nobody is blamed', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(
      fc.array(copies, { maxLength: 60 }),
      fc.array(deed, { minLength: 3, maxLength: 24 }),
      fc.option(fc.boolean(), { freq: 4 }),
      fc.array(fc.tuple(atMs, fc.nat(60_000)), { maxLength: 2 }),
      fc.integer({ min: -9_000_000, max: 9_000_000 }),
      (fates, deeds, fork, outages, skewMs) => {
        let sent = 0
        const pair = new Pair()
        pair.skewMs = skewMs
        pair.fate = () => {
          const sinceMs = pair.nowMs - startMs
          const isOut = outages.some(([fromMs, forMs]) => sinceMs >= fromMs && sinceMs < fromMs + forMs)
          return isOut ? [] : (fates[sent++] ?? [10])
        }
        if (fork !== null) pair.fork('fork', nameOf(fork), [70, 71])
        const proved = new Map<string, number>()
        const betrayed = new Map<number, number>()
        for (const one of deeds) {
          pair.at(one.atMs, () => {
            if (one.do === 'propose') return pair.propose(nameOf(one.low))
            if (one.do === 'restart') return pair.restart(nameOf(one.low))
            if (one.do === 'betray') {
              if (betrayed.has(one.slot)) return pair
              betrayed.set(one.slot, one.bond)
              return pair.betray(one.slot, nameOf(one.slot % 2 === 0), one.bond)
            }
            // Who works for whom is a matter of the lease.
            proved.set(one.lease, (proved.get(one.lease) ?? 0) + one.amount)
            return pair.work(one.lease, nameOf(leases.indexOf(one.lease) % 2 === 0), one.amount, one.arrives)
          })
        }
        pair.run()
        // The line is whole again, and both owners try until nothing is left.
        pair.fate = onTime
        for (let period = 0; period < 5; period++) for (const name of names) pair.propose(name).run()

        const story = pair.lines.join('\n')
        assert.deepEqual(pair.faults, [], story)
        const [mine, theirs] = [chainOf(pair.low, story), chainOf(pair.high, story)]
        assert.deepEqual(mine, theirs, story)
        assert.deepEqual(pair.low.state, { ...pair.low.state, at: 'resting', head: mine.at(-1) ?? null }, story)
        assert.deepEqual(pair.high.state, { ...pair.high.state, at: 'resting', head: mine.at(-1) ?? null }, story)
        checkNoEquivocation(pair, story)
        const settled = settledBy(mine, story)
        for (const side of [pair.low, pair.high]) {
          for (const { lease, held, settledMicro } of side.books.totalsWith(side.other, unit)) {
            assert.equal(settledMicro, settled.get(lease) ?? 0, story)
            // Credit is debit: what both sides hold is settled, but for what is disputed.
            const disputed = mine.at(-1)?.statement.body.disputed.some((one) => one.lease === lease) ?? false
            if (!disputed) assert.equal(held?.amountMicro ?? 0, settledMicro, story)
            else assert.ok(fork !== null && settledMicro === 0, story)
          }
        }
        assert.equal(
          [...settled.values()].reduce((sum, one) => sum + one, 0),
          [...proved.values()].reduce((sum, one) => sum + one, 0),
          story,
        )
        const forfeits = mine.flatMap(({ statement }) => statement.body.forfeits)
        assert.equal(new Set(forfeits.map((one) => one.lease)).size, forfeits.length, `forfeited twice\n${story}`)
        assert.deepEqual(
          forfeits.map(({ provider, bondMicro }) => `${provider} ${bondMicro}`).toSorted(),
          [...betrayed].map(([slot, bond]) => `${slot % 2 === 0 ? lower : higher} ${bond}`).toSorted(),
          `every proven fault costs its bond, and nothing else does\n${story}`,
        )
        for (const { statement } of mine) checkSums(statement.body, story)
        if (forfeits.length > 2) seen.add('forfeited')
        if (/AGREED/.test(story)) seen.add('AGREED')
        if (/unanswered/.test(story)) seen.add('unanswered')
        if (/[2-4] \(.*disputed/.test(story)) seen.add('disputed')
        if (/proved/.test(story)) seen.add('proved')
        if (/HOLDS_MORE/.test(story)) seen.add('HOLDS_MORE')
        if (/ proposing > (resting|answering) .*(AGREE|DIFFER)/.test(story)) seen.add('withdrawn')
      },
    ),
    // A story that does not come to rest takes seconds, and making it shorter takes as long each time: what was found is told by then.
    {
      numRuns: 200,
      examples: [moreMeanwhile],
      plugins: [fc.interruptAfterTimeLimit(60_000, { failOnInterrupt: true })],
    },
  )
  for (const what of ['AGREED', 'unanswered', 'disputed', 'proved', 'HOLDS_MORE', 'withdrawn', 'forfeited'])
    assert.ok(seen.has(what), `${what} never came`)
})

test('every turn that a machine took is in the table of its specification', () => {
  const rows = new Set(
    tablesOf(readmeOf('settle'))
      .flatMap((table) => table.rows)
      .filter(({ state, on, next }) => state !== undefined && on !== undefined && next !== undefined)
      .flatMap(({ state, on, next }) => quoted(next!).map((to) => [...quoted(state!), ...quoted(on!), to].join(' '))),
  )
  assert.ok(turns.size > 12)
  assert.deepEqual(
    [...turns].filter((turn) => !rows.has(turn)),
    [],
  )
})
