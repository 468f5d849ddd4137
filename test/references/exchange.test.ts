// References over joined channels; what no honest peer shows is shown by hand.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  createReferences,
  decodeReferring,
  encodeReferring,
  openReferences,
  questionsPerPeerMax,
  referencesLimits,
  referencesMax,
  referencesProtocol,
  type ShownReference,
} from '../../protocols/references/index.ts'
import { Fault, RefusedError } from '../../protocols/wire/index.ts'
import { realClock } from '../../src/environment.ts'
import { asker, stranger, worker } from '../spec/vectors/kinds.ts'
import { countersigned, last, single } from '../spec/vectors/references.ts'
import { Switchboard } from '../support/channel-pair.ts'

const never = new AbortController().signal
const faultWith = (code: string) => (error: unknown) => error instanceof Fault && error.code === code
type Party = typeof asker

async function stage(shown: () => readonly ShownReference[]) {
  const board = new Switchboard()
  const of = (notary: Party) =>
    createReferences({ streams: board.streamsOf(notary.signer.peer), timekeeper: realClock, notary, shown })
  await of(worker).serve()
  return { board, of, ask: async (notary: Party) => of(notary).ask(worker.signer.peer, never) }
}

test('who worked shows for whom, and both signatures are checked', async () => {
  const ofStranger = countersigned(single({ lease: 'ab'.repeat(32), requester: stranger.signer.peer }), stranger)
  const { ask } = await stage(() => [last, ofStranger])
  const shown = await ask(stranger)
  assert.deepEqual(
    shown.map(({ by, unit }) => [by, unit]),
    [
      [asker.signer.peer, 'credit'],
      [stranger.signer.peer, 'credit'],
    ],
  )
  assert.ok(shown.every(({ amountMicro }) => amountMicro > 0))
})

test('who worked for nobody says so', async () => {
  const { ask, board } = await stage(() => [])
  assert.deepEqual(await ask(asker), [])
  assert.deepEqual(board.faults, [])
})

test('one bad reference among good ones is the shower’s fault, and none of them counts', async () => {
  const bad: [ShownReference, string][] = [
    [
      { ...last, countersignature: last.countersignature.with(-1, last.countersignature.at(-1)! ^ 1) },
      'SIGNATURE_INVALID',
    ],
    [countersigned(single({ lease: 'cd'.repeat(32) }), stranger), 'SIGNER_UNEXPECTED'],
    [countersigned(single({ lease: 'cd'.repeat(32) }, stranger)), 'SIGNER_UNEXPECTED'],
    [
      { ...countersigned(single({ lease: 'cd'.repeat(32) })), countersignature: last.countersignature },
      'PROOF_INVALID',
    ],
    [countersigned(single({ lease: 'cd'.repeat(32), final: false, result: '' })), 'FIELD_INVALID'],
    [last, 'FIELD_INVALID'],
  ]
  for (const [one, code] of bad) {
    const { ask } = await stage(() => [last, one])
    await assert.rejects(ask(stranger), faultWith(code), code)
  }
})

test('who asks too often is refused, and others are not', async () => {
  const { ask } = await stage(() => [last])
  for (let count = 0; count < questionsPerPeerMax; count++) await ask(asker)
  await assert.rejects(ask(asker), (error) => error instanceof RefusedError && error.code === 'BUSY')
  assert.equal((await ask(stranger)).length, 1)
})

test('a question in the place of an answer, an answer in that of a question, and nonsense are faults', async () => {
  const question = encodeReferring({ say: 'question' })
  for (const [bytes, code] of [
    [question, 'OUT_OF_TURN'],
    [Uint8Array.of(0xff), 'FRAME_MALFORMED'],
    [new Uint8Array(), 'FIELD_INVALID'],
  ] as const) {
    const { board, of } = await stage(() => [])
    await board.streamsOf(stranger.signer.peer).handle(referencesProtocol, referencesLimits, async (channel) => {
      await channel.read(never)
      await channel.write(bytes, never)
      await channel.close(never)
    })
    await assert.rejects(of(asker).ask(stranger.signer.peer, never), faultWith(code), code)
  }
  const { board } = await stage(() => [])
  const channel = await board
    .streamsOf(asker.signer.peer)
    .open(worker.signer.peer, referencesProtocol, referencesLimits, never)
  await channel.write(encodeReferring({ say: 'references', shown: [] }), never)
  await assert.rejects(async () => {
    if ((await channel.read(never)) === undefined) throw new Error('closed')
  })
  assert.ok(board.faults.some(({ error }) => faultWith('OUT_OF_TURN')(error)))
})

test('every flipped bit of what is shown is a fault, or says the same', () => {
  const frame = encodeReferring({ say: 'references', shown: [last] })
  const shower = worker.signer.peer
  const read = (bytes: Uint8Array) => {
    const message = decodeReferring(bytes)
    return message.say === 'references' ? openReferences(asker, shower, message.shown) : []
  }
  const right = read(frame)
  for (let bit = 0; bit < frame.byteLength * 8; bit++) {
    const bent = frame.slice()
    bent[bit >> 3]! ^= 1 << (bit & 7)
    try {
      const got = read(bent)
      if (got.length > 0) assert.deepEqual(got, right, `bit ${bit}`)
    } catch (error) {
      assert.ok(error instanceof Fault, `bit ${bit}: ${String(error)}`)
    }
  }
})

test('an answer is as long as it may be', () => {
  const shown = Array.from({ length: referencesMax }, () => last)
  assert.ok(encodeReferring({ say: 'references', shown }).byteLength <= referencesLimits.frameBytesMax)
})
