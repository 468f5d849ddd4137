/** The two machines of the execution of a lease, and whatever may be said to them. */
import {
  awaitStart,
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
import { asker, leaseOf, nobody, provider, requester, startMs, stranger, worker } from '../negotiate/parties.ts'
import { documentOf } from '../receipt/accounts.ts'
import { walk, type Machine } from './walk.ts'

const lease = leaseOf()
const document = documentOf(lease)
const cid = cidOfDocument(Uint8Array.of(1))
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
const exit: Exit = { ...document, outputBytes: 5, outputFiles: 1 }

const results = (over: Partial<ResultDocument>, by = worker, read: Grant | null = null): ExecutionBody => ({
  say: 'result',
  result: { statement: sealResult(by, { ...document, ...over }).envelope, outputs: read },
})

const bodies: readonly ExecutionBody[] = [
  { say: 'start', order },
  { say: 'started' },
  { say: 'follow', stdoutOffset: 0, stderrOffset: 0, creditBytes: 0 },
  { say: 'log', channel: 'stderr', offset: 0, bytes: new Uint8Array(3) },
  { say: 'progress', progress: { stage: 'running', wallMs: 1, cpuMs: 1, memoryBytes: 1, gas: 1 } },
  { say: 'progress', progress: { stage: 'waiting', wallMs: 0, cpuMs: 0, memoryBytes: 0, gas: 0 } },
  { say: 'cancel' },
  results({}),
  results({ outputs: cid }, worker, outputs),
  results({ outputs: cid }),
  results({ epoch: 9 }),
  results({ lease: '0'.repeat(64) }),
  results({}, stranger),
  results({}, { ...worker, network: 'elsewhere' }),
  { say: 'result', result: { statement: sealResult(worker, document).envelope.with(-1, 0), outputs: null } },
  { say: 'result', result: { statement: Uint8Array.of(1), outputs: null } },
  { say: 'result', result: { statement: new Uint8Array(20_000), outputs: null } },
  { say: 'result-seen' },
  { say: 'unknown' },
]

function* messages(from: string): Generator<[string, { is: 'message'; from: string; message: Execution }]> {
  for (const body of bodies) {
    yield [body.say, { is: 'message', from, message: { lease: lease.id, ...body } }]
    yield [body.say, { is: 'message', from: nobody, message: { lease: lease.id, ...body } }]
    yield [body.say, { is: 'message', from, message: { ...body, lease: '0'.repeat(64) } }]
  }
}

const task: Machine<TaskState, TaskInput> = {
  protocol: 'execute',
  name: 'stepTask',
  begins: [{ on: 'awaitStart', step: awaitStart(workedLease(lease), startMs), atMs: startMs }],
  nameOf: ({ at }) => at,
  *inputs() {
    yield* messages(requester)
    const own: readonly TaskInput[] = [
      { is: 'staged' },
      { is: 'exited', exit, hasOutputs: true },
      { is: 'exited', exit, hasOutputs: false },
      { is: 'sealed', cid, outputs },
      { is: 'failed', reason: 'inputs-missing', detail: '' },
      { is: 'metered', meter: { wallMs: 7, cpuMs: 7, memoryBytes: 7, gas: 7 } },
      { is: 'metered', meter: { wallMs: 8, cpuMs: 8, memoryBytes: 8, gas: 8 } },
      { is: 'wake' },
      { is: 'restarted' },
      { is: 'stop' },
    ]
    for (const input of own) yield [input.is, input]
  },
  step: (state, input, nowMs) => stepTask(worker, state, input, nowMs),
  wakeAtMs: taskWakeAtMs,
  wake: { is: 'wake' },
  final: ['done'],
  other: requester,
}

const watch: Machine<WatchState, WatchInput> = {
  protocol: 'execute',
  name: 'stepWatch',
  begins: [{ on: 'start', step: start(watchedLease(lease), order, startMs), atMs: startMs }],
  nameOf: ({ at }) => at,
  *inputs() {
    yield* messages(provider)
    yield ['wake', { is: 'wake' }]
    yield ['restarted', { is: 'restarted' }]
    yield ['cancel', { is: 'cancel' }]
  },
  step: (state, input, nowMs) => stepWatch(asker, state, input, nowMs),
  wakeAtMs: watchWakeAtMs,
  wake: { is: 'wake' },
  final: ['ended', 'lost'],
  other: provider,
}

export const executeMachines = [() => walk(task), () => walk(watch)]
