/**
 * How much is sent again after kill -9: a peer in a process of its own puts an object, or gets it, is killed when half of it has gone
 * over the line, started again and asked for the same. What keepers took from it, and gave it, is counted at the keepers.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { createHash, randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

import { formatCode, leafBytes, shardLength, type Code } from '../../protocols/erasure/index.ts'
import { creditLeavesMax, decodeTransfer, transferProtocol } from '../../protocols/transfer/index.ts'
import type { Channel, Streams } from '../../protocols/wire/index.ts'
import type { GetView, PutView } from '../../src/control/api.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { createHost } from '../../src/host/index.ts'
import { createPeer, type Peer } from '../../src/node.ts'
import type { Part } from '../bench.ts'
import { valueRow } from '../report.ts'
import type { OwningOrder } from './owning-peer.ts'

const code = { k: 4, m: 2 }
const objectBytes = 256 * 1024 * 1024
const fillBytes = 1024 * 1024
const withinMs = 240_000
/** What may be on its way to or from one peer, and the share of the object that may be sent again besides. */
const creditBytes = creditLeavesMax * leafBytes
const shareMax = 0.01

/** Bytes of blocks, without proofs, that keepers took and gave. */
class Meter {
  taken = 0
  given = 0
  onBytes: () => void = () => {}

  watch(streams: Streams): Streams {
    return {
      open: async (peer, protocol, limits, signal) => streams.open(peer, protocol, limits, signal),
      handle: async (protocol, limits, handler) =>
        streams.handle(protocol, limits, async (channel) =>
          handler(protocol === transferProtocol ? this.#counted(channel) : channel),
        ),
    }
  }

  #counted(channel: Channel): Channel {
    return {
      remote: channel.remote,
      read: async (signal) => {
        const frame = await channel.read(signal)
        this.taken += payloadBytes(frame)
        this.onBytes()
        return frame
      },
      write: async (frame, signal) => {
        this.given += payloadBytes(frame)
        this.onBytes()
        await channel.write(frame, signal)
      },
      close: async (signal) => channel.close(signal),
      abort: (reason) => channel.abort(reason),
    }
  }
}

function payloadBytes(frame: Uint8Array | undefined): number {
  const message = frame && decodeTransfer(frame)
  return message?.say === 'block' ? message.bytes.byteLength : 0
}

export interface Resumed {
  readonly put: PutView
  readonly got: GetView
  /** Of the shards that crossed, beyond what has to. */
  readonly putAgainBytes: number
  readonly gotAgainBytes: number
  /** How many shards' keepers there are, and how much may be sent again. */
  readonly putAllowedBytes: number
  readonly gotAllowedBytes: number
  readonly isSame: boolean
}

/** Keepers in this process, one for each shard; the peer that puts and gets in another, which is killed at half of each. */
export async function killedAtHalf(
  { folder, bytes, code, signal }: { folder: string; bytes: number; code: Code; signal: AbortSignal },
  say: (line: string) => void = () => {},
): Promise<Resumed> {
  const network = `resume-${Buffer.from(realRandom.bytes(6)).toString('hex')}`
  const width = code.k + code.m
  const shardBytes = shardLength(code, bytes)
  const meter = new Meter()
  const peers: Peer[] = []
  const path = join(folder, 'plain')
  const to = join(folder, 'got')
  await fill(path, bytes)
  try {
    for (let keeper = 0; keeper < width; keeper++)
      peers.push(await keepingPeer(join(folder, `keeper${keeper}`), network, peers[0]?.addresses()[0], meter))
    const order = (act: OwningOrder['act']): OwningOrder => ({
      folder: join(folder, 'owner'),
      network,
      address: peers[0]!.addresses()[0]!,
      keepers: width,
      act,
    })
    const half = async (act: OwningOrder['act'], sofar: () => number, all: number): Promise<void> => {
      const child = begin(order(act))
      meter.onBytes = () => void (sofar() >= all / 2 && child.kill('SIGKILL'))
      const [, how] = (await once(child, 'exit', { signal })) as [number | null, string | null]
      meter.onBytes = () => {}
      if (how !== 'SIGKILL') throw new Error('it ended before it was killed')
      say(`killed at ${(sofar() / 2 ** 20).toFixed(0)} of ${(all / 2 ** 20).toFixed(0)} MiB`)
    }
    const allPut = width * shardBytes
    const putting: OwningOrder['act'] = { put: path, code: formatCode(code) }
    await half(putting, () => meter.taken, allPut)
    const put = await whole<PutView>(begin(order(putting)), signal)
    const putAgainBytes = meter.taken - allPut
    say(`put: ${(putAgainBytes / 2 ** 20).toFixed(1)} MiB were sent again`)

    meter.given = 0
    const allGot = code.k * shardBytes
    const getting: OwningOrder['act'] = { get: put.object, to }
    await half(getting, () => meter.given, allGot)
    const got = await whole<GetView>(begin(order(getting)), signal)
    const gotAgainBytes = meter.given - allGot
    say(`get: ${(gotAgainBytes / 2 ** 20).toFixed(1)} MiB were sent again`)
    const isSame = (await digestOf(path)) === (await digestOf(to))
    const allowed = (peersAsked: number): number => peersAsked * creditBytes + shareMax * bytes
    return {
      put,
      got,
      putAgainBytes,
      gotAgainBytes,
      putAllowedBytes: allowed(width),
      gotAllowedBytes: allowed(code.k),
      isSame,
    }
  } finally {
    for (const peer of peers) await peer.stop()
    for (const file of [path, to]) await rm(file, { force: true })
  }
}

async function fill(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w')
  try {
    const piece = new Uint8Array(fillBytes)
    for (let at = 0; at < bytes; at += fillBytes)
      await file.write(randomFillSync(piece), 0, Math.min(fillBytes, bytes - at))
  } finally {
    await file.close()
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

async function keepingPeer(dataDir: string, network: string, first: string | undefined, meter: Meter): Promise<Peer> {
  return createPeer(
    {
      network,
      reach: 'loopback',
      dataDir,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      bootstrap: first === undefined ? [] : [first],
      offer: {
        cpuMilli: 1_000,
        memoryBytes: 2 ** 28,
        keepBytes: 2 ** 36,
        // Dearer than any job: it keeps, and that is all.
        cpuHourMicro: 10 ** 9,
        unit: 'credit',
        wallMsMax: 3_600_000,
      },
      workers: 1,
      profile: 'bench',
    },
    { clock: realClock, random: realRandom, log: silentLog },
    {
      createHost: async (...how) => {
        const host = await createHost(...how)
        return { ...host, streams: meter.watch(host.streams) }
      },
    },
  )
}

function begin(order: OwningOrder): ChildProcess {
  return fork(join(import.meta.dirname, 'owning-peer.ts'), [JSON.stringify(order)])
}

/** What it says when it is done. */
async function whole<View>(child: ChildProcess, signal: AbortSignal): Promise<View> {
  const { promise, resolve, reject } = Promise.withResolvers<View>()
  child.once('message', ({ done }: { done: View }) => resolve(done))
  child.once('exit', (code) => reject(new Error(`the peer ended with code ${code}`)))
  const onAbort = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const view = await promise
    if (child.exitCode === null) await once(child, 'exit')
    return view
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

export const resume: Part = {
  name: 'resume',
  about: 'what is sent again when the peer that puts or gets is killed at half',
  async measure({ folder, say, signal }) {
    const within = AbortSignal.any([signal, AbortSignal.timeout(withinMs)])
    const resumed = await killedAtHalf({ folder, bytes: objectBytes, code, signal: within }, say)
    if (!resumed.isSame) throw new Error('what was read is not the object')
    const row = (name: string, againBytes: number, allowedBytes: number) =>
      valueRow(
        `${name}: sent again after kill -9 at half`,
        'MiB',
        [againBytes / 2 ** 20],
        { most: allowedBytes / 2 ** 20 },
        `of ${objectBytes / 2 ** 20} MiB, ${formatCode(code)}; one credit window a peer and 1 %`,
      )
    return [
      row('put', resumed.putAgainBytes, resumed.putAllowedBytes),
      row('get', resumed.gotAgainBytes, resumed.gotAllowedBytes),
    ]
  },
}
