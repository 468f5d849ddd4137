/** The one machine of a forwarded connection, from both sides. What breaks the protocol it throws. */
import {
  askToOpen,
  awaitOpen,
  connectionWakeAtMs,
  stepConnection,
  type ConnectionEffect,
  type ConnectionInput,
  type ConnectionState,
  type Forward,
} from '../../protocols/forward/index.ts'
import { Fault, refusal } from '../../protocols/wire/index.ts'
import { startMs } from '../negotiate/parties.ts'
import { passedOn, walk, type Done, type Machine } from './walk.ts'

const lease = 'ab'.repeat(32)
const bytes = Uint8Array.of(1)
const because = refusal(passedOn)
const doneOf = (effect: ConnectionEffect): Done =>
  effect.do === 'send' ? { do: 'send', message: { say: effect.message.say } } : { do: effect.do }
const frames: readonly Forward[] = [
  { say: 'open', lease, port: 80 },
  { say: 'opened' },
  { say: 'refused', refusal: because },
  { say: 'data', bytes },
  { say: 'end' },
]
const [asking, asked] = askToOpen(lease, 80)

const connection: Machine<ConnectionState, ConnectionInput> = {
  protocol: 'forward',
  name: 'stepConnection',
  begins: [
    { on: 'askToOpen', step: [asking, asked.map(doneOf)], atMs: startMs },
    { on: 'awaitOpen', step: [awaitOpen, []], atMs: startMs },
  ],
  nameOf: (state) => (state.at === 'open' && (state.said || state.heard) ? 'half-closed' : state.at),
  *inputs() {
    for (const message of frames) yield [message.say, { is: 'frame', message }]
    yield ['connected', { is: 'connected' }]
    yield ['refuse', { is: 'refuse', refusal: because }]
    yield ['came', { is: 'came', bytes }]
    yield ['ended', { is: 'ended' }]
    yield ['broken', { is: 'broken' }]
    yield ['wake', { is: 'wake' }]
  },
  step: (state, input, nowMs) => {
    try {
      const [next, effects] = stepConnection(state, input, nowMs)
      return [next, effects.map(doneOf)]
    } catch (error) {
      if (error instanceof Fault) return [state, [{ do: 'blame', fault: error }]]
      throw error
    }
  },
  wakeAtMs: connectionWakeAtMs,
  wake: { is: 'wake' },
  final: ['over'],
  other: undefined,
}

export const forwardMachines = [() => walk(connection)]
