/** The two machines of a transfer. They know no time; what breaks the protocol they throw. */
import {
  creditLeavesMax,
  offerShard,
  receive,
  stepReceiver,
  stepSender,
  type ReceiverEffect,
  type ReceiverInput,
  type ReceiverState,
  type SenderEffect,
  type SenderInput,
  type SenderState,
} from '../../protocols/transfer/index.ts'
import { Fault } from '../../protocols/wire/index.ts'
import { startMs } from '../negotiate/parties.ts'
import { allLeaves, block, root, shardBytes } from '../transfer/other-peer.ts'
import { walk, type Done, type Machine, type Stepped } from './walk.ts'

/** A machine that throws the other's fault, as one that says it. */
function caught<State>(state: State, step: () => Stepped<State>): Stepped<State> {
  try {
    return step()
  } catch (error) {
    if (error instanceof Fault) return [state, [{ do: 'blame', fault: error }]]
    throw error
  }
}

const doneOf = (effect: ReceiverEffect | SenderEffect): Done =>
  effect.do === 'send-leaf'
    ? { do: 'send', message: { say: 'block' } }
    : effect.do === 'send' && effect.message.say !== 'block'
      ? { do: 'send', message: { say: effect.message.say } }
      : { do: effect.do }

const nameOf = ({ needed, written, isOpen }: ReceiverState): string =>
  written < needed.length ? 'receiving' : isOpen ? 'resting' : 'complete'

/** All leaves asked for that the credit covers, all of those come, all but one of a half written. */
function halfWay(): ReceiverState {
  let [state] = receive(root, shardBytes, allLeaves)
  for (let leaf = 0; leaf < creditLeavesMax; leaf++) [state] = stepReceiver(state, { is: 'block', ...block(leaf) })
  for (let leaf = 1; leaf < creditLeavesMax / 2; leaf++) [state] = stepReceiver(state, { is: 'written' })
  return state
}

const receiver: Machine<ReceiverState, ReceiverInput> = {
  protocol: 'transfer',
  name: 'stepReceiver',
  begins: [[], [0], [3, 4], [3, 5, 70]].flatMap((needed) =>
    [false, true].map((isOpen) => {
      const [state, effects] = receive(root, shardBytes, needed, isOpen)
      return { on: 'receive', step: [state, effects.map(doneOf)] as const, atMs: startMs }
    }),
  ),
  further: [halfWay()],
  nameOf,
  keyOf: ({ needed, asked, come, written, isOpen }) =>
    needed.length > 3 ? `${asked} ${come === asked}` : `${needed.length} ${asked} ${come} ${written} ${isOpen}`,
  *inputs({ needed, come, written, isOpen }) {
    const due = needed[come] ?? 0
    yield ['block', { is: 'block', ...block(due) }]
    yield ['block', { is: 'block', ...block((due + 1) % 71) }]
    yield ['block', { is: 'block', ...block(due), bytes: new Uint8Array(5) }]
    yield ['block', { is: 'block', ...block(due), bytes: new Uint8Array(65_536).fill(255) }]
    // Our own word, said only of what has come.
    if (written < come) yield ['written', { is: 'written' }]
    if (!isOpen) return
    if (needed.length - written < 3) yield ['need', { is: 'need', leaves: [7] }]
    yield ['enough', { is: 'enough' }]
  },
  step: (state, input) =>
    caught(state, () => {
      const [next, effects] = stepReceiver(state, input)
      return [next, effects.map(doneOf)]
    }),
  final: ['complete'],
  other: undefined,
}

const sender: Machine<SenderState, SenderInput> = {
  protocol: 'transfer',
  name: 'stepSender',
  begins: [{ on: 'offerShard', step: [offerShard(shardBytes), []], atMs: startMs }],
  nameOf: ({ owed }) => (owed === 0 ? 'offering' : 'owing'),
  keyOf: ({ owed }) => String(owed),
  *inputs({ owed }) {
    const wants = [
      { firstLeaf: 0, count: 1 },
      { firstLeaf: 0, count: 2 },
      { firstLeaf: 0, count: creditLeavesMax },
      { firstLeaf: 7, count: creditLeavesMax },
      { firstLeaf: 0, count: 0 },
      { firstLeaf: 70, count: 2 },
      { firstLeaf: 0, count: creditLeavesMax + 1 },
    ]
    for (const want of wants) yield ['want', { is: 'want', ...want }]
    if (owed > 0) yield ['sent', { is: 'sent' }]
  },
  step: (state, input) =>
    caught(state, () => {
      const [next, effects] = stepSender(state, input)
      return [next, effects.map(doneOf)]
    }),
  final: [],
  other: undefined,
}

export const transferMachines = [() => walk(receiver), () => walk(sender)]
