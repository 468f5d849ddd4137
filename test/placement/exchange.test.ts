// Placement served from an archive, over joined channels.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { toString } from 'uint8arrays'

import { describeObject, encodeObjectManifest } from '../../protocols/erasure/index.ts'
import {
  createPlacement,
  encodePlacementMessage,
  placementProtocol,
  sealPlacement,
  type Archive,
  type Dossier,
} from '../../protocols/placement/index.ts'
import { Fault, RefusedError, sha256 } from '../../protocols/wire/index.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { ObjectArchive } from '../../src/storage/archive.ts'
import { Switchboard } from '../support/channel-pair.ts'
import { MemoryDossiers } from '../support/dossiers.ts'
import { network, signer } from '../support/peers.ts'
import { MemoryIndex } from '../support/shards.ts'

const never = new AbortController().signal
const [keeper, owner, repairer] = [signer(1), signer(2), signer(3)]

function manifestOf(seed: number) {
  const roots = Array.from({ length: 3 }, (_, shard) => sha256(Uint8Array.of(shard === 0 ? 0 : seed, shard)))
  const { cid, bytes } = encodeObjectManifest(describeObject({ k: 2, m: 1 }, 100, roots))
  return { cid, bytes: Uint8Array.from(bytes), roots }
}

function recordBy(by = owner, object = manifestOf(1).cid, sequence = 1) {
  const nowMs = Date.now()
  return sealPlacement(by, network, {
    object,
    sequence,
    issuedMs: nowMs,
    expiresMs: nowMs + 60_000,
    withdrawn: false,
    page: 0,
    pages: 1,
    places: [{ shard: 0, keeper: keeper.peer, keepUntilMs: nowMs + 60_000 }],
  })
}

async function stage() {
  const board = new Switchboard()
  const shards = new MemoryIndex()
  const dossiers = new MemoryDossiers(shards)
  const advertised: string[] = []
  const cached = new Map<string, Dossier>()
  const room = { freeBytes: Infinity, quotaBytes: 2 ** 30 }
  const archive = new ObjectArchive({
    signer: keeper,
    network,
    shards,
    dossiers,
    cache: { dossier: (object) => cached.get(object) },
    roomFor: () => room,
    clock: realClock,
    log: silentLog,
    advertise: (object) => void advertised.push(object),
  })
  const serve = async (self: string, own: Archive) => {
    const service = createPlacement({ streams: board.streamsOf(self), timekeeper: realClock, archive: own })
    await service.serve()
    return service
  }
  await serve(keeper.peer, archive)
  const asOwner = await serve(owner.peer, archive)
  const asRepairer = await serve(repairer.peer, archive)
  const holds = async (root: Uint8Array, by = owner.peer) =>
    shards.put({
      root: toString(root, 'hex'),
      bytes: 50,
      keepUntilMs: Infinity,
      owner: by,
      othersUntilMs: 0,
      createdMs: 0,
    })
  return { board, shards, dossiers, cached, room, archive, advertised, asOwner, asRepairer, holds }
}

const refusedWith = (code: string) => (error: unknown) => error instanceof RefusedError && error.code === code

test('what there is no room for is refused, with how much there is, and what was kept before stays', async () => {
  const { asOwner, asRepairer, holds, room } = await stage()
  const { bytes, cid, roots } = manifestOf(1)
  const record = recordBy()
  await holds(roots[0]!)
  room.freeBytes = bytes.byteLength - 1
  const refused = (dossierBytes: number) => (error: unknown) =>
    error instanceof RefusedError &&
    error.code === 'NO_SPACE' &&
    error.facts['dossierBytes'] === dossierBytes &&
    error.facts['freeBytes'] === room.freeBytes
  const bare = { manifest: bytes, records: [] }
  await assert.rejects(asOwner.tell(keeper.peer, bare, false, never), refused(bytes.byteLength))
  room.freeBytes++
  await asOwner.tell(keeper.peer, bare, false, never)
  // Only what it grows by has to fit.
  room.freeBytes = record.byteLength - 1
  const whole = { manifest: bytes, records: [record] }
  await assert.rejects(asOwner.tell(keeper.peer, whole, false, never), refused(record.byteLength))
  assert.deepEqual(await asRepairer.ask(keeper.peer, cid, never), bare)
  room.freeBytes++
  await asOwner.tell(keeper.peer, whole, false, never)
  assert.deepEqual(await asRepairer.ask(keeper.peer, cid, never), whole)
})

test('who has shards without keeping them says which, and that is all it answers', async () => {
  const { cached, asOwner, asRepairer, holds } = await stage()
  const { bytes, cid, roots } = manifestOf(1)
  const records = [recordBy()]
  cached.set(cid, { manifest: bytes, records: [], cached: [0, 2] })
  assert.deepEqual(await asRepairer.ask(keeper.peer, cid, never), { manifest: bytes, records: [], cached: [0, 2] })
  await assert.rejects(asRepairer.claim(keeper.peer, cid, 1_000, never), refusedWith('NOT_FOUND'))
  await assert.rejects(asOwner.tell(keeper.peer, { manifest: bytes, records }, true, never), refusedWith('NOT_FOUND'))
  // What it was told as a keeper is newer than what it heard as a reader.
  await holds(roots[1]!)
  await asOwner.tell(keeper.peer, { manifest: bytes, records, cached: [1] }, true, never)
  assert.deepEqual(await asRepairer.ask(keeper.peer, cid, never), { manifest: bytes, records, cached: [0, 2] })
})

test('a keeper knows of the objects of which it has a shard, and of no others', async () => {
  const { asOwner, asRepairer, holds, advertised, shards, archive } = await stage()
  const { bytes, cid, roots } = manifestOf(1)
  const dossier = { manifest: bytes, records: [recordBy()] }
  await assert.rejects(asOwner.tell(keeper.peer, dossier, true, never), refusedWith('NOT_FOUND'))
  await assert.rejects(asRepairer.ask(keeper.peer, cid, never), refusedWith('NOT_FOUND'))
  await holds(roots[2]!)
  await asOwner.tell(keeper.peer, dossier, true, never)
  assert.deepEqual(await asRepairer.ask(keeper.peer, cid, never), dossier)
  await asOwner.tell(keeper.peer, dossier, true, never)
  assert.deepEqual(advertised, [cid])
  await shards.delete(toString(roots[2]!, 'hex'))
  await holds(roots[1]!)
  await archive.sweep()
  assert.deepEqual(await asRepairer.ask(keeper.peer, cid, never), dossier)
  await shards.delete(toString(roots[1]!, 'hex'))
  await archive.sweep()
  await assert.rejects(asRepairer.ask(keeper.peer, cid, never), refusedWith('NOT_FOUND'))
})

test('old records do not come back, forged ones are left out, and whose shard it is has a place', async () => {
  const { asOwner, asRepairer, holds } = await stage()
  const { bytes, cid, roots } = manifestOf(1)
  await holds(roots[0]!)
  const newer = recordBy(owner, cid, 5)
  await asOwner.tell(keeper.peer, { manifest: bytes, records: [newer] }, false, never)
  const forged = newer.slice()
  forged[forged.length - 1]! ^= 1
  const strangers = Array.from({ length: 8 }, (_, seed) => recordBy(signer(40 + seed), cid, 9))
  const records = [recordBy(owner, cid, 4), forged, recordBy(owner, manifestOf(2).cid, 9), ...strangers]
  await asRepairer.tell(keeper.peer, { manifest: bytes, records }, false, never)
  const known = await asOwner.ask(keeper.peer, cid, never)
  assert.equal(known.records.length, 4)
  assert.deepEqual(known.records[0], newer)
})

test('manifests that name a shard do not fill the ledger', async () => {
  const { asOwner, holds, dossiers } = await stage()
  await holds(manifestOf(1).roots[0]!)
  let refused = 0
  for (let seed = 1; seed <= 10; seed++) {
    try {
      await asOwner.tell(keeper.peer, { manifest: manifestOf(seed).bytes, records: [] }, false, never)
    } catch (error) {
      assert.ok(refusedWith('BUSY')(error))
      refused++
    }
  }
  assert.deepEqual([refused, dossiers.entries.size], [6, 4])
})

test('a claim is one peer’s until it gives it back', async () => {
  const { asOwner, asRepairer, holds } = await stage()
  const { bytes, cid, roots } = manifestOf(1)
  await assert.rejects(asRepairer.claim(keeper.peer, cid, 1_000, never), refusedWith('NOT_FOUND'))
  await holds(roots[0]!)
  await asOwner.tell(keeper.peer, { manifest: bytes, records: [] }, false, never)
  assert.equal(await asRepairer.claim(keeper.peer, cid, 60_000, never), 60_000)
  assert.equal(await asRepairer.claim(keeper.peer, cid, 50_000, never), 50_000)
  await assert.rejects(asOwner.claim(keeper.peer, cid, 60_000, never), refusedWith('CLAIMED'))
  assert.equal(await asRepairer.claim(keeper.peer, cid, 0, never), 0)
  assert.equal(await asOwner.claim(keeper.peer, cid, 60_000, never), 60_000)
})

test('a manifest that is not the one, no manifest, and words out of turn are faults', async () => {
  const { board, asOwner } = await stage()
  const liar = signer(9).peer
  const says = async (frame: Uint8Array) =>
    board.streamsOf(liar).handle(placementProtocol, { frameBytesMax: 1, streamsPerPeerMax: 1 }, async (channel) => {
      await channel.read(never)
      await channel.write(frame, never)
    })
  const faulty = (code: string) => (error: unknown) => error instanceof Fault && error.code === code
  await says(encodePlacementMessage({ say: 'dossier', manifest: manifestOf(2).bytes, records: [] }))
  await assert.rejects(asOwner.ask(liar, manifestOf(1).cid, never), faulty('PROOF_INVALID'))
  await says(encodePlacementMessage({ say: 'kept' }))
  await assert.rejects(asOwner.ask(liar, manifestOf(1).cid, never), faulty('OUT_OF_TURN'))
  await assert.rejects(asOwner.claim(liar, manifestOf(1).cid, 1, never), faulty('OUT_OF_TURN'))
  // What a client says wrongly is its fault, at the keeper.
  const channel = await board
    .streamsOf(liar)
    .open(keeper.peer, placementProtocol, { frameBytesMax: 1, streamsPerPeerMax: 1 }, never)
  await channel.write(
    encodePlacementMessage({ say: 'tell', manifest: Uint8Array.of(7), records: [], advertise: false }),
    never,
  )
  await assert.rejects(channel.read(never), faulty('FIELD_INVALID'))
})
