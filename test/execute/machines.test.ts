/** Both halves of the execution of one lease, row by row of protocols/execute/README.md. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  awaitStart,
  openResult,
  sealResult,
  start,
  stepTask,
  stepWatch,
  taskWakeAtMs,
  watchWakeAtMs,
  type Execution,
  type ExecutionBody,
  type Exit,
  type Grant,
  type StartOrder,
  type TaskInput,
  type TaskState,
  type WatchInput,
  type WatchState,
} from '../../protocols/execute/index.ts'
import type { ResultDocument } from '../../protocols/execute/result.ts'
import { cidOfDocument } from '../../protocols/wire/index.ts'
import { watchedLease, workedLease } from '../../src/market/terms.ts'
import {
  asker,
  checkStep,
  deeds,
  leaseOf,
  messageOf,
  nobody,
  provider,
  requester,
  startMs,
  stranger,
  worker,
} from '../negotiate/parties.ts'
import { documentOf } from '../receipt/accounts.ts'

const lease = leaseOf()
const [watched, worked] = [watchedLease(lease), workedLease(lease)]
const program: Grant = {
  guestPath: '',
  kind: 'module',
  manifest: new Uint8Array(),
  key: new Uint8Array(),
  sources: [],
  inline: Uint8Array.of(0),
}
const order: StartOrder = { module: program, inputs: [], outputKey: new Uint8Array(32), outputKeepers: [] }
const outputs: Grant = { ...program, kind: 'tar', guestPath: '/in/out', manifest: Uint8Array.of(1) }
const document = documentOf(lease)
const cid = cidOfDocument(Uint8Array.of(1))

const says = (body: ExecutionBody, over: { lease?: string; from?: string } = {}) => ({
  is: 'message' as const,
  from: over.from ?? provider,
  message: { lease: lease.id, ...body, ...(over.lease === undefined ? {} : { lease: over.lease }) } as Execution,
})
const asks = (body: ExecutionBody, over: { lease?: string; from?: string } = {}) =>
  says(body, { from: requester, ...over })
const resulting = (over: Partial<ResultDocument> = {}, by = worker, read: Grant | null = null): ExecutionBody => ({
  say: 'result',
  result: { statement: sealResult(by, { ...document, ...over }).envelope, outputs: read },
})
const progress: ExecutionBody = {
  say: 'progress',
  progress: { stage: 'running', wallMs: 1, cpuMs: 1, memoryBytes: 1, gas: 1 },
}
const wake = { is: 'wake' } as const
const restarted = { is: 'restarted' } as const

// The requester's states.
const [starting, begun] = start(watched, order, startMs)
const watch = (state: WatchState, input: WatchInput, atMs = 10) => stepWatch(asker, state, input, startMs + atMs)
const [running] = watch(starting, says({ say: 'started' }))
const [cancelling] = watch(running, { is: 'cancel' }, 20)
const [ended] = watch(running, says(resulting()), 20)
const [lost] = watch(running, says({ say: 'unknown' }), 20)
const watchStates: readonly WatchState[] = [starting, running, cancelling, ended, lost]

// The provider's.
const exit: Exit = {
  reason: 'exited',
  exitCode: 0,
  detail: '',
  stdout: document.stdout,
  stderr: document.stderr,
  usage: document.usage,
  outputBytes: 5,
  outputFiles: 1,
  outputsSha256: 'ab'.repeat(32),
  image: null,
}
const exited = (hasOutputs: boolean): TaskInput => ({ is: 'exited', exit, hasOutputs })
const failed: TaskInput = { is: 'failed', reason: 'inputs-missing', detail: 'no shards' }
const sealed: TaskInput = { is: 'sealed', cid, outputs }
const work = (state: TaskState, input: TaskInput, atMs = 10) => stepTask(worker, state, input, startMs + atMs)
const [waiting] = awaitStart(worked, startMs)
const [staging] = work(waiting, asks({ say: 'start', order }))
const [atWork] = work(staging, { is: 'staged' }, 20)
const [killed] = work(atWork, asks({ say: 'cancel' }), 30)
const [sealing] = work(atWork, exited(true), 40)
const [reporting] = work(atWork, exited(false), 40)
const [done] = work(reporting, asks({ say: 'result-seen' }), 50)
const [abandoned] = work(waiting, wake, 10_000)
const taskStates: readonly TaskState[] = [waiting, staging, atWork, killed, sealing, reporting, done, abandoned]

test('START is sent when there is a lease, and saved before', () => {
  assert.deepEqual(deeds(begun), ['save', 'send START'])
  assert.deepEqual(
    watchStates.map(({ at }) => at),
    ['starting', 'running', 'running', 'ended', 'lost'],
  )
  assert.deepEqual(
    taskStates.map(({ at }) => at),
    ['waiting', 'staging', 'running', 'running', 'sealing', 'reporting', 'done', 'done'],
  )
})

const runs = ['running', 'save', 'tell started']
const ends = ['ended', 'record result', 'save', 'send RESULT-SEEN', 'tell ended']
const loses = ['lost', 'save', 'send CANCEL', 'tell lost']
const cancels = ['running', 'save', 'send CANCEL']

const watchRows: readonly [string, WatchState, WatchInput, number, readonly string[]][] = [
  ['starting: STARTED', starting, says({ say: 'started' }), 10, runs],
  ['starting: PROGRESS, when STARTED was lost', starting, says(progress), 10, runs],
  [
    'starting: PROGRESS of a provider that still waits is no answer to START',
    starting,
    says({ say: 'progress', progress: { stage: 'waiting', wallMs: 0, cpuMs: 0, memoryBytes: 0, gas: 0 } }),
    10,
    ['starting'],
  ],
  ['starting: RESULT, when both were lost', starting, says(resulting()), 10, ends],
  ['starting: UNKNOWN', starting, says({ say: 'unknown' }), 10, loses],
  ['starting: nothing before it is time', starting, wake, 999, ['starting']],
  ['starting: START is repeated', starting, wake, 1_000, ['starting', 'send START']],
  ['starting: START is repeated in the last moment', starting, wake, 7_999, ['starting', 'send START']],
  ['starting: given up after 8 s', starting, wake, 8_000, loses],
  ['starting: START is repeated after a restart', starting, restarted, 500, ['starting', 'send START']],
  ['starting: cancelled', starting, { is: 'cancel' }, 10, cancels],
  [
    'starting: a message of another lease is dropped',
    starting,
    says({ say: 'started' }, { lease: '0'.repeat(64) }),
    10,
    ['starting'],
  ],
  [
    'starting: a message of another peer is dropped',
    starting,
    says({ say: 'started' }, { from: nobody }),
    10,
    ['starting'],
  ],
  [
    'starting: a LOG is nothing here',
    starting,
    says({ say: 'log', channel: 'stdout', offset: 0, bytes: new Uint8Array() }),
    10,
    ['starting'],
  ],
  ['running: PROGRESS', running, says(progress), 20, ['running', 'tell progress']],
  ['running: RESULT', running, says(resulting()), 20, ends],
  ['running: RESULT with outputs', running, says(resulting({ outputs: cid }, worker, outputs)), 20, ends],
  ['running: STARTED twice', running, says({ say: 'started' }), 20, ['running']],
  ['running: silence up to the last moment', running, wake, 10_009, ['running']],
  ['running: given up after the window of the lease', running, wake, 10_010, loses],
  ['running: UNKNOWN', running, says({ say: 'unknown' }), 20, loses],
  ['running: it goes on watching after a restart', running, restarted, 20, ['running']],
  ['running: cancelled', running, { is: 'cancel' }, 20, cancels],
  ['cancelling: once is enough', cancelling, { is: 'cancel' }, 30, ['running']],
  ['cancelling: CANCEL is repeated', cancelling, wake, 1_020, cancels],
  ['cancelling: nothing before it is time', cancelling, wake, 1_019, ['running']],
  ['cancelling: the RESULT ends it', cancelling, says(resulting({ reason: 'cancelled' })), 30, ends],
  ['cancelling: the clock of silence goes on', cancelling, wake, 10_010, loses],
  ['ended: a repeated RESULT is answered', ended, says(resulting()), 30, ['ended', 'send RESULT-SEEN']],
  ['ended: PROGRESS comes too late', ended, says(progress), 30, ['ended']],
  ['ended: cancelling comes too late', ended, { is: 'cancel' }, 30, ['ended']],
  ['ended: a restart is nothing', ended, restarted, 30, ['ended']],
  ['ended: nothing is waited for', ended, wake, 99_000, ['ended']],
  ['lost: whatever still comes is told to stop', lost, says(progress), 30, ['lost', 'send UNKNOWN']],
  ['lost: a RESULT comes too late', lost, says(resulting()), 30, ['lost', 'send UNKNOWN']],
  ['lost: UNKNOWN is not answered', lost, says({ say: 'unknown' }), 30, ['lost']],
  ['lost: a restart is nothing', lost, restarted, 30, ['lost']],
]

for (const [row, state, input, atMs, expected] of watchRows) {
  test(`requester, ${row}`, () => {
    const step = watch(state, input, atMs)
    checkStep<WatchState>(state, step, provider)
    assert.deepEqual([step[0].at, ...deeds(step[1])], expected)
  })
}

test('a RESULT that no honest provider sends is a fault, and changes nothing', () => {
  const rows: readonly [string, ExecutionBody, string][] = [
    ['by another signer', resulting({}, stranger), 'SIGNER_UNEXPECTED'],
    ['of another lease', resulting({ lease: '0'.repeat(64) }), 'FIELD_INVALID'],
    ['of another job', resulting({ job: cid }), 'FIELD_INVALID'],
    ['of another slot', resulting({ slot: 1 }), 'FIELD_INVALID'],
    ['of an older epoch', resulting({ epoch: 0 }), 'FIELD_INVALID'],
    ['with outputs and no way to read them', resulting({ outputs: cid }), 'FIELD_INVALID'],
    ['with a way to read what is not there', resulting({}, worker, outputs), 'FIELD_INVALID'],
    ['that is junk', { say: 'result', result: { statement: Uint8Array.of(1), outputs: null } }, 'FRAME_MALFORMED'],
    ['of another network', resulting({}, { ...worker, network: 'elsewhere' }), 'NETWORK_FOREIGN'],
    [
      'that is too long',
      { say: 'result', result: { statement: new Uint8Array(20_000), outputs: null } },
      'FRAME_TOO_LARGE',
    ],
  ]
  for (const state of [starting, running, cancelling]) {
    for (const [what, body, code] of rows) {
      const step = watch(state, says(body), 20)
      checkStep<WatchState>(state, step, provider)
      const expected = [state.at, `blame ${code}`]
      assert.deepEqual([step[0].at, ...deeds(step[1])], expected, `${state.at}: ${what}`)
    }
  }
})

const stages = ['staging', 'save', 'send STARTED', 'tell stage']
const gone = { is: 'failed', reason: 'provider-failed', detail: 'it is gone' } as const
const reports = ['reporting', 'record result', 'save', 'send RESULT', 'tell reported']
const gives = ['done', 'save', 'tell abandoned']

const taskRows: readonly [string, TaskState, TaskInput, number, readonly string[]][] = [
  ['waiting: START', waiting, asks({ say: 'start', order }), 10, stages],
  ['waiting: CANCEL', waiting, asks({ say: 'cancel' }), 10, reports],
  ['waiting: UNKNOWN', waiting, asks({ say: 'unknown' }), 10, gives],
  ['waiting: it says that it waits', waiting, wake, 1_000, ['waiting', 'send PROGRESS']],
  ['waiting: nothing before it is time', waiting, wake, 999, ['waiting']],
  ['waiting: given up after the window of the lease', waiting, wake, 10_000, gives],
  ['waiting: a restart waits anew', waiting, restarted, 9_000, ['waiting']],
  ['waiting: its owner stops it', waiting, { is: 'stop' }, 10, reports],
  [
    'waiting: a message of another lease is dropped',
    waiting,
    asks({ say: 'start', order }, { lease: '0'.repeat(64) }),
    10,
    ['waiting'],
  ],
  [
    'waiting: a START of another peer is dropped',
    waiting,
    asks({ say: 'start', order }, { from: nobody }),
    10,
    ['waiting'],
  ],
  ['waiting: RESULT_SEEN of nothing', waiting, asks({ say: 'result-seen' }), 10, ['waiting']],
  ['staging: START twice', staging, asks({ say: 'start', order }), 20, ['staging', 'send STARTED']],
  ['staging: what was wanted is here', staging, { is: 'staged' }, 20, ['running', 'save', 'send PROGRESS', 'tell run']],
  ['staging: what was wanted is not to be had', staging, failed, 20, reports],
  ['staging: CANCEL', staging, asks({ say: 'cancel' }), 20, ['staging', 'tell kill']],
  ['staging: UNKNOWN', staging, asks({ say: 'unknown' }), 20, ['staging', 'tell kill']],
  ['staging: its owner stops it', staging, { is: 'stop' }, 20, ['staging', 'tell kill']],
  ['staging: it says each second that it lives', staging, wake, 1_010, ['staging', 'send PROGRESS']],
  ['staging: a restart fetches again', staging, restarted, 20, ['staging', 'tell stage']],
  ['running: START twice', atWork, asks({ say: 'start', order }), 30, ['running', 'send STARTED']],
  ['running: the program ends', atWork, exited(false), 30, reports],
  [
    'running: the program ends with outputs',
    atWork,
    exited(true),
    30,
    ['sealing', 'save', 'send PROGRESS', 'tell seal'],
  ],
  ['running: CANCEL', atWork, asks({ say: 'cancel' }), 30, ['running', 'tell kill']],
  ['running: CANCEL twice', killed, asks({ say: 'cancel' }), 40, ['running']],
  ['running: it says each second that it lives', atWork, wake, 1_020, ['running', 'send PROGRESS']],
  ['running: the program cannot be run', atWork, { is: 'failed', reason: 'provider-failed', detail: '' }, 30, reports],
  ['running: a restart attaches itself again', atWork, restarted, 30, ['running', 'tell attach']],
  ['running: and stops what was cancelled', killed, restarted, 40, ['running', 'tell attach', 'tell kill']],
  ['running: staged twice', atWork, { is: 'staged' }, 30, ['running']],
  ['running: RESULT_SEEN of nothing', atWork, asks({ say: 'result-seen' }), 30, ['running']],
  ['sealing: START twice', sealing, asks({ say: 'start', order }), 50, ['sealing', 'send STARTED']],
  ['sealing: the outputs are placed', sealing, sealed, 50, reports],
  [
    'sealing: the outputs cannot be placed',
    sealing,
    { is: 'failed', reason: 'provider-failed', detail: '' },
    50,
    reports,
  ],
  ['sealing: CANCEL comes too late', sealing, asks({ say: 'cancel' }), 50, ['sealing']],
  ['sealing: it says each second that it lives', sealing, wake, 1_040, ['sealing', 'send PROGRESS']],
  ['sealing: a restart seals again', sealing, restarted, 50, ['sealing', 'tell seal']],
  ['reporting: RESULT_SEEN', reporting, asks({ say: 'result-seen' }), 50, ['done', 'save', 'tell seen']],
  ['reporting: RESULT is repeated', reporting, wake, 1_040, ['reporting', 'send RESULT']],
  ['reporting: nothing before it is time', reporting, wake, 1_039, ['reporting']],
  ['reporting: given up after the window of the lease', reporting, wake, 10_040, gives],
  ['reporting: UNKNOWN', reporting, asks({ say: 'unknown' }), 50, gives],
  ['reporting: CANCEL gets the RESULT', reporting, asks({ say: 'cancel' }), 50, ['reporting', 'send RESULT']],
  ['reporting: START gets the RESULT', reporting, asks({ say: 'start', order }), 50, ['reporting', 'send RESULT']],
  ['reporting: a restart repeats the RESULT', reporting, restarted, 50, ['reporting', 'send RESULT']],
  ['done: CANCEL gets the RESULT', done, asks({ say: 'cancel' }), 60, ['done', 'send RESULT']],
  ['done: START gets the RESULT', done, asks({ say: 'start', order }), 60, ['done', 'send RESULT']],
  ['done: RESULT_SEEN twice', done, asks({ say: 'result-seen' }), 60, ['done']],
  ['done: its owner stops it', done, { is: 'stop' }, 60, ['done']],
  ['done: a restart is nothing', done, restarted, 60, ['done']],
  ['done: nothing is waited for', done, wake, 99_000, ['done']],
  ['done without a START: START comes too late', abandoned, asks({ say: 'start', order }), 10_010, ['done']],
]

for (const [row, state, input, atMs, expected] of taskRows) {
  test(`provider, ${row}`, () => {
    const step = work(state, input, atMs)
    checkStep<TaskState>(state, step, requester)
    assert.deepEqual([step[0].at, ...deeds(step[1])], expected)
  })
}

const reported = (state: TaskState): ResultDocument => {
  assert.ok(state.at === 'reporting' && state.message.say === 'result')
  const opened = openResult(asker, state.message.result.statement)
  assert.deepEqual([opened.by, opened.cid], [provider, state.cid])
  assert.deepEqual(opened.body, state.document)
  return opened.body
}

test('the RESULT says how it ended', () => {
  const rows: readonly [string, TaskState, ResultDocument['reason'], string][] = [
    ['the program', reporting, 'exited', ''],
    ['cancelled before it began', work(waiting, asks({ say: 'cancel' }))[0], 'cancelled', 'cancelled before it began'],
    ['stopped before it began', work(waiting, { is: 'stop' })[0], 'provider-failed', 'stopped by its owner'],
    ['inputs missing', work(staging, failed)[0], 'inputs-missing', 'no shards'],
    [
      'cancelled while it was fetched',
      work(work(staging, asks({ say: 'cancel' }))[0], { is: 'staged' })[0],
      'cancelled',
      'cancelled before it began',
    ],
    [
      'cancelled, and the fetching failed by that',
      work(work(staging, asks({ say: 'cancel' }))[0], failed)[0],
      'cancelled',
      'no shards',
    ],
    ['gone when its provider came back', work(work(atWork, restarted)[0], gone)[0], 'provider-failed', 'it is gone'],
    [
      'the outputs not placed',
      work(sealing, { is: 'failed', reason: 'provider-failed', detail: 'full' })[0],
      'provider-failed',
      'full',
    ],
  ]
  for (const [what, state, reason, detail] of rows) {
    const body = reported(state)
    assert.deepEqual([body.reason, body.detail, body.outputs], [reason, detail, null], what)
  }
  const whole = reported(work(sealing, sealed)[0])
  assert.deepEqual([whole.outputs, whole.outputBytes, whole.outputFiles, whole.exitCode], [cid, 5, 1, 0])
  const long = work(staging, { ...failed, detail: 'x'.repeat(5_000) })[0]
  assert.equal(reported(long).detail.length, 1_000)
})

test('the RESULT that the provider makes is the one that the requester takes', () => {
  for (const state of [reporting, work(sealing, sealed)[0], work(atWork, gone)[0]]) {
    assert.ok(state.at === 'reporting')
    const [next, effects] = watch(running, says(state.message), 60)
    assert.deepEqual([next.at, ...deeds(effects)], ends)
    assert.ok(next.at === 'ended' && next.result.cid === state.cid)
  }
})

test('a RESULT that is repeated is the same, byte for byte', () => {
  assert.ok(reporting.at === 'reporting')
  for (const input of [wake, restarted, asks({ say: 'cancel' })] as const) {
    const [, [effect]] = work(reporting, input, 1_040)
    assert.deepEqual(messageOf(effect!), { lease: lease.id, ...reporting.message })
  }
})

test('PROGRESS says what the meter said last', () => {
  const [metered, silent] = work(atWork, { is: 'metered', meter: { wallMs: 7, cpuMs: 6, memoryBytes: 5, gas: 4 } }, 30)
  assert.deepEqual(silent, [])
  const [, [effect]] = work(metered, wake, 1_020)
  assert.deepEqual(messageOf(effect!), {
    lease: lease.id,
    say: 'progress',
    progress: { stage: 'running', wallMs: 7, cpuMs: 6, memoryBytes: 5, gas: 4 },
  })
})

test('whatever is heard of the provider is a sign of life', () => {
  const [heard] = watch(running, says({ say: 'started' }), 9_000)
  assert.equal(watchWakeAtMs(heard), startMs + 9_000 + watched.reclaimMs)
  const [stale] = watch(running, says({ say: 'started' }, { from: nobody }), 9_000)
  assert.equal(watchWakeAtMs(stale), startMs + 10 + watched.reclaimMs)
})

test('what each side waits for can be read off its state', () => {
  assert.deepEqual(
    watchStates.map((state) => (watchWakeAtMs(state) ?? NaN) - startMs),
    [1_000, 10_010, 1_020, NaN, NaN],
  )
  assert.deepEqual(
    taskStates.map((state) => (taskWakeAtMs(state) ?? NaN) - startMs),
    [1_000, 1_010, 1_010, 1_010, 1_040, 1_040, NaN, NaN],
  )
})

const bodies: readonly ExecutionBody[] = [
  { say: 'start', order },
  { say: 'started' },
  { say: 'follow', stdoutOffset: 0, stderrOffset: 0, creditBytes: 0 },
  { say: 'log', channel: 'stderr', offset: 0, bytes: new Uint8Array(3) },
  progress,
  { say: 'cancel' },
  resulting(),
  resulting({ epoch: 9 }),
  resulting({}, stranger),
  { say: 'result-seen' },
  { say: 'unknown' },
]
const senders = { from: fc.constantFrom(provider, requester, nobody), lease: fc.constantFrom(lease.id, '0'.repeat(64)) }
const anyMessage = fc.tuple(fc.constantFrom(...bodies), fc.record(senders)).map(([body, over]) => says(body, over))
const passes = fc.constantFrom(0, 0, 10, 1_000, 4_000)
const walkOf = <Input>(more: readonly Input[]) =>
  fc.array(fc.tuple(fc.oneof({ weight: 3, arbitrary: anyMessage }, fc.constantFrom(...more)), passes), { maxLength: 8 })

test('any input in any state: a fault changes nothing, writing comes before saying, and what has ended stays ended', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...watchStates),
      walkOf<WatchInput>([wake, restarted, { is: 'cancel' }]),
      (from, steps) => {
        let state = from
        let atMs = 0
        for (const [input, passesMs] of steps) {
          atMs += passesMs
          const step = watch(state, input, atMs)
          checkStep<WatchState>(state, step, provider)
          if (state.at === 'ended' || state.at === 'lost') assert.equal(step[0], state)
          if (step[0].at !== state.at) assert.ok(deeds(step[1]).includes('save'), `${state.at} > ${step[0].at}`)
          state = step[0]
        }
      },
    ),
    { numRuns: 200 },
  )
  const turns = ['waiting', 'staging', 'running', 'sealing', 'reporting', 'done']
  fc.assert(
    fc.property(
      fc.constantFrom(...taskStates),
      walkOf<TaskInput>([
        wake,
        restarted,
        { is: 'stop' },
        { is: 'staged' },
        exited(true),
        exited(false),
        sealed,
        failed,
      ]),
      (from, steps) => {
        let state = from
        let atMs = 0
        for (const [input, passesMs] of steps) {
          atMs += passesMs
          const step = work(state, input, atMs)
          checkStep<TaskState>(state, step, requester)
          assert.ok(turns.indexOf(step[0].at) >= turns.indexOf(state.at), `${state.at} > ${step[0].at}: never back`)
          if (step[0].at !== state.at) assert.ok(deeds(step[1]).includes('save'), `${state.at} > ${step[0].at}`)
          // One RESULT in all: two would contradict each other.
          const records = deeds(step[1]).filter((deed) => deed === 'record result').length
          assert.equal(records, state.at !== 'reporting' && step[0].at === 'reporting' ? 1 : 0)
          state = step[0]
        }
      },
    ),
    { numRuns: 200 },
  )
})
