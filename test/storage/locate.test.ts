// Who is asked where an object is, and what becomes of lies.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { toString } from 'uint8arrays'

import { describeObject, encodeObjectManifest } from '../../protocols/erasure/index.ts'
import { placementKey, sealPlacement, type Dossier, type Place } from '../../protocols/placement/index.ts'
import { Fault, RefusedError, refusal, sha256, type PeerName } from '../../protocols/wire/index.ts'
import { realClock } from '../../src/environment.ts'
import { locateObject, ObjectNotFoundError } from '../../src/storage/locate.ts'
import { network, signer } from '../support/peers.ts'

const never = new AbortController().signal
const roots = Array.from({ length: 3 }, (_, shard) => sha256(Uint8Array.of(shard)))
const { cid, bytes: manifest } = encodeObjectManifest(describeObject({ k: 2, m: 1 }, 100, roots))
const [self, owner, keeper, other] = [signer(0), signer(1), signer(2), signer(3)]

function recordBy(by = owner, places: readonly Place[] = [placeAt(keeper.peer)], sequence = 1, pages = 1, page = 0) {
  const nowMs = Date.now()
  return sealPlacement(by, network, {
    object: cid,
    sequence,
    issuedMs: nowMs + sequence,
    expiresMs: nowMs + 60_000,
    withdrawn: false,
    page,
    pages,
    places,
  })
}

function placeAt(peer: PeerName, shard = 0): Place {
  return { shard, keeper: peer, keepUntilMs: Date.now() + 60_000 }
}

/** What each peer answers; who has no answer is silent. */
function stage(
  found: readonly PeerName[],
  answers: Record<PeerName, Dossier | Error>,
  records: Record<string, Uint8Array> = {},
) {
  const asked: PeerName[] = []
  const faults: string[] = []
  const deps = {
    self: self.peer,
    signer: self,
    network,
    clock: realClock,
    known: async () => undefined,
    onFault: (peer: PeerName, { code }: Fault) => void faults.push(`${peer} ${code}`),
    bulletin: {
      get: async (_namespace: string, key: Uint8Array) => records[toString(key, 'hex')],
      find: async function* () {
        yield* found
      },
    },
    placement: {
      ask: async (peer: PeerName) => {
        asked.push(peer)
        const answer = answers[peer] ?? new Error('silent')
        if (answer instanceof Error) throw answer
        return answer
      },
    },
  }
  return { asked, faults, deps, locate: async (thorough = true) => locateObject(deps, cid, thorough, never) }
}

test('one that is found names the keepers, and they know of something newer', async () => {
  const { locate, asked } = stage([keeper.peer], {
    [keeper.peer]: { manifest, records: [recordBy(owner, [placeAt(keeper.peer), placeAt(other.peer, 1)])] },
    [other.peer]: { manifest, records: [recordBy(owner, [placeAt(other.peer, 1)], 2)] },
  })
  const { versions, decoded } = await locate()
  assert.deepEqual(decoded.shards, roots)
  assert.deepEqual(
    versions.map(({ writer, sequence }) => [writer, sequence]),
    [[owner.peer, 2]],
  )
  // The writer too: it may be up.
  assert.deepEqual(new Set(asked), new Set([keeper.peer, owner.peer, other.peer]))
})

test('what only the DHT says is read as well, page by page', async () => {
  const first = recordBy(owner, [placeAt(keeper.peer)], 3, 2, 0)
  const second = recordBy(owner, [placeAt(other.peer, 2)], 3, 2, 1)
  const records = Object.fromEntries(
    [first, second].map((record, page) => [toString(placementKey(cid, owner.peer, page), 'hex'), record]),
  )
  const { locate } = stage([owner.peer], { [other.peer]: { manifest, records: [] } }, records)
  const { versions } = await locate()
  assert.deepEqual(
    versions[0]!.places.map(({ shard }) => shard),
    [0, 2],
  )
})

test('whoever lies costs a question, and not more of them than are asked at all', async () => {
  const strangers = Array.from({ length: 64 }, (_, seed) => placeAt(signer(100 + seed).peer))
  const { locate, asked, faults } = stage([other.peer, keeper.peer], {
    [other.peer]: new Fault('PROOF_INVALID', 'another manifest'),
    [keeper.peer]: { manifest, records: [recordBy(other, strangers, 9), recordBy(), Uint8Array.of(1)] },
  })
  const { versions } = await locate()
  assert.deepEqual(faults, [`${other.peer} PROOF_INVALID`])
  assert.deepEqual(new Set(versions.map(({ writer }) => writer)), new Set([other.peer, owner.peer]))
  assert.ok(asked.length <= 33, String(asked.length))
})

test('when it need not be the newest, three that agree are enough', async () => {
  const found = Array.from({ length: 20 }, (_, seed) => signer(30 + seed).peer)
  const { locate, asked } = stage(
    found,
    Object.fromEntries(found.map((peer) => [peer, { manifest, records: [recordBy()] }])),
  )
  await locate(false)
  assert.ok(asked.length < 20, String(asked.length))
})

test('a DHT that says nothing more is not waited for', { timeout: 10_000 }, async () => {
  const { deps, asked } = stage([], { [keeper.peer]: { manifest, records: [recordBy()] } })
  const silent = {
    ...deps,
    // A hundred times as fast, but for the deadline of the whole look.
    clock: { ...realClock, after: (delayMs: number, run: () => void) => realClock.after(delayMs / 100, run) },
    bulletin: {
      ...deps.bulletin,
      find: async function* (_name: string, _max: number, signal: AbortSignal) {
        yield keeper.peer
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        })
      },
    },
  }
  const { versions } = await locateObject(silent, cid, true, never)
  assert.deepEqual([versions.length, asked.includes(owner.peer)], [1, true])
})

test('when nobody knows it, the error says who was asked and what they said', async () => {
  const nobody = stage([], {})
  await assert.rejects(nobody.locate(), (error: unknown) => {
    assert.ok(error instanceof ObjectNotFoundError)
    assert.equal(error.message, 'nobody lets itself be found for it')
    return true
  })
  const { locate } = stage([keeper.peer, other.peer], { [keeper.peer]: new RefusedError(refusal('NOT_FOUND')) })
  await assert.rejects(
    locate(),
    /2 let themselves be found for it; .*NOT_FOUND.*silent|2 let themselves be found for it; .*silent.*NOT_FOUND/,
  )
})
