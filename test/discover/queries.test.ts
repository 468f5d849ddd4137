// Queries over joined channels; what no honest peer sends is said by hand.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  answerBytesMax,
  createDiscover,
  discoverLimits,
  discoverProtocol,
  encodeDiscovery,
  queriesPerPeerMax,
  type Discovery,
  type Want,
} from '../../protocols/discover/index.ts'
import { Fault, RefusedError, type PeerName } from '../../protocols/wire/index.ts'
import { realClock } from '../../src/environment.ts'
import { Switchboard } from '../support/channel-pair.ts'
import { signer } from '../support/peers.ts'

const never = new AbortController().signal
const [answerer, asker] = [signer(1), signer(2)]
const anybody: Want = { kind: 'anybody' }

async function stage(answer: (want: Want, recordsMax: number, from: PeerName) => readonly Uint8Array[]) {
  const board = new Switchboard()
  const of = (peer: PeerName) => createDiscover({ streams: board.streamsOf(peer), timekeeper: realClock, answer })
  await of(answerer.peer).serve()
  return { board, asks: of(asker.peer) }
}

/** An answerer that says this, whatever it is asked. */
async function saying(...frames: readonly Uint8Array[]) {
  const board = new Switchboard()
  await board.streamsOf(answerer.peer).handle(discoverProtocol, discoverLimits, async (channel) => {
    await channel.read(never)
    for (const frame of frames) await channel.write(frame, never)
    await channel.close(never)
  })
  return createDiscover({ streams: board.streamsOf(asker.peer), timekeeper: realClock, answer: () => [] })
}

const records = (count: number): Discovery => ({
  say: 'records',
  envelopes: Array.from({ length: count }, () => Uint8Array.of(1)),
})
const faultWith = (code: string) => (error: unknown) => error instanceof Fault && error.code === code

test('what is asked is heard as it was meant, and what is answered comes back', async () => {
  const heard: unknown[] = []
  const { asks } = await stage((...question) => {
    heard.push(question)
    return [Uint8Array.of(1), Uint8Array.of(2, 2)]
  })
  assert.deepEqual(await asks.ask(answerer.peer, { kind: 'keep', keepBytes: 7 }, 5, never), [
    Uint8Array.of(1),
    Uint8Array.of(2, 2),
  ])
  assert.deepEqual(heard, [[{ kind: 'keep', keepBytes: 7 }, 5, asker.peer]])
})

test('an answer is cut to what is wanted, and to what a frame holds', async () => {
  const { asks } = await stage(() => Array.from({ length: 64 }, () => new Uint8Array(4_000)))
  assert.equal((await asks.ask(answerer.peer, anybody, 3, never)).length, 3)
  assert.equal((await asks.ask(answerer.peer, anybody, 64, never)).length, Math.floor(answerBytesMax / 4_000))
})

test('who asks too often is refused, and told so', async () => {
  let answered = 0
  const { asks } = await stage(() => {
    answered++
    return []
  })
  for (let count = 0; count < queriesPerPeerMax; count++) await asks.ask(answerer.peer, anybody, 1, never)
  await assert.rejects(
    asks.ask(answerer.peer, anybody, 1, never),
    (error) => error instanceof RefusedError && error.code === 'BUSY',
  )
  assert.equal(answered, queriesPerPeerMax)
})

test('answers that no honest peer gives are faults', async () => {
  const cases: readonly [string, string, Uint8Array][] = [
    ['more than was wanted', 'FIELD_INVALID', encodeDiscovery(records(3))],
    ['a question', 'OUT_OF_TURN', encodeDiscovery({ say: 'query', want: anybody, recordsMax: 1 })],
    ['nothing of this form', 'FRAME_MALFORMED', Uint8Array.of(0x12, 0xff)],
  ]
  for (const [what, code, frame] of cases) {
    const asks = await saying(frame)
    await assert.rejects(asks.ask(answerer.peer, anybody, 2, never), faultWith(code), what)
  }
  const silent = await saying()
  await assert.rejects(silent.ask(answerer.peer, anybody, 2, never), faultWith('OUT_OF_TURN'))
})
