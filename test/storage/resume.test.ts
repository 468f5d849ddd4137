// A fetch that was killed goes on where it was, and believes nothing that it finds.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { open, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { leafBytes, leafCount, segmentBytesOf, segmentCount } from '../../protocols/erasure/index.ts'
import { creditLeavesMax, createTransfer, emptyShelf, type Shelf } from '../../protocols/transfer/index.ts'
import { realClock, realFiles } from '../../src/environment.ts'
import { fetchObject, type FetchReport } from '../../src/storage/fetch.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { sealFile, type SealedObject } from '../../src/storage/seal.ts'
import type { FetchOrder } from '../fixtures/fetching-peer.ts'
import { addressOf, network, startedHost } from '../host/network.ts'
import { Warehouse, type Keeper } from '../support/shards.ts'

const mill = new LocalMill()
const never = new AbortController().signal
const code = { k: 2, m: 1 }
const key = new Uint8Array(randomBytes(32))

/** An object whose shards are all with keeper 0. */
async function sealed(warehouse: Warehouse, plain: Uint8Array): Promise<SealedObject> {
  const source = join(warehouse.folder, 'plain')
  await writeFile(source, plain)
  return sealFile(
    { disk: realFiles, store: warehouse.keepers[0]!.store, mill },
    source,
    code,
    key,
    Date.now() + 600_000,
    never,
  )
}

/** Leaves that were read to be sent, by root, and what happens when one is. */
function counted(shelf: Shelf, onLeaf: () => Promise<void>): { shelf: Shelf; sent: () => number } {
  let sent = 0
  const open: Shelf['open'] = async (root) => {
    const source = await shelf.open(root)
    return (
      source && {
        ...source,
        leaf: async (leaf) => {
          await onLeaf()
          sent++
          return source.leaf(leaf)
        },
      }
    )
  }
  return { shelf: { ...emptyShelf, open, admit: async (request) => shelf.admit(request) }, sent: () => sent }
}

test('after kill -9 at half, no more is sent again than a credit of each peer and one in a hundred', async () => {
  await using warehouse = await Warehouse.of(1)
  const plain = new Uint8Array(randomBytes(24 * segmentBytesOf(code) + 100_000))
  const object = await sealed(warehouse, plain)
  const needed = code.k * leafCount(object.shardBytes)
  const killed = Promise.withResolvers<void>()
  let kill = (): void => {}
  let left = needed / 2
  const { shelf, sent } = counted(warehouse.keepers[0]!.store, async () => {
    if (--left > 0) return
    kill()
    await killed.promise
  })
  const hosts = await Promise.all(Array.from({ length: 3 }, async () => startedHost()))
  try {
    for (const { streams } of hosts) await createTransfer({ streams, timekeeper: realClock, shelf }).serve()
    const path = join(warehouse.folder, 'fetched')
    const order: FetchOrder = {
      network,
      addresses: hosts.map(addressOf),
      manifest: Buffer.from(object.manifest).toString('base64'),
      key: Buffer.from(key).toString('base64'),
      sources: hosts.map(({ peer }, shard) => ({ shard, peers: [peer] })),
      path,
    }
    const orderPath = join(warehouse.folder, 'order.json')
    await writeFile(orderPath, JSON.stringify(order))
    const begun = () =>
      spawn(process.execPath, [join(import.meta.dirname, '..', 'fixtures', 'fetching-peer.ts'), orderPath], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })

    const first = begun()
    kill = () => void first.kill('SIGKILL')
    const [, signal] = (await once(first, 'exit')) as [number | null, string | null]
    assert.equal(signal, 'SIGKILL')
    kill = () => {}
    killed.resolve()
    assert.ok((await readdir(warehouse.folder)).includes(`fetched.${object.cid.slice(-8)}.part`))

    const second = begun()
    let said = ''
    second.stdout.on('data', (text: Buffer) => void (said += text.toString()))
    assert.deepEqual(await once(second, 'exit'), [0, null])
    const report = JSON.parse(said) as FetchReport
    assert.equal(Buffer.compare(await readFile(path), plain), 0)
    const again = sent() - needed
    const most = code.k * creditLeavesMax + needed / 100
    assert.ok(again <= most, `${again} leaves were sent again, ${most} are lawful`)
    assert.ok(report.keptSegments >= 7, `${report.keptSegments} segments were kept`)
    assert.deepEqual(
      (await readdir(warehouse.folder)).filter((name) => name.includes('.part')),
      [],
    )
  } finally {
    await Promise.all(hosts.map(async (host) => host.stop()))
  }
})

test('a torn write, a flipped bit, hashes of another object: what is found on the disk is fetched again', async () => {
  await using warehouse = await Warehouse.of(2)
  const plain = new Uint8Array(randomBytes(5 * segmentBytesOf(code) + 1_000))
  const object = await sealed(warehouse, plain)
  const [keeper, reader] = warehouse.keepers as [Keeper, Keeper]
  const path = join(warehouse.folder, 'fetched')
  const part = `${path}.${object.cid.slice(-8)}.part`
  const sources = object.roots.map((_, shard) => ({ shard, peers: [keeper.name] }))
  const asked: number[] = []
  let stopsAt = Infinity
  const get: typeof reader.transfer.get = async (peer, root, bytes, leaves, onLeaf, signal) =>
    reader.transfer.get(
      peer,
      root,
      bytes,
      leaves,
      async (leaf, leafOf, hash) => {
        if (leaf >= stopsAt) throw new Error('enough')
        asked.push(leaf)
        await onLeaf(leaf, leafOf, hash)
      },
      signal,
    )
  const fetch = async (): Promise<FetchReport> =>
    fetchObject({ transfer: { get }, disk: realFiles, mill, onFault: () => {} }, { ...object, sources, path }, never)
  const spoil = async (file: string, at: number, bytes: Uint8Array): Promise<void> => {
    const opened = await open(file, 'r+')
    await opened.write(bytes, 0, bytes.byteLength, at)
    await opened.close()
  }
  const segment = segmentBytesOf(code)
  /** Leaves and hashes of a segment that is begun anew, by what was done to the disk. */
  const kinds: Record<string, () => Promise<void>> = {
    'nothing is done': async () => {},
    'a bit': async () => spoil(part, segment + 7, Uint8Array.of(plain[segment + 7]! ^ 1)),
    'half a segment of zeros': async () => spoil(part, segment + segment / 2, new Uint8Array(segment / 2)),
    'a hash': async () => spoil(`${part}.leaves`, code.k * 16 * 32 + 5, new Uint8Array(1).fill(77)),
    'a file that ends early': async () => {
      const opened = await open(part, 'r+')
      await opened.truncate(2 * segment - 1)
      await opened.close()
    },
  }
  for (const [kind, spoilIt] of Object.entries(kinds)) {
    stopsAt = 3 * 16
    await assert.rejects(fetch(), /enough/, kind)
    assert.ok((await readdir(warehouse.folder)).includes(`fetched.${object.cid.slice(-8)}.part`), kind)
    await spoilIt()
    asked.length = 0
    stopsAt = Infinity
    const report = await fetch()
    const lost = kind === 'nothing is done' ? 0 : kind === 'a file that ends early' ? 2 : 1
    assert.equal(report.keptSegments, 3 - lost, kind)
    assert.equal(asked.length, code.k * (leafCount(object.shardBytes) - (3 - lost) * 16), kind)
    assert.equal(asked.includes(16), lost > 0, kind)
    assert.equal(Buffer.compare(await readFile(path), plain), 0, kind)
  }
  assert.equal(segmentCount(code, plain.byteLength), 6)
  assert.equal(leafBytes, 65_536)
})
