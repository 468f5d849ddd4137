// What the bulletin makes of answers that honest libraries would not give: kad-dht itself is played by the test.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { realClock } from '../../src/environment.ts'
import { createBulletin } from '../../src/host/bulletin.ts'
import { memorySequenceFloors } from '../../src/host/index.ts'
import { createRecordJudge } from '../../src/host/record-judge.ts'
import { bytes, inTime, numbered } from './network.ts'

const path = { index: 0, queued: 0, running: 0, total: 0 }
const answer = (value: string) => ({
  name: 'PEER_RESPONSE',
  messageName: 'GET_VALUE',
  from: 'x',
  record: { value: bytes(value) },
  path,
})
const correcting = { name: 'SEND_QUERY', path: { ...path, index: -1 } }
const acknowledged = (from: string, value = '1:a') => ({
  name: 'PEER_RESPONSE',
  messageName: 'PUT_VALUE',
  from,
  record: { value: bytes(value) },
  path,
})

/** A bulletin over a DHT that gives these events, one list for each call, and throws what is thrown. */
const bulletinOf = (calls: (object | Error)[][], stored?: string) => {
  const floors = memorySequenceFloors()
  const judge = createRecordJudge([numbered], 4096, realClock)
  let read = 0
  const play = async function* () {
    for (const event of calls.shift() ?? []) {
      if (event instanceof Error) throw event
      read += 1
      yield event
    }
  }
  const bulletin = createBulletin({
    dht: { get: play, put: play } as never,
    self: 'me',
    judge,
    floors,
    datastore: { storedValue: () => (stored === undefined ? undefined : bytes(stored)) },
    isConnected: () => false,
  })
  return { bulletin, read: () => read }
}
const get = async ({ bulletin }: ReturnType<typeof bulletinOf>): Promise<string | undefined> => {
  const value = await bulletin.get('numbered', bytes('ann'), inTime())
  return value === undefined ? undefined : new TextDecoder().decode(value)
}

describe('a look-up', () => {
  test('takes the best of all answers and of our own', async () => {
    assert.equal(await get(bulletinOf([[answer('1:a'), answer('3:c'), answer('2:b')]])), '3:c')
    assert.equal(await get(bulletinOf([[answer('1:a')]], '2:b')), '2:b')
    assert.equal(await get(bulletinOf([[answer('3:c')]], '2:b')), '3:c')
    assert.equal(await get(bulletinOf([[]], '2:b')), '2:b')
    assert.equal(await get(bulletinOf([[]])), undefined)
  })

  test('does not wait for kad-dht to correct others, nor lose the answer when that fails', async () => {
    const world = bulletinOf([[answer('2:b'), correcting, correcting, correcting]])
    assert.equal(await get(world), '2:b')
    assert.equal(world.read(), 2)
    assert.equal(await get(bulletinOf([[answer('2:b'), new Error('Could not send correction')]])), '2:b')
    await assert.rejects(get(bulletinOf([[new Error('no network')]])), /no network/)
  })

  test('does not believe a record older than one it has seen, nor another of the same number', async () => {
    const world = bulletinOf([
      [answer('5:e')],
      [answer('4:d')],
      [answer('5:x')],
      [answer('5:x'), answer('5:e')],
      [answer('6:f')],
    ])
    assert.equal(await get(world), '5:e')
    assert.equal(await get(world), undefined)
    assert.equal(await get(world), undefined)
    assert.equal(await get(world), '5:e')
    assert.equal(await get(world), '6:f')
  })

  test('drops values that are lawful no more', async () => {
    assert.equal(await get(bulletinOf([[]], 'expired')), undefined)
  })
})

describe('a put', () => {
  const put = async ({ bulletin }: ReturnType<typeof bulletinOf>, signal = inTime()): Promise<number> =>
    bulletin.put('numbered', bytes('ann'), bytes('1:a'), signal)

  test('counts peers, each once, that repeat the record', async () => {
    const other = { ...acknowledged('d'), messageName: 'FIND_NODE' }
    assert.equal(
      await put(
        bulletinOf([[acknowledged('a'), acknowledged('a'), acknowledged('b'), acknowledged('c', '1:x'), other]]),
      ),
      2,
    )
  })

  test('counts what came before its deadline, and fails when nothing did', async () => {
    const fired = AbortSignal.abort(new Error('late'))
    assert.equal(await put(bulletinOf([[acknowledged('a'), new Error('aborted')]]), fired), 1)
    await assert.rejects(put(bulletinOf([[new Error('aborted')]]), fired), /aborted/)
    await assert.rejects(put(bulletinOf([[acknowledged('a'), new Error('our store is full')]])), /full/)
  })
})
