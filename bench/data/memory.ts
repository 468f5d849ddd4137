/**
 * What 4 GiB take: memory over what a peer has at rest, and how late its event loop is, of who puts them, of who gets them, and of their
 * keepers, each a whole peer in a process of its own. And what a reader that takes its time costs who serves it.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { createTransfer, emptyShelf } from '../../protocols/transfer/index.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { createHost, identityFromSeed } from '../../src/host/index.ts'
import type { Part } from '../bench.ts'
import { valueRow, type Row } from '../report.ts'
import { ask } from './ask.ts'
import { Crowd, honest, sealedObject } from './crowd.ts'
import type { PeerAnswer, PeerOrder } from './keeping-peer.ts'
import { areSame } from './same-files.ts'
import { computingMsMax, type Usage } from './usage.ts'

const objectBytes = 4 * 2 ** 30
const code = '10+4'
/** Each keeper gets four shards at most. */
const keepers = 4
const extraMibMax = 96
const lateMsMax = 20
const pieceBytes = 2 ** 22
/** The slow reader's object: 14 shards of 16 MiB. */
const slowBytes = 160 * 2 ** 20
const slowCode = { k: 10, m: 4 }
const blockEveryMs = 20

export const memory: Part = {
  name: 'memory',
  about: 'memory and event loop of all sides while 4 GiB are put and got; a slow reader',
  async measure({ folder, say, signal }) {
    return [...(await largeObject(folder, say, signal)), ...(await slowReader(folder, say, signal))]
  },
}

/** The usage of all sides of one piece of work. */
interface Sides {
  readonly own: Usage
  readonly keepers: readonly Usage[]
}

async function largeObject(folder: string, say: (line: string) => void, signal: AbortSignal): Promise<Row[]> {
  await using peers = new AsyncDisposableStack()
  const network = `bench-${Buffer.from(realRandom.bytes(6)).toString('hex')}`
  const start = async (name: string, role: string, address?: string): Promise<PeerProcess> =>
    peers.use(await PeerProcess.start(join(folder, name), network, role, address))
  const owner = await start('owner', 'owner')
  const all = await Promise.all(
    Array.from({ length: keepers }, async (_, index) => start(`keeper${index}`, 'keeper', owner.address)),
  )
  const reader = await start('reader', 'owner', owner.address)
  for (const peer of [owner, reader]) {
    while ((await peer.tell({ do: 'keepers' })).keepers! < keepers) await sleep(100, undefined, { signal })
  }
  const during = async (peer: PeerProcess, order: PeerOrder): Promise<[Sides, PeerAnswer]> => {
    for (const each of [peer, ...all]) await each.tell({ do: 'watch' })
    const answer = await peer.tell(order)
    const usages: Usage[] = []
    for (const each of [peer, ...all]) usages.push((await each.tell({ do: 'usage' })).usage!)
    return [{ own: usages[0]!, keepers: usages.slice(1) }, answer]
  }
  const [path, to] = [join(folder, 'plain'), join(folder, 'got')]
  say('writing 4 GiB')
  await writeChance(path)
  say('put')
  const [put, { object }] = await during(owner, { do: 'put', path, code })
  say(`put: ${(put.own.tookMs / 1_000).toFixed(0)} s; get`)
  const [got] = await during(reader, { do: 'get', object: object!, path: to })
  say(`get: ${(got.own.tookMs / 1_000).toFixed(0)} s`)
  if (!(await areSame(path, to))) throw new Error('what was read is not the object')
  await Promise.all([rm(path), rm(to)])
  return [...rowsOf('put 4 GiB', 'putter', put), ...rowsOf('get 4 GiB', 'reader', got)]
}

function rowsOf(what: string, who: string, { own, keepers: others }: Sides): Row[] {
  const mib = ({ extraBytes }: Usage): number => extraBytes / 2 ** 20
  const cpuMs = [own, ...others].reduce((sum, usage) => sum + usage.cpuMs, 0)
  return [
    valueRow(`${what}: memory of the ${who}`, 'MiB', [mib(own)], { most: extraMibMax }, 'over what it had at rest'),
    valueRow(`${what}: memory of a keeper`, 'MiB', [Math.max(...others.map(mib))], { most: extraMibMax }, 'the most'),
    ...lateRows(`${what}: ${who}`, [own]),
    ...lateRows(`${what}: the latest keeper`, others),
    valueRow(`${what}: rate`, 'MB/s', [objectBytes / 1e3 / own.tookMs]),
    valueRow(`${what}: processor, all sides`, 'ns/B', [(cpuMs * 1e6) / objectBytes]),
  ]
}

function lateRows(whose: string, usages: readonly Usage[]): Row[] {
  const most = (of: (usage: Usage) => number): number[] => [Math.max(...usages.map(of))]
  return [
    valueRow(
      `${whose}, late, 99 of 100`,
      'ms',
      most(({ late }) => late.p99),
      { most: lateMsMax },
    ),
    valueRow(
      `${whose}, at work at a stretch, 99 of 100`,
      'ms',
      most(({ busy }) => busy.p99),
    ),
    valueRow(
      `${whose}, at work at a stretch, longest`,
      'ms',
      most(({ busy }) => busy.longest),
    ),
    valueRow(
      `${whose}, computing at a stretch, 99 of 100`,
      'ms',
      most(({ computing }) => computing.p99),
      { most: computingMsMax },
      'at work, without what the collector took',
    ),
    valueRow(
      `${whose}, computing at a stretch, longest`,
      'ms',
      most(({ computing }) => computing.longest),
    ),
  ]
}

/** Fourteen shards at once, of each a block every 20 ms. */
async function slowReader(folder: string, say: (line: string) => void, signal: AbortSignal): Promise<Row[]> {
  say('a slow reader')
  const object = await sealedObject(folder, slowBytes, slowCode)
  await using crowd = await Crowd.of(1, folder)
  await crowd.order(0, honest)
  const host = await createHost(
    { network: 'bench', reach: 'loopback', listen: [] },
    { identity: identityFromSeed(realRandom.bytes(32)), clock: realClock, random: realRandom, log: silentLog },
  )
  await host.start()
  try {
    const { address, peer } = crowd.peers[0]!
    await host.dial(address, signal)
    const transfer = createTransfer({
      streams: host.streams,
      timekeeper: realClock,
      shelf: emptyShelf,
    })
    const leaves = Array.from({ length: object.shardBytes / 2 ** 16 }, (_, leaf) => leaf)
    const usage = await crowd.usageOfFirst(async () =>
      Promise.all(
        object.roots.map(async (root) =>
          transfer.get(peer, root, object.shardBytes, leaves, async () => sleep(blockEveryMs), signal),
        ),
      ),
    )
    return [
      valueRow(
        'slow reader: memory of who serves it',
        'MiB',
        [usage.extraBytes / 2 ** 20],
        { most: extraMibMax },
        `${object.roots.length} shards at once, of each a block every ${blockEveryMs} ms`,
      ),
    ]
  } finally {
    await host.stop()
  }
}

async function writeChance(path: string): Promise<void> {
  await using file = await open(path, 'w')
  const piece = new Uint8Array(pieceBytes)
  for (let at = 0; at < objectBytes; at += pieceBytes) await file.write(randomFillSync(piece))
}

/** A whole peer, told what to do. */
class PeerProcess implements AsyncDisposable {
  readonly address: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, address: string) {
    this.#child = child
    this.address = address
  }

  static async start(folder: string, network: string, role: string, address?: string): Promise<PeerProcess> {
    const program = join(import.meta.dirname, 'keeping-peer.ts')
    const words = [folder, network, role, ...(address === undefined ? [] : [address])]
    const child = fork(program, words)
    const [{ ready }] = (await once(child, 'message')) as [PeerAnswer]
    return new PeerProcess(child, ready!)
  }

  async tell(order: PeerOrder): Promise<PeerAnswer> {
    const answer = await ask<PeerAnswer>(this.#child, order)
    if (answer.failed !== undefined) throw new Error(answer.failed)
    return answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }
}
