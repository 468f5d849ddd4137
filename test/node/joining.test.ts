import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ControlError } from '../../src/control/api.ts'
import { checkJoined, connectionWarnings } from '../../src/node/joining.ts'

const line = (peer: string, network: string | undefined) => ({ peer, network })

test('an owner is told when there is nobody, or nobody of the same network', () => {
  assert.deepEqual(connectionWarnings([], 'main'), ['no other peer is connected'])
  assert.deepEqual(connectionWarnings([line('a', undefined)], 'main'), [], 'it has not said yet')
  assert.deepEqual(connectionWarnings([line('a', 'main')], 'main'), [])
  assert.deepEqual(connectionWarnings([line('a', 'trial'), line('b', 'main')], 'main'), [])
  assert.deepEqual(connectionWarnings([line('a', 'trial'), line('b', undefined)], 'main'), [])
  const [warning, ...others] = connectionWarnings([line('a', 'trial'), line('b', 'other')], 'main')
  assert.deepEqual(others, [])
  assert.match(warning!, /another network \(trial, this peer of main\).*pleach up --network trial, or --bootstrap/)
})

test('to join a peer of another network is told as such', () => {
  const lines = [line('a', 'trial'), line('b', 'main'), line('c', undefined)]
  assert.throws(
    () => checkJoined('/ip4/1.2.3.4', 'a', lines, 'main'),
    (error) =>
      error instanceof ControlError &&
      error.code === 'NETWORK_FOREIGN' &&
      /it is of trial, and this one of main/.test(error.why),
  )
  for (const peer of ['b', 'c', 'gone']) checkJoined('/ip4/1.2.3.4', peer, lines, 'main')
})
