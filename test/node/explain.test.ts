import assert from 'node:assert/strict'
import { test } from 'node:test'

import { plainCompute, plainPrice, unsaid, type Capability } from '../../protocols/capability/index.ts'
import { refusal } from '../../protocols/wire/index.ts'
import { plainTerms } from '../../sim/model/stand-ins.ts'
import type { MatchExplanation } from '../../src/control/api.ts'
import { petnameOf } from '../../src/host/index.ts'
import { explainNoMatch, type Circumstances } from '../../src/node/explain.ts'
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

const acquaint = () => ({
  standing: 0.5,
  familiarity: 'stranger' as const,
  jobs: 0,
  checkShare: 1,
  cooling: undefined,
  startMs: undefined,
  rttMs: 20,
  evidence: undefined,
  house: undefined,
  operator: '',
})
const circumstances = (records: ReturnType<typeof known>, over: Partial<Circumstances> = {}): Circumstances => ({
  known: records,
  isReachable: () => true,
  acquaint,
  declined: new Map(),
  answered: 0,
  nowMs: 0,
  ...over,
})
/** Every provider is counted once. */
const sumOf = ({ excluded, silent, declined, unexplained }: MatchExplanation): number =>
  [...excluded, ...declined].reduce((sum, { count }) => sum + count, silent + unexplained)

test('each provider counts under the first requirement that it fails, with what would let it pass', () => {
  const records = known(
    { runtimes: [] },
    { compute: { ...compute, cpuMilli: { value: 500, evidence: 'measured' } } },
    { compute: { ...compute, cpuMilli: { value: 500, evidence: 'measured' }, wallMsMax: 1_000 } },
    { compute: { ...compute, wallMsMax: 30_000 } },
    { price: { ...plainPrice, unit: 'credit', cpuHourMicro: 9_000_000 } },
    { price: { ...plainPrice, unit: 'credit', cpuHourMicro: 7_500_000 } },
  )
  const explanation = explainNoMatch(
    terms,
    circumstances(records, { isReachable: (peer) => peer !== records[0]!.peer }),
  )
  assert.deepEqual(explanation, {
    known: 6,
    reachable: 5,
    answered: 0,
    excluded: [
      { requirement: 'runtime wasi-preview1', count: 1, onlyThis: 1, relax: null },
      { requirement: 'cpu >= 1', count: 2, onlyThis: 1, relax: '--cpu 0.5' },
      { requirement: 'time >= 60s', count: 1, onlyThis: 1, relax: '--timeout 30s' },
      { requirement: 'price <= 5/h', count: 2, onlyThis: 2, relax: '--max-price 7.5' },
    ],
    silent: 0,
    declined: [],
    unexplained: 0,
    nearest: {
      peer: records[1]!.peer,
      petname: petnameOf(records[1]!.peer),
      reasons: ['cpu (0.5 < 1)'],
    },
  })
})

test('what would fit counts as silent, by what it said, or as unexplained, and all of it adds up', () => {
  const records = known({}, {}, {}, {}, { runtimes: [] })
  const [away, busy, full, mute] = records.map(({ peer }) => peer)
  const explanation = explainNoMatch(
    terms,
    circumstances(records, {
      isReachable: (peer) => peer !== away,
      declined: new Map([
        [busy!, refusal('BUSY', { wanted: 1, free: 0 })],
        [full!, refusal('BUSY')],
        [away!, refusal('DENIED')],
      ]),
    }),
  )
  assert.deepEqual(explanation.declined, [{ reason: 'busy', count: 2 }])
  assert.deepEqual([explanation.silent, explanation.unexplained, explanation.reachable], [1, 1, 4])
  assert.equal(sumOf(explanation), records.length)
  assert.ok(mute !== undefined)
})

test('what the owner does not want is named before what the provider lacks', () => {
  const records = known({}, { runtimes: [] }, {}, {})
  const [near, , denied, far] = records.map(({ peer }) => peer)
  const wishes = { ...terms.wishes, deny: [denied!], rttMsMax: 30, standingMin: 0.4 }
  const explanation = explainNoMatch(
    { ...terms, wishes },
    circumstances(records, {
      acquaint: (peer) => ({ ...acquaint(), rttMs: peer === far ? 80 : 20, standing: peer === near ? 0.3 : 0.5 }),
    }),
  )
  assert.deepEqual(
    explanation.excluded.map(({ requirement, count, relax }) => [requirement, count, relax]),
    [
      ['not denied', 1, null],
      ['standing >= 0.4', 1, '--standing 0.3'],
      ['rtt <= 30ms', 1, '--rtt 80ms'],
      ['runtime wasi-preview1', 1, null],
    ],
  )
  assert.equal(sumOf(explanation), 4)
})

test('flags to be pasted: memory, regions, GPUs', () => {
  const gpu = {
    vendor: 'NVIDIA',
    model: 'L4',
    memoryBytes: { value: 16 * 2 ** 30, evidence: 'claimed' },
    count: 1,
    driver: '',
  } as const
  const network = {
    upBytesPerSecond: { value: 0, evidence: 'claimed' },
    downBytesPerSecond: { value: 0, evidence: 'claimed' },
    reachability: 'public',
    region: 'uk',
    trips: [],
  } as const
  const flagsOf = (over: Partial<typeof terms.requirements>, record: Partial<Capability>) => {
    const asked = { ...terms, requirements: { ...terms.requirements, ...over } }
    return explainNoMatch(asked, circumstances(known(record))).excluded.map(({ requirement, relax }) => [
      requirement,
      relax,
    ])
  }
  const gpus = { count: 1, memoryBytes: 24 * 2 ** 30, vendor: '', model: '' }
  assert.deepEqual(flagsOf({ gpus }, { gpus: [gpu] }), [['gpu-mem >= 24Gi', '--gpu-mem 16Gi']])
  assert.deepEqual(flagsOf({ regions: ['eu'] }, { network }), [['region = eu', '--region eu,uk']])
  assert.deepEqual(flagsOf({ regions: ['eu'] }, {}), [['region = eu', null]], 'nobody knows where it is')
  assert.deepEqual(flagsOf({ memoryBytes: 2 ** 31 }, {}), [['memory >= 2Gi', '--memory 1Gi']])
})

test('a provider that fits is not excluded', () => {
  const { excluded, unexplained, nearest } = explainNoMatch(terms, circumstances(known({})))
  assert.deepEqual([excluded, unexplained, nearest], [[], 1, null])
})
