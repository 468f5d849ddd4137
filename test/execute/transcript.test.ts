/**
 * The execution of a lease as plays: test/vectors/execute-transcript.txt. Whoever changes a machine reads the difference, and
 * writes it anew with `node --test --test-update-snapshots` only when every changed line is meant.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  awaitStart,
  decodeExecution,
  encodeExecution,
  openResult,
  start,
  stepTask,
  stepWatch,
  taskWakeAtMs,
  watchWakeAtMs,
  type Execution,
  type Exit,
  type Grant,
  type StartOrder,
  type TaskEvent,
  type TaskInput,
  type TaskState,
  type WatchEvent,
  type WatchInput,
  type WatchState,
} from '../../protocols/execute/index.ts'
import { cidOfDocument } from '../../protocols/wire/index.ts'
import { watchedLease, workedLease } from '../../src/market/terms.ts'
import { asker, leaseOf, provider, requester, startMs, worker } from '../negotiate/parties.ts'
import { documentOf } from '../receipt/accounts.ts'
import { Play, lose, playText, type Actor, type Fate, type Language, type Role } from '../support/play.ts'

const lease = leaseOf()
const document = documentOf(lease)
const program: Grant = {
  guestPath: '',
  kind: 'module',
  manifest: new Uint8Array(),
  key: new Uint8Array(),
  sources: [],
  inline: Uint8Array.of(0),
}
const order: StartOrder = { module: program, inputs: [], outputKey: new Uint8Array(32), outputKeepers: [] }
const outputs: Grant = {
  ...program,
  kind: 'tar',
  guestPath: '/in/out',
  manifest: Uint8Array.of(1),
  inline: new Uint8Array(),
}
const exit: Exit = { ...document, outputBytes: 5, outputFiles: 1 }

const language: Language<Execution> = {
  encode: encodeExecution,
  decode: decodeExecution,
  wordOf: (message) => {
    const word = message.say.toUpperCase().replace('-', '_')
    if (message.say === 'progress') return `${word} ${message.progress.stage}`
    return message.say === 'result' ? `${word} ${openResult(asker, message.result.statement).body.reason}` : word
  },
}

interface Plan {
  readonly fate?: Fate
  /** The provider's clock is so far ahead. */
  readonly skewMs?: number
  readonly workMs?: number
  readonly hasOutputs?: boolean
  /** The COMMIT comes so much later to the provider. */
  readonly leasedAfterMs?: number
  /** The program, when its provider comes back. */
  readonly isGone?: boolean
  readonly direct?: (play: Play<Execution>, watch: (atMs: number, input: WatchInput) => void) => void
}

/** The program that the provider runs, and what else it does for its machine. */
function worksOff({ workMs = 1_500, hasOutputs = false, isGone = false }: Plan) {
  return (event: TaskEvent, actor: Actor<TaskInput>) => {
    switch (event.happened) {
      case 'stage':
        return actor.later(100, 'has fetched', { is: 'staged' })
      case 'run':
        return actor.later(workMs, 'program ends', { is: 'exited', exit, hasOutputs })
      case 'attach':
        return isGone
          ? actor.later(50, 'program is gone', { is: 'failed', reason: 'provider-failed', detail: 'it is gone' })
          : actor.later(workMs / 2, 'program ends', { is: 'exited', exit, hasOutputs })
      case 'kill':
        actor.drop()
        return actor.later(50, 'program is killed', {
          is: 'exited',
          exit: { ...exit, reason: 'cancelled', exitCode: null },
          hasOutputs: false,
        })
      case 'seal':
        return actor.later(200, 'has placed', { is: 'sealed', cid: cidOfDocument(Uint8Array.of(1)), outputs })
      case 'reported':
      case 'abandoned':
      case 'seen':
        return undefined
      default:
        return event satisfies never
    }
  }
}

function play(plan: Plan) {
  const stage = new Play(language, startMs, plan.fate)
  const watching: Role<WatchState, WatchInput, Execution, WatchEvent> = {
    peer: requester,
    other: provider,
    step: (state, input, nowMs) => stepWatch(asker, state, input, nowMs),
    wakeAtMs: watchWakeAtMs,
    wake: () => ({ is: 'wake' }),
    hear: (message, from) => ({ is: 'message', from, message }),
    restarted: { is: 'restarted' },
  }
  const working: Role<TaskState, TaskInput, Execution, TaskEvent> = {
    peer: provider,
    other: requester,
    step: (state, input, nowMs) => stepTask(worker, state, input, nowMs),
    wakeAtMs: taskWakeAtMs,
    wake: () => ({ is: 'wake' }),
    hear: (message, from) => ({ is: 'message', from, message }),
    restarted: { is: 'restarted' },
    skewMs: plan.skewMs ?? 0,
    told: worksOff(plan),
  }
  const work = stage.enter('provider', plan.leasedAfterMs ?? 0, 'has the lease', working, (nowMs) =>
    awaitStart(workedLease(lease), nowMs),
  )
  const watch = stage.enter('requester', 0, 'has the lease', watching, (nowMs) =>
    start(watchedLease(lease), order, nowMs),
  )
  plan.direct?.(stage, (atMs, input) => watch.input(atMs, input.is, input))
  stage.run()
  return { lines: stage.lines, faults: stage.faults, ends: [watch.state()!.at, work.state()!.at] }
}

const fromProvider = ['STARTED', 'PROGRESS', 'RESULT']

const scenes: readonly { title: string; plan: Plan; ends: readonly [string, string] }[] = [
  { title: 'nothing is lost', plan: {}, ends: ['ended', 'done'] },
  { title: 'the program leaves outputs', plan: { hasOutputs: true }, ends: ['ended', 'done'] },
  { title: 'START is lost: it is repeated', plan: { fate: lose('START', 1) }, ends: ['ended', 'done'] },
  {
    title: 'START is lost three times: a provider that says that it waits has not had it',
    plan: { fate: lose('START', 3) },
    ends: ['ended', 'done'],
  },
  {
    title: 'START comes before the provider has the lease: it is repeated',
    plan: { leasedAfterMs: 1_500 },
    ends: ['ended', 'done'],
  },
  {
    title: 'STARTED is lost: PROGRESS says as much',
    plan: { fate: lose('STARTED', 1) },
    ends: ['ended', 'done'],
  },
  {
    title: 'STARTED and every PROGRESS are lost: START is answered again',
    plan: { fate: (say, count) => (say === 'PROGRESS' || (say === 'STARTED' && count === 1) ? [] : [10]) },
    ends: ['ended', 'done'],
  },
  { title: 'RESULT is lost: it is repeated', plan: { fate: lose('RESULT', 2) }, ends: ['ended', 'done'] },
  {
    title: 'RESULT_SEEN is lost: the next RESULT is answered',
    plan: { fate: lose('RESULT_SEEN', 1) },
    ends: ['ended', 'done'],
  },
  {
    title: 'RESULT_SEEN never comes: the provider gives the reporting up',
    plan: { fate: lose('RESULT_SEEN', 99) },
    ends: ['ended', 'done'],
  },
  { title: 'every message comes twice', plan: { fate: () => [10, 15] }, ends: ['ended', 'done'] },
  {
    title: 'cancelled: the program is stopped, and what it ran is reported',
    plan: { workMs: 60_000, direct: (_play, input) => input(700, { is: 'cancel' }) },
    ends: ['ended', 'done'],
  },
  {
    title: 'CANCEL and RESULT cross: the RESULT counts',
    plan: { direct: (_play, input) => input(1_615, { is: 'cancel' }) },
    ends: ['ended', 'done'],
  },
  {
    title: 'CANCEL overtakes START: there is nothing to stop, and a RESULT all the same',
    plan: {
      fate: (say) => (say === 'START' ? [300] : [10]),
      direct: (_play, input) => input(50, { is: 'cancel' }),
    },
    ends: ['ended', 'done'],
  },
  {
    title: 'CANCEL is lost: it is repeated',
    plan: { workMs: 60_000, fate: lose('CANCEL', 2), direct: (_play, input) => input(700, { is: 'cancel' }) },
    ends: ['ended', 'done'],
  },
  {
    title: 'the provider is restarted while it waits for START',
    plan: { fate: lose('START', 1), direct: (stage) => stage.restart(500, 'provider') },
    ends: ['ended', 'done'],
  },
  {
    title: 'the provider is restarted while the program runs: it goes on',
    plan: { direct: (stage) => stage.restart(900, 'provider') },
    ends: ['ended', 'done'],
  },
  {
    title: 'the provider is restarted while the program runs, and the program is gone: it says so',
    plan: { isGone: true, direct: (stage) => stage.restart(900, 'provider') },
    ends: ['ended', 'done'],
  },
  {
    title: 'the provider is restarted while it seals the outputs',
    plan: { hasOutputs: true, direct: (stage) => stage.restart(1_750, 'provider') },
    ends: ['ended', 'done'],
  },
  {
    title: 'the provider is restarted while it reports: the same RESULT again',
    plan: { fate: lose('RESULT', 1), direct: (stage) => stage.restart(1_700, 'provider') },
    ends: ['ended', 'done'],
  },
  {
    title: 'the requester is restarted while it starts',
    plan: { fate: lose('START', 1), direct: (stage) => stage.restart(400, 'requester') },
    ends: ['ended', 'done'],
  },
  {
    title: 'the requester is restarted while it watches, and again when it has the RESULT',
    plan: {
      fate: lose('RESULT_SEEN', 1),
      direct: (stage) => stage.restart(900, 'requester').restart(1_640, 'requester'),
    },
    ends: ['ended', 'done'],
  },
  {
    title: 'no answer to START comes through: the place may be awarded again',
    plan: { fate: (say) => (fromProvider.includes(say) ? [] : [10]), workMs: 60_000 },
    ends: ['lost', 'done'],
  },
  {
    title: 'the provider falls silent, and is heard again when it was given up',
    plan: {
      workMs: 12_000,
      fate: (say, count) => (say === 'PROGRESS' && count >= 3 && count <= 13 ? [] : [10]),
    },
    ends: ['lost', 'done'],
  },
  {
    title: 'the provider falls silent for good: each side ends by itself',
    plan: {
      workMs: 3_000,
      fate: (say, count) => (fromProvider.includes(say) && count >= (say === 'RESULT' ? 1 : 3) ? [] : [10]),
    },
    ends: ['lost', 'done'],
  },
  {
    title: 'START never comes: the requester gives the lease up, and says so',
    plan: { fate: (say) => (say === 'START' || say === 'CANCEL' ? [] : [10]) },
    ends: ['lost', 'done'],
  },
  {
    title: 'the lease is not known at the provider (any more)',
    plan: {
      leasedAfterMs: 3_000,
      fate: (say, count) => (say === 'START' && count > 1 ? [] : [10]),
      direct: (stage) => stage.say(15, provider, requester, () => ({ lease: lease.id, say: 'unknown' })),
    },
    ends: ['lost', 'done'],
  },
  {
    title: 'the lease is not known at the requester (any more)',
    plan: {
      workMs: 60_000,
      direct: (stage) => stage.say(500, requester, provider, () => ({ lease: lease.id, say: 'unknown' })),
    },
    ends: ['ended', 'done'],
  },
  {
    title: 'the clock of the provider is an hour ahead: only durations count',
    plan: { skewMs: 3_600_000, fate: lose('START', 1) },
    ends: ['ended', 'done'],
  },
]

test('the plays of an execution are the ones that were reviewed', (t) => {
  const acts = scenes.map(({ title, plan, ends }) => {
    const { lines, faults, ends: ended } = play(plan)
    assert.deepEqual(faults, [], title)
    assert.deepEqual(ended, ends, `${title}\n${lines.join('\n')}`)
    return { title, lines }
  })
  t.assert.fileSnapshot(playText(acts), join(import.meta.dirname, '..', 'vectors', 'execute-transcript.txt'), {
    serializers: [(value: unknown) => value as string],
  })
})

test('whatever is lost, late or doubled: both sides come to an end, and nobody is blamed', () => {
  const copies = fc.oneof(
    { weight: 4, arbitrary: fc.constant([10]) },
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.array(fc.nat(3_000), { maxLength: 3 }) },
  )
  const seen = new Set<string>()
  fc.assert(
    fc.property(
      fc.array(copies, { maxLength: 40 }),
      fc.array(fc.tuple(fc.nat(9_000), fc.constantFrom('provider', 'requester')), { maxLength: 2 }),
      fc.option(fc.nat(4_000)),
      fc.record({ workMs: fc.nat(4_000), hasOutputs: fc.boolean(), leasedAfterMs: fc.nat(2_000) }),
      (fates, restarts, cancelMs, plan) => {
        let sent = 0
        const { lines, faults, ends } = play({
          ...plan,
          fate: () => fates[sent++] ?? [10],
          direct: (stage, input) => {
            for (const [atMs, name] of restarts) stage.restart(atMs, name)
            if (cancelMs !== null) input(cancelMs, { is: 'cancel' })
          },
        })
        const text = lines.join('\n')
        seen.add(ends[0]!)
        assert.deepEqual(faults, [], text)
        assert.ok(ends[0] === 'ended' || ends[0] === 'lost', text)
        assert.equal(ends[1], 'done', text)
        // One RESULT in all, whatever was repeated.
        assert.ok(lines.filter((line) => / ms {2}provider .* writes result,/.test(line)).length <= 1, text)
        // Three messages may be lost without the lease being lost.
        if (fates.length < 4) assert.equal(ends[0], 'ended', text)
      },
    ),
    { numRuns: 150 },
  )
  assert.ok(seen.has('ended'))
})
