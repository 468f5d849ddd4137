/** A bare libp2p stream, as the measure of what a transfer could reach at best: the encrypter and the muxer of a peer, and nothing else. */
import type { Connection, Libp2p, Stream, StreamMessageEvent } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

import { realClock } from '../../src/environment.ts'
import { encryptersOf, type EncrypterFactory } from '../../src/host/encrypters.ts'
import { encryptersInOrder, limitsFor } from '../../src/host/index.ts'
import { silentLogger } from '../../src/host/silent-logger.ts'

const protocol = '/pleach/bench/raw/1'
/** What `send` takes at once: 64 to 256 KiB are best. */
const pieceBytes = 128 * 1024

/** libp2p's own, without what our hosts put around them; and what our hosts have. */
const bare = { noise, tls } as const
const own = (name: keyof typeof bare): EncrypterFactory =>
  encryptersOf([name], { clock: realClock, onWire: undefined })[0]!

export const links = {
  noise: () => own('noise'),
  tls: () => own('tls'),
  libp2pTls: () => tls(),
} as const satisfies Record<string, () => EncrypterFactory>
export type LinkName = keyof typeof links

/** Encrypted by libp2p's own, in the order of our hosts, when nothing else is said. */
export async function rawNode(
  listen: readonly string[],
  encrypters: readonly EncrypterFactory[] = encryptersInOrder.map((name) => bare[name]()),
): Promise<Libp2p> {
  const limits = limitsFor('loopback')
  const node = await createLibp2p({
    logger: silentLogger,
    connectionManager: {
      inboundConnectionThreshold: limits.inboundPerIpPerSecondMax,
      maxIncomingPendingConnections: limits.inboundPendingMax,
    },
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [...encrypters],
    streamMuxers: [
      yamux({
        streamOptions: {
          initialStreamWindowSize: limits.streamWindowBytes,
          maxStreamWindowSize: limits.streamWindowBytesMax,
          maxReadBufferLength: limits.streamReadBufferBytesMax,
          maxWriteBufferLength: limits.streamWriteBufferBytesMax,
        },
      }),
    ],
  })
  await node.start()
  return node
}

/** One connection more, whatever there is already. */
export async function connectRaw(node: Libp2p, address: string): Promise<Connection> {
  return node.dial(multiaddr(address), { force: true })
}

/** Answers each stream with as many bytes as its first eight say. */
export async function serveRaw(node: Libp2p): Promise<void> {
  await node.handle(protocol, (stream) => {
    stream.addEventListener(
      'message',
      ({ data }: StreamMessageEvent) => void pour(stream, Number(Buffer.from(data.subarray()).readBigUInt64BE())),
      { once: true },
    )
  })
}

async function pour(stream: Stream, bytes: number): Promise<void> {
  const piece = new Uint8Array(pieceBytes).fill(7)
  for (let left = bytes; left > 0; left -= pieceBytes) {
    stream.send(piece.subarray(0, Math.min(left, pieceBytes)))
    // It is also told of room on the connection that its own window does not let it use.
    while (stream.writableNeedsDrain) {
      await new Promise<void>((resolve) => {
        stream.addEventListener('drain', () => resolve(), { once: true })
      })
    }
  }
  await stream.close()
}

/** Resolves when so many bytes have come. */
export async function drinkRaw(node: Libp2p, address: string, bytes: number): Promise<void> {
  const connection = await node.dial(multiaddr(address))
  const stream = await connection.newStream(protocol)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let come = 0
  stream.addEventListener('message', ({ data }: StreamMessageEvent) => {
    come += data.byteLength
    if (come >= bytes) resolve()
  })
  stream.addEventListener('close', () => reject(new Error(`the raw stream ended after ${come} bytes`)))
  const ask = Buffer.alloc(8)
  ask.writeBigUInt64BE(BigInt(bytes))
  stream.send(new Uint8Array(ask))
  await promise
  // Of those that stay open libp2p allows thirty-two.
  await stream.close()
}
