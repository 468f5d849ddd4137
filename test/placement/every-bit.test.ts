// Every bit of the exchanges of placement, on the way to either side: nobody is made to believe in another manifest, or in a record
// that its writer did not sign.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import { equals, toString } from 'uint8arrays'

import { describeObject, encodeObjectManifest } from '../../protocols/erasure/index.ts'
import {
  claimMsMax,
  createPlacement,
  newestVersions,
  sealPlacement,
  type PlacementService,
} from '../../protocols/placement/index.ts'
import { Fault, RefusedError, cidOfDocument, sha256, type Streams } from '../../protocols/wire/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { DeadlineError, silentLog } from '../../src/environment.ts'
import { ObjectArchive } from '../../src/storage/archive.ts'
import { BentWire } from '../support/bent-wire.ts'
import { Switchboard } from '../support/channel-pair.ts'
import { MemoryDossiers } from '../support/dossiers.ts'
import { network, signer } from '../support/peers.ts'
import { MemoryIndex } from '../support/shards.ts'

const never = new AbortController().signal
const startMs = 1_700_000_000_000
const [keeper, owner] = [signer(1), signer(2)]
const code = { k: 3, m: 2 }
const roots = Array.from({ length: 5 }, (_, shard) => sha256(Uint8Array.of(shard)))
const { cid, bytes: manifest } = encodeObjectManifest(describeObject(code, 1_000, roots))
const record = sealPlacement(owner, network, {
  object: cid,
  sequence: 3,
  issuedMs: startMs,
  expiresMs: startMs + 3_600_000,
  withdrawn: false,
  page: 0,
  pages: 1,
  places: roots.map((_, shard) => ({ shard, keeper: signer(10 + shard).peer, keepUntilMs: startMs + 3_600_000 })),
})
const dossier = { manifest: Uint8Array.from(manifest), records: [record] }

type Side = 'owner' | 'keeper'

interface Played<Result> {
  readonly result: Result | undefined
  readonly error: unknown
  readonly atKeeper: unknown
  readonly dossiers: MemoryDossiers
}

/** One exchange with a keeper that has a shard of the object, and perhaps its dossier. */
async function play<Result>(
  reader: Side,
  wire: BentWire,
  isTold: boolean,
  run: (service: PlacementService) => Promise<Result>,
): Promise<Played<Result>> {
  const clock = new VirtualClock(startMs)
  const board = new Switchboard()
  const shards = new MemoryIndex()
  const dossiers = new MemoryDossiers(shards)
  const streamsOf = (side: Side): Streams => {
    const streams = board.streamsOf(side === 'owner' ? owner.peer : keeper.peer)
    return side === reader ? wire.readsOf(streams) : streams
  }
  const archive = new ObjectArchive({
    signer: keeper,
    network,
    shards,
    dossiers,
    cache: { dossier: () => undefined },
    roomFor: () => ({ freeBytes: Infinity, quotaBytes: Infinity }),
    clock,
    log: silentLog,
    advertise: () => {},
  })
  await shards.put({
    root: toString(roots[1]!, 'hex'),
    bytes: 50,
    keepUntilMs: Infinity,
    owner: owner.peer,
    othersUntilMs: 0,
    createdMs: 0,
  })
  if (isTold) await archive.keep(cid, dossier, false)
  await createPlacement({ streams: streamsOf('keeper'), timekeeper: clock, archive }).serve()
  const service = createPlacement({ streams: streamsOf('owner'), timekeeper: clock, archive })
  let ended: { readonly result?: Result; readonly error?: unknown } | undefined
  void run(service).then(
    (result) => (ended = { result }),
    (error: unknown) => (ended = { error }),
  )
  for (let rounds = 0; ended === undefined; rounds++) {
    assert.ok(rounds < 100, 'it never ends')
    await setImmediate()
    if (ended === undefined) clock.jump()
  }
  board.hangUp()
  return { result: ended.result, error: ended.error, atKeeper: board.faults[0]?.error, dossiers }
}

/** Every bit of what came over a wire that was sound. */
function* bitsOf({ frames }: BentWire): Generator<{ readonly bit: number; readonly isLength: boolean }> {
  for (const { at, prefixBytes, body } of frames)
    for (let bit = 0; bit < 8 * (prefixBytes + body.byteLength); bit++)
      yield { bit: at * 8 + bit, isLength: bit < 8 * prefixBytes }
}

const isTyped = (error: unknown): boolean => error instanceof Fault || error instanceof RefusedError

/** What of these records anybody believes is what the writer signed. */
function assertSigned(records: readonly Uint8Array[], what: string): void {
  for (const { writer, envelopes } of newestVersions(keeper, network, cid, records, startMs)) {
    assert.equal(writer, owner.peer, what)
    assert.ok(
      envelopes.every((envelope) => equals(envelope, record)),
      what,
    )
  }
}

async function eachBit<Result>(
  reader: Side,
  isTold: boolean,
  run: (service: PlacementService) => Promise<Result>,
  judge: (played: Played<Result>, what: string) => void,
): Promise<void> {
  const sound = new BentWire()
  const calm = await play(reader, sound, isTold, run)
  assert.equal(calm.error, undefined)
  judge(calm, 'sound')
  for (const { bit, isLength } of bitsOf(sound)) {
    const played = await play(reader, new BentWire(bit), isTold, run)
    const what = `bit ${bit}: ${String(played.error)}`
    if (played.error !== undefined) {
      const isMissed = isLength && played.error instanceof DeadlineError
      assert.ok(isTyped(played.error) || isTyped(played.atKeeper) || isMissed, what)
    }
    judge(played, what)
  }
}

test('who asks for a dossier gets the manifest, and believes in nothing that was not signed', async () => {
  const ask = async (service: PlacementService) => service.ask(keeper.peer, cid, never)
  for (const reader of ['owner', 'keeper'] as const)
    await eachBit(reader, true, ask, ({ result }, what) => {
      if (result === undefined) return
      assert.ok(equals(result.manifest, manifest), what)
      assertSigned(result.records, what)
    })
})

test('a keeper that is told of an object keeps each manifest under its own name, and only records that were signed', async () => {
  const tell = async (service: PlacementService) => service.tell(keeper.peer, dossier, false, never)
  await eachBit('keeper', false, tell, ({ dossiers }, what) => {
    assert.ok(dossiers.entries.size <= 1, what)
    for (const entry of dossiers.entries.values()) {
      assert.equal(cidOfDocument(entry.manifest), entry.object, what)
      assertSigned(entry.records, what)
    }
  })
  await eachBit('owner', false, tell, ({ dossiers }, what) => assert.equal(dossiers.entries.size, 1, what))
})

test('a claim is heard, or a typed error is; and never one of longer than the longest', async () => {
  const forMs = 60_000
  const claim = async (service: PlacementService) => service.claim(keeper.peer, cid, forMs, never)
  for (const reader of ['owner', 'keeper'] as const)
    await eachBit(reader, true, claim, ({ result }, what) => assert.ok((result ?? 0) <= claimMsMax, what))
})
