// Audits and repairs among real stores, over joined channels.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { open, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { toString } from 'uint8arrays'

import {
  InconsistentObjectError,
  decodeObjectManifest,
  describeObject,
  encodeObjectManifest,
  formatCode,
  leafBytes,
  type ObjectManifest,
} from '../../protocols/erasure/index.ts'
import { RefusedError, refusal, type Fault } from '../../protocols/wire/index.ts'
import { realClock, realFiles, realRandom, silentLog } from '../../src/environment.ts'
import { auditHoldings, healthyShards } from '../../src/storage/audit.ts'
import { NotEnoughShardsError } from '../../src/storage/fetch.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { placeShards, type Placed } from '../../src/storage/place.ts'
import { claimRepair, rebuildShards, repairAt, RepairClaimedError, urgentAt } from '../../src/storage/repair.ts'
import { scrubBetween } from '../../src/storage/scrub.ts'
import { sealFile, type SealedObject } from '../../src/storage/seal.ts'
import { WorkerMill } from '../../src/storage/workers/worker-mill.ts'
import { Warehouse, type Keeper } from '../support/shards.ts'

const never = new AbortController().signal
const code = { k: 4, m: 4 }
const soon = () => Date.now() + 600_000

interface Stage extends AsyncDisposable {
  readonly warehouse: Warehouse
  readonly owner: Keeper
  /** Has no shard at first. */
  readonly repairer: Keeper
  readonly object: SealedObject
  readonly manifest: ObjectManifest
  readonly placed: readonly Placed[]
  readonly faults: { peer: string; fault: Fault }[]
  readonly keeperOf: (shard: number) => Keeper
}

async function stage(bytes = 5_000_000): Promise<Stage> {
  const warehouse = await Warehouse.of(12)
  const [owner, repairer] = warehouse.keepers as [Keeper, Keeper]
  const path = join(warehouse.folder, 'plain')
  await writeFile(path, randomBytes(bytes))
  const object = await sealFile(
    { disk: realFiles, mill: new LocalMill(), store: owner.store },
    path,
    code,
    new Uint8Array(randomBytes(32)),
    soon(),
    never,
  )
  const candidates = warehouse.keepers.slice(2, 10).map(({ name }) => name)
  const placed = await placeShards(
    { transfer: owner.transfer, store: owner.store, clock: realClock },
    { object, candidates, keepUntilMs: soon() },
    never,
  )
  const keeperOf = (shard: number) =>
    warehouse.keepers.find(({ name }) => name === placed.find((place) => place.shard === shard)!.peer)!
  return {
    warehouse,
    owner,
    repairer,
    object,
    manifest: decodeObjectManifest(object.manifest),
    placed,
    faults: [],
    keeperOf,
    [Symbol.asyncDispose]: async () => warehouse[Symbol.asyncDispose](),
  }
}

const depsOf = ({ repairer, faults }: Stage) => ({
  store: repairer.store,
  mill: new LocalMill(),
  transfer: repairer.transfer,
  clock: realClock,
  random: realRandom,
  onFault: (peer: string, fault: Fault) => void faults.push({ peer, fault }),
})
const sourcesOf = (placed: readonly Placed[]) => placed.map(({ shard, peer }) => ({ shard, peers: [peer] }))
const fileOf = (keeper: Keeper, root: Uint8Array) => {
  const name = toString(root, 'hex')
  return join(keeper.folder, 'shards', name.slice(0, 2), name)
}

async function flipBit(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  byte[0]! ^= 1
  await file.write(byte, 0, 1, at)
  await file.close()
}

test('repair begins when half of what may be lost is lost', () => {
  const begins = (k: number, m: number) => `${formatCode({ k, m })} at ${repairAt({ k, m })} of ${k + m}`
  assert.deepEqual(
    [begins(8, 8), begins(10, 4), begins(4, 2), begins(16, 16), begins(2, 1), begins(1, 1)],
    ['8+8 at 12 of 16', '10+4 at 12 of 14', '4+2 at 5 of 6', '16+16 at 24 of 32', '2+1 at 2 of 3', '1+1 at 1 of 2'],
  )
  assert.deepEqual([urgentAt({ k: 8, m: 8 }), urgentAt({ k: 2, m: 1 })], [10, 2])
})

test('an audit tells who has its shard, who has lost it, whose disk has rotted, who lies, and who is silent', async () => {
  await using play = await stage()
  const { manifest, placed, keeperOf, object, warehouse, faults } = play
  await keeperOf(1).index.delete(toString(object.roots[1]!, 'hex'))
  // Of so short a shard all leaves are asked for.
  await flipBit(fileOf(keeperOf(2), object.roots[2]!), leafBytes + 5)
  warehouse.board.dead.add(keeperOf(3).name)
  const liar = keeperOf(4)
  const honest = liar.store.open.bind(liar.store)
  liar.store.open = async (root) => {
    const source = (await honest(root))!
    return { ...source, leaf: async (leaf) => ({ ...(await source.leaf(leaf)), bytes: new Uint8Array(leafBytes) }) }
  }
  const results = await auditHoldings(depsOf(play), manifest, placed, never)
  assert.deepEqual(
    results.slice(0, 6).map(({ verdict, reason }) => `${verdict} ${reason}`),
    ['passed ', 'failed NOT_FOUND', 'failed DAMAGED', 'absent unreachable', 'failed PROOF_INVALID', 'passed '],
  )
  assert.deepEqual([...healthyShards(results)], [0, 5, 6, 7])
  assert.deepEqual(
    faults.map(({ peer, fault }) => [peer, fault.code]),
    [[liar.name, 'PROOF_INVALID']],
  )
})

test('lost rows, data and parity, are made again from one reading of k, without the key, and placed with others', async () => {
  await using play = await stage()
  const { manifest, placed, object, repairer, warehouse } = play
  const lost = [1, 3, 6]
  const left = placed.filter(({ shard }) => !lost.includes(shard))
  let got = 0
  const counted = {
    ...repairer.transfer,
    get: async (...[peer, root, shardBytes, leaves, onLeaf, signal]: Parameters<typeof repairer.transfer.get>) =>
      repairer.transfer.get(
        peer,
        root,
        shardBytes,
        leaves,
        async (leaf, bytes, hash) => {
          got += bytes.byteLength
          return onLeaf(leaf, bytes, hash)
        },
        signal,
      ),
  }
  // As in production: the thread that answers the network makes nothing.
  await using mill = new WorkerMill({ workersMax: 1, hereBytesMax: -1 }, { clock: realClock, log: silentLog })
  await rebuildShards({ ...depsOf(play), mill, transfer: counted }, manifest, lost, sourcesOf(left), soon(), never)
  assert.equal(mill.threads, 1)
  assert.equal(got, code.k * manifest.shardBytes)
  const candidates = warehouse.keepers.slice(10).map(({ name }) => name)
  const now = await placeShards(
    { transfer: repairer.transfer, store: repairer.store, clock: realClock },
    { object: { roots: manifest.shards, code }, shards: lost, held: left, candidates, keepUntilMs: soon() },
    never,
  )
  assert.deepEqual(
    now.map(({ shard }) => shard),
    lost,
  )
  const results = await auditHoldings(depsOf(play), manifest, [...left, ...now], never)
  assert.equal(healthyShards(results).size, 8)
  assert.equal(encodeObjectManifest(manifest).cid, object.cid)
})

test('with fewer than k shards nothing is made, and the error names what is missing', async () => {
  await using play = await stage(100_000)
  const { manifest, placed, repairer } = play
  const left = placed.slice(0, 3)
  await assert.rejects(
    rebuildShards(depsOf(play), manifest, [7], sourcesOf(left), soon(), never),
    (error: unknown) => error instanceof NotEnoughShardsError && error.need === 4 && error.have === 3,
  )
  assert.equal(repairer.index.entries.size, 0)
  assert.deepEqual(await readdir(join(repairer.folder, 'incoming')), [])
})

test('an uploader whose shards are no codeword is found out by whoever repairs, and nothing of it is kept', async () => {
  await using play = await stage(100_000)
  const { manifest, placed, object, repairer } = play
  // The root of a shard that does not belong to the others: all that there are fit their roots.
  const roots = [...object.roots]
  roots[6] = object.roots[5]!
  const bent = describeObject(code, manifest.bytes, roots)
  const left = placed.filter(({ shard }) => shard < 4)
  await assert.rejects(
    rebuildShards(depsOf(play), bent, [5, 6], sourcesOf(left), soon(), never),
    InconsistentObjectError,
  )
  assert.equal(repairer.index.entries.size, 0)
  assert.deepEqual(await readdir(join(repairer.folder, 'incoming')), [])
})

test('a claim is given by more than half of those who answer, and given back', async () => {
  const manifest = { code: { matrix: 'cauchy' as const, k: 2, m: 1 }, shardBytes: 10 }
  const calls: string[] = []
  const play = (habits: Record<string, string>) => ({
    onFault: () => {},
    placement: {
      claim: async (peer: string, _object: string, forMs: number) => {
        calls.push(`${peer} ${forMs > 0 ? 'claim' : 'release'}`)
        const habit = habits[peer]
        if (habit === 'silent') throw new Error('silent')
        if (habit !== undefined && forMs > 0) throw new RefusedError(refusal(habit, { forMs: 7_000 }))
        return forMs
      },
    },
  })
  const claim = async (habits: Record<string, string>) =>
    claimRepair(play(habits), 'bafy', manifest, ['a', 'b', 'c', 'd'], never)
  await (
    await claim({ c: 'silent', d: 'NOT_FOUND' })
  )()
  assert.deepEqual(calls.splice(0), ['a claim', 'b claim', 'c claim', 'd claim', 'a release', 'b release'])
  await assert.rejects(
    claim({ a: 'CLAIMED' }),
    (error: unknown) => error instanceof RepairClaimedError && error.forMs === 7_000,
  )
  assert.deepEqual(calls.splice(0), ['a claim'])
  await assert.rejects(claim({ b: 'CLAIMED', c: 'CLAIMED' }), RepairClaimedError)
  assert.deepEqual(calls.splice(0).slice(-2), ['a release', 'd release'])
  // One keeper alone cannot hold a repair up.
  await claim({ d: 'CLAIMED' })
})

test('a scrub finds a rotten leaf at its pace, and the shard is refused from then on, until it is put again', async () => {
  await using play = await stage(3_000_000)
  const { keeperOf, object, owner, manifest, placed } = play
  const keeper = keeperOf(0)
  const root = object.roots[0]!
  await flipBit(fileOf(keeper, root), 2 * leafBytes + 9)
  let slept = 0
  const clock = { ...realClock, sleep: async (delayMs: number) => void (slept += delayMs) }
  const deps = { store: keeper.store, index: keeper.index, clock }
  assert.deepEqual(await scrubBetween(deps, '', undefined, never), { shards: 1, damaged: 1, mended: 0 })
  assert.deepEqual(Math.round(slept), Math.round((2 * leafBytes * 1_000) / (2 * 2 ** 20)))
  // A leaf that is sound is refused too: an audit may ask for no other.
  await assert.rejects(
    keeper.store.open(root),
    (error: unknown) => error instanceof RefusedError && error.code === 'DAMAGED',
  )
  const code0 = async () => (await auditHoldings(depsOf(play), manifest, [placed[0]!], never))[0]!.reason
  assert.equal(await code0(), 'DAMAGED')
  await placeShards(
    { transfer: owner.transfer, store: owner.store, clock: realClock },
    { object, shards: [0], candidates: [keeper.name], keepUntilMs: soon() },
    never,
  )
  assert.equal(await code0(), '')
  assert.deepEqual(await scrubBetween(deps, '', undefined, never), { shards: 1, damaged: 0, mended: 0 })
  assert.deepEqual(await scrubBetween(deps, toString(root, 'hex'), undefined, never), {
    shards: 0,
    damaged: 0,
    mended: 0,
  })
})
