import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  creditLeavesMax,
  offerShard,
  receive,
  stepReceiver,
  stepSender,
  type ReceiverState,
  type ReceiverStep,
  type SenderState,
} from '../../protocols/transfer/index.ts'
import { allLeaves, block, isFault, leaves, root, shardBytes } from './other-peer.ts'

test('however blocks and writes fall in time, every leaf comes once and the credit is never passed', () => {
  // Some twice, so that there are several credits' worth.
  const needed = fc.array(fc.nat(70), { minLength: 1, maxLength: 400, size: 'max' })
  fc.assert(
    fc.property(needed, fc.array(fc.boolean(), { minLength: 300, maxLength: 300 }), (wanted, writesFirst) => {
      let receiver: ReceiverState
      let sender: SenderState = offerShard(shardBytes)
      const [onWire, unwritten, written]: [number[], number[], number[]] = [[], [], []]
      let finished = false
      const carryOut = ([state, effects]: ReceiverStep): void => {
        receiver = state
        for (const effect of effects) {
          if (effect.do === 'finish') finished = true
          else if (effect.do === 'write') {
            assert.deepEqual(effect.bytes, leaves[effect.leaf])
            unwritten.push(effect.leaf)
          } else if (effect.message.say === 'want') {
            const { firstLeaf, count } = effect.message
            const [next, sends] = stepSender(sender, { is: 'want', firstLeaf, count })
            sender = next
            for (const { leaf } of sends) {
              onWire.push(leaf)
              ;[sender] = stepSender(sender, { is: 'sent' })
            }
          }
        }
        assert.ok(onWire.length + unwritten.length <= creditLeavesMax, 'under way and not written')
      }
      carryOut(receive(root, shardBytes, wanted))
      for (let turn = 0; !finished; turn++) {
        assert.ok(onWire.length + unwritten.length > 0, 'it does not come to a stop')
        const write = unwritten.length > 0 && (writesFirst[turn % 300]! || onWire.length === 0)
        if (write) {
          written.push(unwritten.shift()!)
          carryOut(stepReceiver(receiver!, { is: 'written' }))
        } else {
          const { leaf, proof, bytes } = block(onWire.shift()!)
          carryOut(stepReceiver(receiver!, { is: 'block', leaf, proof, bytes }))
        }
      }
      assert.deepEqual(written, wanted)
    }),
    { numRuns: 30 },
  )
})

test('a block beyond the credit is a fault and changes nothing', () => {
  let [state] = receive(root, shardBytes, allLeaves)
  for (let leaf = 0; leaf < creditLeavesMax; leaf++) [state] = stepReceiver(state, { is: 'block', ...block(leaf) })
  const before = structuredClone(state)
  assert.throws(() => stepReceiver(state, { is: 'block', ...block(creditLeavesMax) }), isFault('CREDIT_EXCEEDED'))
  assert.deepEqual(state, before)
})

test('nothing needed is finished at once', () => {
  assert.deepEqual(receive(root, shardBytes, [])[1], [{ do: 'finish' }])
})

test('a sender owes no more than the credit, however it is asked', () => {
  let state = offerShard(shardBytes)
  for (let leaf = 0; leaf < creditLeavesMax; leaf++)
    [state] = stepSender(state, { is: 'want', firstLeaf: leaf, count: 1 })
  assert.throws(() => stepSender(state, { is: 'want', firstLeaf: 0, count: 1 }), isFault('CREDIT_EXCEEDED'))
  ;[state] = stepSender(state, { is: 'sent' })
  assert.doesNotThrow(() => stepSender(state, { is: 'want', firstLeaf: 0, count: 1 }))
})
