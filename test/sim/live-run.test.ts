// Live scenarios from their plan to their record: what was asked for happens, what went wrong is told, and the ledgers are believed to the byte.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'

import { identityFromSeed } from '../../src/host/index.ts'
import { auditLedgers } from '../../sim/live/run/audit.ts'
import type { LedgerOfPeer } from '../../sim/live/run/ledgers.ts'
import { LivePart } from '../../sim/live/run/part.ts'
import { planOf } from '../../sim/live/run/plan.ts'
import { rolesOf } from '../../sim/live/run/roles.ts'
import { placeOfPeer, placeOfRecord } from '../../sim/live/vices/index.ts'
import { bitsShared } from '../../sim/live/vices/identities.ts'
import type { Part, PartFindings } from '../../sim/live/run/parts.ts'
import { runLive, type LiveResult } from '../../sim/live/run/run.ts'
import { checkRecord, type RunRecord } from '../../sim/report/record.ts'
import { scenarioNamed, withPeers } from '../../sim/scenarios/index.ts'
import type { LiveSettings, Scenario } from '../../sim/scenarios/schema.ts'

const deadlineMs = 120_000

function scenario(name: string, peers: number, live: Partial<LiveSettings>, rest: Partial<Scenario> = {}): Scenario {
  const known = withPeers(scenarioNamed(name)!, peers)
  // Links that are near, so that a test is over soon.
  const network = { ...known.network, delayMs: [2, 4] as const }
  return { ...known, lendShare: 0.5, network, ...rest, live: { ...known.live, lendShare: null, ...live } }
}

/** Runs it, and keeps what the disks said. */
async function ran(
  what: Scenario,
  seed: number,
): Promise<{ readonly result: LiveResult; readonly ledgers: readonly LedgerOfPeer[]; readonly folder: string }> {
  const plan = planOf(what, seed)
  const live = new LivePart({ plan, say: () => {} })
  let ledgers: readonly LedgerOfPeer[] = []
  let folder = ''
  const part: Part = new Proxy(live, {
    get(target, name) {
      if (name === 'stop')
        return async () => {
          folder = target.world.folder
          return (ledgers = await target.stop())
        }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const result = await runLive({
    plan,
    part,
    onPhase: () => {},
    command: 'a test',
    signal: AbortSignal.timeout(deadlineMs),
  })
  assert.ok(result !== null)
  checkRecord(result.record, 'the record')
  return { result, ledgers, folder }
}

function broken({ assertions }: RunRecord): string[] {
  return assertions.filter(({ holds }) => !holds).map(({ name, got }) => `${name}: ${got}`)
}

function numberOf({ numbers }: RunRecord, name: string): number | null {
  return numbers.find((number) => number.name === name)!.value
}

describe('the plan of a live run', () => {
  test('is the same for the same seed, and another for another', () => {
    const churn = scenarioNamed('churn')!
    assert.deepEqual(planOf(churn, 1), planOf(churn, 1))
    assert.notDeepEqual(planOf(churn, 1), planOf(churn, 2))
  })

  test('has as many lenders, askers, jobs and dishonest peers as the scenario says', () => {
    const { peers, jobs } = planOf(scenario('attack', 40, { requesters: 10, jobsEach: 2 }, { lendShare: 0.25 }), 1)
    assert.equal(peers.filter(({ lends }) => lends).length, 10)
    assert.equal(peers.filter(({ vice }) => vice !== null).length, 8)
    assert.equal(new Set(peers.flatMap(({ vice }) => vice ?? [])).size, 8)
    assert.equal(jobs.length, 20)
    assert.equal(new Set(jobs.map(({ requester }) => requester)).size, 10)
    // There are enough that do not lend.
    assert.ok(jobs.every(({ requester }) => !peers[requester]!.lends))
  })

  test('has names of one operator at one address, and others around the record of a lender', () => {
    const plan = planOf(scenario('attack', 60, { vices: ['sybil', 'eclipse'] }, { dishonestShare: 0.2 }), 2)
    const roles = rolesOf(plan)
    const sybils = roles.flatMap(({ vice, at }, index) => (vice === 'sybil' ? [at ?? index] : []))
    assert.equal(sybils.length, 6)
    assert.equal(new Set(sybils).size, 1)
    const victim = roles.find(({ vice, identity }) => vice === null && identity !== undefined)!
    const place = placeOfRecord(victim.identity!.peer)
    const near = roles.flatMap(({ vice, identity }) => (vice === 'eclipse' ? [identity!.peer] : []))
    assert.equal(near.length, 6)
    // Of 60 peers the nearest shares some six bits.
    for (const peer of near) assert.ok(bitsShared(placeOfPeer(peer), place) >= 7)
    assert.deepEqual(
      rolesOf(plan).map(({ identity }) => identity?.peer),
      roles.map(({ identity }) => identity?.peer),
    )
  })

  test('has faults at their times, with as many peers as they say', () => {
    const fault = { forMs: 500, peers: 0, byMs: 0, factor: 0.1, perMinute: 0 } as const
    const { faults } = planOf(
      scenario('market', 40, {
        faults: [
          { ...fault, what: 'freeze', atMs: 700, share: 0.25, who: 'lenders' },
          { ...fault, what: 'leave', atMs: 300, share: 0, peers: 3, who: 'askers' },
        ],
      }),
      1,
    )
    const { peers } = planOf(scenario('market', 40, {}), 1)
    assert.deepEqual(
      faults.map(({ what, atMs, peers: { length } }) => [what, atMs, length]),
      [
        ['leave', 300, 3],
        ['freeze', 700, 5],
      ],
    )
    assert.ok(faults[0]!.peers.every((index) => !peers[index]!.lends))
    assert.ok(faults[1]!.peers.every((index) => peers[index]!.lends))
  })

  test('is refused where faults need a network of our own, and the others are named', () => {
    const over = (name: string): Scenario => scenario(name, 20, { carrier: 'tcp' })
    for (const [name, what] of [
      ['silence', 'freeze'],
      ['heal', 'partition'],
      ['nat', 'nat'],
      ['lossy', 'slow'],
    ] as const)
      assert.throws(() => planOf(over(name), 1), {
        name: 'PlanError',
        message: new RegExp(
          `^${name} has ${what}, .* there are leave, restart, lose-disk, disk-full, clock, churn: run it without`,
        ),
      })
    assert.ok(planOf(over('churn'), 1).faults.length > 0)
  })

  test('takes peers away at the rate that churn has, and never one that is away', () => {
    const what = scenario('churn', 100, { forMs: 600_000 })
    const { faults } = planOf(what, 1)
    // A tenth of a hundred peers in each of ten minutes, less those that were away already.
    assert.ok(faults.length > 70 && faults.length < 130, `${faults.length}`)
    for (const [place, { atMs, peers }] of faults.entries())
      for (const other of faults.slice(0, place))
        if (other.peers[0] === peers[0]) assert.ok(atMs > other.atMs + other.forMs)
  })
})

describe('a live run', { timeout: 2 * deadlineMs }, () => {
  test('of a market pays all its jobs, and every invariant holds in the ledgers', async () => {
    const { result, ledgers, folder } = await ran(
      scenario('market', 12, { requesters: 4, jobsEach: 2, jobsWithinMs: 2_000, workMs: 50 }),
      3,
    )
    const { record, findings } = result
    assert.deepEqual(broken(record), [])
    assert.ok(record.assertions.length >= 15)
    assert.equal(numberOf(record, 'job_success'), 1)
    assert.equal(numberOf(record, 'jobs'), 8)
    assert.ok(findings!.jobs.every(({ isRight }) => isRight === true))
    assert.deepEqual(findings!.errors, [])
    assert.equal(existsSync(folder), false)
    const receipts = ledgers.flatMap(({ statements }) => statements).filter(({ kind }) => kind === 'receipt')
    assert.ok(receipts.length >= 16)
    whatIsMissingIsFound(result, ledgers)
  })

  test('through restarts, hangs, leaving and a split ends every job once, and nobody is blamed for it', async () => {
    const fault = { share: 0, byMs: 0, factor: 0.1, perMinute: 0 } as const
    const { result } = await ran(
      scenario(
        'market',
        14,
        {
          requesters: 5,
          jobsEach: 2,
          jobsWithinMs: 4_000,
          workMs: 300,
          forMs: 20_000,
          faults: [
            { ...fault, what: 'restart', atMs: 800, forMs: 500, peers: 2, who: 'lenders' },
            { ...fault, what: 'restart', atMs: 1_200, forMs: 500, peers: 2, who: 'askers' },
            { ...fault, what: 'freeze', atMs: 1_500, forMs: 1_000, peers: 2, who: 'all' },
            { ...fault, what: 'partition', atMs: 2_500, forMs: 1_500, peers: 0, share: 0.5, who: 'all' },
            { ...fault, what: 'leave', atMs: 4_500, forMs: 500, peers: 2, who: 'lenders' },
            { ...fault, what: 'clock', atMs: 500, forMs: 0, peers: 2, byMs: 1_500, who: 'all' },
          ],
        },
        { assertions: { paidShareMin: 0.5, successShareMin: 0, liarShareMax: 1 } },
      ),
      4,
    )
    assert.deepEqual(broken(result.record), [])
    const { faults, jobs } = result.findings!
    assert.equal(faults.length, 6)
    // A clock that jumped goes on from there.
    assert.equal(faults.filter(({ untilMs }) => untilMs === null).length, 1)
    assert.ok(jobs.every(({ ending }) => ending !== 'not over'))
    const [timeline] = result.record.figures.filter(({ kind }) => kind === 'timeline')
    assert.ok(timeline?.kind === 'timeline' && timeline.events.some(({ what }) => what.startsWith('restart')))
  })

  test('of gangs gives each all of its places, at as many providers', async () => {
    const { result } = await ran(
      scenario(
        'gangs',
        12,
        { requesters: 3, jobsEach: 1, jobsWithinMs: 500, workMs: 50, execution: 'modelled' },
        { workload: { ...scenarioNamed('gangs')!.workload, gangShare: 1, gangSlotsMax: 3 } },
      ),
      5,
    )
    assert.deepEqual(broken(result.record), [])
    assert.ok(result.record.stubs.some((stub) => stub.startsWith('Programs are not run')))
    assert.ok(result.findings!.jobs.every(({ plan, ending }) => plan.nodes >= 2 && ending === 'paid'))
  })

  test('of objects fetches them though keepers have fallen silent', async () => {
    const { result } = await ran(
      scenario('objects', 16, {
        forMs: 1_500,
        objects: { count: 2, bytes: 300_000, code: '2+3' },
        faults: [
          {
            what: 'freeze',
            atMs: 200,
            forMs: 0,
            share: 0.25,
            peers: 0,
            who: 'lenders',
            byMs: 0,
            factor: 1,
            perMinute: 0,
          },
        ],
      }),
      6,
    )
    assert.deepEqual(broken(result.record), [])
    assert.equal(numberOf(result.record, 'object_success'), 1)
  })

  test('that is interrupted tells how far it came', async () => {
    const plan = planOf(scenario('market', 10, { requesters: 3, jobsWithinMs: 60_000 }), 7)
    const part = new LivePart({ plan, say: () => {} })
    const interrupted = new AbortController()
    const result = await runLive({
      plan,
      part,
      onPhase: (phase) => {
        if (phase === 'jobs') setTimeout(() => interrupted.abort(new Error('enough')), 300)
      },
      command: 'a test',
      signal: interrupted.signal,
    })
    checkRecord(result!.record, 'the record')
    assert.equal(result!.record.valid, false)
    assert.equal(result!.record.invalidBecause, 'it was interrupted')
    assert.equal(numberOf(result!.record, 'mesh_degree_min'), result!.boot!.meshDegreeMin)
  })
})

/** What is true of these ledgers is no more, when something is taken out of them. */
function whatIsMissingIsFound({ record, findings }: LiveResult, ledgers: readonly LedgerOfPeer[]): void {
  const plan = planOf(record.scenario.config as unknown as Scenario, record.seed)
  const { network, jobs: outcomes } = findings as PartFindings
  const notary = { network, signer: identityFromSeed(new Uint8Array(32)).signer }
  const found = (changed: readonly LedgerOfPeer[]): string[] =>
    [...auditLedgers({ plan, notary, ledgers: changed, outcomes, gone: new Set(), lastFaultMs: 0 })].flatMap(
      ([name, wrong]) => (wrong.length > 0 ? [name] : []),
    )
  assert.deepEqual(found(ledgers), [])
  const requester = ledgers.findIndex(({ machines }) => machines.some(({ kind }) => kind === 'job'))
  const without = (kind: string): LedgerOfPeer[] =>
    ledgers.map((ledger, index) =>
      index === requester
        ? { ...ledger, statements: ledger.statements.filter((statement) => statement.kind !== kind) }
        : ledger,
    )
  assert.ok(found(without('countersignature')).includes('no-receipt-lost'))
  assert.ok(found(without('award')).includes('nobody-overpays'))
  const flipped = ledgers.map((ledger) => ({
    ...ledger,
    statements: ledger.statements.map((statement) => ({
      ...statement,
      envelope: statement.envelope.map((byte, at) => (at === statement.envelope.byteLength - 1 ? byte ^ 1 : byte)),
    })),
  }))
  assert.throws(() => found(flipped), /signature/i)
}
