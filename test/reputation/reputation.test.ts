import assert from 'node:assert/strict'
import { test } from 'node:test'

import { provenForMs } from '../../src/reputation/cool-down.ts'
import { asking, talking, there, type Doing, type Experience } from '../../src/reputation/experience.ts'
import {
  checkShareOf,
  everyStranger,
  redosMax,
  introducedMin,
  looksEnough,
  Reputation,
  type Memory,
} from '../../src/reputation/reputation.ts'
import { ShownReferences } from '../../src/reputation/shown-references.ts'
import { work } from './worlds.ts'

/** A peer with a memory of its own, and a clock that the test turns. */
class Mind implements Memory {
  nowMs = 1_000_000
  readonly rows = new Map<string, Map<Doing, Experience>>()
  readonly proven = new Map<string, number>()
  readonly references = new ShownReferences('credit')
  readonly reputation = new Reputation(this, this.references, () => this.nowMs)

  of(peer: string): ReadonlyMap<Doing, Experience> {
    return this.rows.get(peer) ?? new Map()
  }

  change(peer: string, doing: Doing, next: (before: Experience | undefined) => Experience): void {
    const rows = this.rows.get(peer) ?? new Map<Doing, Experience>()
    this.rows.set(peer, rows.set(doing, next(rows.get(doing))))
  }

  provenMs(peer: string): number | undefined {
    return this.proven.get(peer)
  }

  /** So many jobs that it did for us. */
  knows(peer: string, jobs = 4): void {
    for (let job = 0; job < jobs; job++) this.reputation.note(peer, work, { sight: 'success', amountMicro: 100 })
  }

  shows(peer: string, ...by: readonly (readonly [string, number])[]): void {
    const references = by.map(([name, amountMicro]) => ({
      by: name,
      unit: 'credit',
      amountMicro,
      issuedMs: this.nowMs,
    }))
    this.references.put(peer, references, this.nowMs)
  }
}

test('who worked for one that worked for us is introduced, by so much', () => {
  const mind = new Mind()
  mind.knows('k')
  mind.shows('new', ['k', 100], ['nobody', 1_000_000])
  const { familiarity, ways, standing } = mind.reputation.assess('new', work)
  assert.deepEqual([familiarity, ways.map(({ by, jobs }) => [by, jobs])], ['introduced', [['k', 1]]])
  assert.equal(standing, 1.5 / 2.5)
  assert.equal(mind.reputation.assess('new', asking).standing, 0.5, 'that it works is no word of how it pays')
  assert.equal(mind.reputation.assess('k', work).familiarity, 'known')
})

test('a clique adds exactly nothing, and nor does who lied to us, or is proven to have', () => {
  const mind = new Mind()
  for (let sybil = 0; sybil < 50; sybil++)
    mind.shows(`sybil-${sybil}`, ...Array.from({ length: 20 }, (_, mate) => [`sybil-${mate}`, 1e9] as const))
  const assessed = mind.reputation.assess('sybil-30', work)
  assert.deepEqual([assessed.standing, assessed.familiarity, assessed.ways], [0.5, 'stranger', []])
  mind.knows('k')
  mind.shows('new', ['k', 100])
  mind.proven.set('k', mind.nowMs)
  assert.equal(mind.reputation.assess('new').familiarity, 'stranger')
  mind.proven.delete('k')
  mind.reputation.note('k', talking, { sight: 'fault' })
  assert.equal(mind.reputation.assess('new').familiarity, 'stranger')
})

test('a thousand names that one known peer vouches for get together what it did for us, and few of them are introduced', () => {
  const mind = new Mind()
  mind.knows('k', 1)
  for (let sybil = 0; sybil < 1_000; sybil++) mind.shows(`sybil-${sybil}`, ['k', 1e9])
  const all = Array.from({ length: 1_000 }, (_, sybil) => mind.reputation.assess(`sybil-${sybil}`))
  const jobs = all.reduce((sum, { ways }) => sum + (ways[0]?.jobs ?? 0), 0)
  assert.ok(Math.abs(jobs - 1) < 1e-6, String(jobs))
  assert.equal(all.filter(({ familiarity }) => familiarity === 'introduced').length, 0)
  assert.equal(introducedMin, 0.05, 'twenty of them at the most')
})

test('who introduced one that failed passes on less, and who introduced a good one gets it back', () => {
  const mind = new Mind()
  mind.knows('k')
  mind.shows('bad', ['k', 100])
  mind.shows('other', ['k', 100])
  const before = mind.reputation.assess('other').ways[0]!.jobs
  mind.reputation.note('bad', work, { sight: 'noShow' })
  const after = mind.reputation.assess('other').ways[0]!.jobs
  assert.ok(after < before, `${after} of ${before}`)
  assert.ok(mind.reputation.assess('k', work).standing > 0.8, 'that it was taken in is no word of its work')
  mind.reputation.note('other', work, { sight: 'success' })
  mind.shows('third', ['k', 100])
  assert.ok(mind.reputation.assess('third').ways[0]!.jobs > 0)
})

test('strangers as such are trusted as far as strangers did well; who is known or introduced says nothing of them', () => {
  const mind = new Mind()
  assert.equal(mind.reputation.trustInStrangers(), 0.5)
  for (let one = 0; one < 4; one++) mind.reputation.note(`s-${one}`, work, { sight: 'noShow' })
  assert.equal(mind.reputation.trustInStrangers(), 1 / 6)
  mind.knows('k', 1)
  assert.equal(mind.reputation.trustInStrangers(), 2 / 7)
  mind.knows('k', 5)
  mind.reputation.note('s-9', work, { sight: 'refused' })
  mind.reputation.note('s-9', asking, { sight: 'noShow' })
  mind.shows('new', ['k', 100])
  mind.reputation.note('new', work, { sight: 'noShow' })
  assert.equal(mind.reputation.trustInStrangers(), 2 / 7)
  assert.equal(mind.rows.get(everyStranger)?.size, 1)
  mind.nowMs += 400 * 86_400_000
  assert.ok(Math.abs(mind.reputation.trustInStrangers() - 0.5) < 0.01, 'and it is forgotten')
})

test('all that a new one makes is compared, and of others the less the more they did', () => {
  assert.deepEqual([0, 1, 2, 2.4].map(checkShareOf), [1, 1, 1, 1])
  assert.deepEqual([4, 10, 100].map(checkShareOf), [0.25, 0.1, 0.01])
  assert.ok(checkShareOf(2.999) < 0.4, 'three jobs that fade are three')
  const mind = new Mind()
  mind.knows('k', 4)
  mind.reputation.note('k', 'oci', { sight: 'success' })
  assert.deepEqual(
    [undefined, work, 'oci', 'none'].map((doing) => mind.reputation.assess('k', doing).jobs),
    [5, 4, 1, 0],
  )
})

test('this machine does work of strangers once more ten times, and one more as they are forgotten', () => {
  const mind = new Mind()
  const took = Array.from({ length: 2 * redosMax }, () => mind.reputation.takeRedo())
  assert.deepEqual(took, [...Array<boolean>(redosMax).fill(true), ...Array<boolean>(redosMax).fill(false)])
  mind.nowMs += 5 * 86_400_000
  assert.deepEqual([mind.reputation.takeRedo(), mind.reputation.takeRedo()], [true, false])
  assert.deepEqual([mind.reputation.trustInStrangers(), mind.reputation.knowsAnybody()], [0.5, false])
})

test('a proof counts for a month, and not for ever', () => {
  const mind = new Mind()
  mind.knows('k')
  mind.proven.set('k', mind.nowMs)
  assert.deepEqual(
    [mind.reputation.standing('k', work), mind.reputation.assess('k').provenUntilMs],
    [0, mind.nowMs + provenForMs],
  )
  mind.nowMs += provenForMs
  assert.ok(mind.reputation.standing('k', work) > 0.6)
  assert.equal(mind.reputation.assess('k').provenUntilMs, undefined)
})

test('an uptime is a share of so many looks, of which the recent count more; how a peer behaves it does not say', () => {
  const mind = new Mind()
  assert.equal(mind.reputation.uptime('p'), undefined)
  for (let look = 0; look < 10; look++) mind.reputation.note('p', there, { sight: look === 3 ? 'noShow' : 'success' })
  const { share, looks } = mind.reputation.uptime('p')!
  assert.ok(Math.abs(share - 0.9) < 1e-9 && Math.abs(looks - 10) < 1e-9)
  assert.ok(looks < looksEnough)
  assert.equal(mind.reputation.standing('p'), 0.5)
  assert.equal(mind.reputation.assess('p').coolDown, undefined)
  mind.nowMs += 7 * 86_400_000
  assert.ok(Math.abs(mind.reputation.uptime('p')!.looks - 5) < 1e-9)
})

test('how long it takes to begin is a mean of at least three', () => {
  const mind = new Mind()
  for (const tookMs of [100, 200]) mind.reputation.noteStart('p', work, tookMs)
  assert.equal(mind.reputation.assess('p', work).startMs, undefined)
  mind.reputation.noteStart('p', work, 600)
  assert.equal(mind.reputation.assess('p', work).startMs, 300)
})
