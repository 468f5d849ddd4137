// Two ends of one yamux stream over a connection in memory, with the windows of a real host. libp2p's own `streamPair` has
// no windows, and so no back-pressure.

import { multiaddrConnectionPair } from '@libp2p/utils'
import type { Stream } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'

import { limitsFor } from '../../src/host/limits.ts'

const { streamWindowBytes, streamWindowBytesMax, streamReadBufferBytesMax, streamWriteBufferBytesMax } =
  limitsFor('loopback')

export interface StreamPair {
  readonly near: Stream
  readonly far: Stream
  /** As when the cable is pulled. */
  cut(): void
}

export const streamPair = async (): Promise<StreamPair> => {
  const [nearConnection, farConnection] = multiaddrConnectionPair({ delay: 0, capacity: 32 })
  const factory = yamux({
    enableKeepAlive: false,
    streamOptions: {
      initialStreamWindowSize: streamWindowBytes,
      maxStreamWindowSize: streamWindowBytesMax,
      maxReadBufferLength: streamReadBufferBytesMax,
      maxWriteBufferLength: streamWriteBufferBytesMax,
    },
  })()
  const nearMuxer = factory.createStreamMuxer(nearConnection)
  const farMuxer = factory.createStreamMuxer(farConnection)
  const arrived = new Promise<Stream>((resolve) => {
    farMuxer.addEventListener('stream', ({ detail }) => resolve(detail), { once: true })
  })
  const near = await nearMuxer.createStream()
  return {
    near,
    far: await arrived,
    cut: () => {
      nearMuxer.onTransportClosed()
      farMuxer.onTransportClosed()
    },
  }
}
