/** Opens and answers streams. The port is in protocols/wire/channel.ts; who may have how many open is counted here. */
import type { Libp2p, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'

import type { Channel, ProtocolLimits, Streams } from '../../protocols/wire/channel.ts'
import { Fault } from '../../protocols/wire/fault.ts'
import type { PeerName } from '../../protocols/wire/peer.ts'
import type { Clock, Log } from '../environment.ts'
import { ChannelClosedError, createChannel, type StreamChannel } from './channel.ts'
import { asError } from './errors.ts'
import type { HostLimits } from './limits.ts'

/** A peer broke a protocol towards us: its standing suffers. */
export type OnFault = (peer: PeerName, protocol: string, fault: Fault) => void

export interface StreamsInit {
  readonly node: Pick<Libp2p, 'dialProtocol' | 'handle'>
  readonly limits: Pick<
    HostLimits,
    'streamsPerConnectionMax' | 'channelQueueBytesMax' | 'streamLingerMs' | 'streamWindowBytesMax'
  >
  readonly onFault: OnFault
  readonly clock: Clock
  readonly log: Log
}

export interface HostStreams extends Streams {
  /** Ends every stream that is being answered or was opened here. */
  stop(): void
}

export function createStreams({ node, limits, onFault, clock, log }: StreamsInit): HostStreams {
  const inboundOf = new Map<string, number>()
  const live = new Set<StreamChannel>()

  const channelOn = (
    stream: Stream,
    peer: PeerName,
    { frameBytesMax, windowBytes = 0 }: ProtocolLimits,
  ): StreamChannel => {
    const channel = createChannel(stream, peer, {
      frameBytesMax,
      queueBytesMax: limits.channelQueueBytesMax,
      // More than that libp2p could not hold of a paused stream, and would abort it.
      windowBytes: Math.min(windowBytes, limits.streamWindowBytesMax),
    })
    live.add(channel)
    void channel.closed.then(() => live.delete(channel))
    return channel
  }

  const answer = async (channel: StreamChannel, protocol: string, handler: (channel: Channel) => Promise<void>) => {
    const facts = { peer: channel.remote, protocol }
    try {
      await handler(channel)
    } catch (error) {
      channel.abort(asError(error))
      if (error instanceof Fault) onFault(channel.remote, protocol, error)
      else if (error instanceof ChannelClosedError || isAbort(error))
        log('debug', 'a stream ended early', { ...facts, error })
      else log('error', 'a handler failed', { ...facts, error })
      return
    }
    // The other side gets a moment to close too; a stream that stays half open would hold its place for ever.
    using linger = clock.deadline(limits.streamLingerMs)
    try {
      await channel.close(linger.signal)
      await settled(channel.closed, linger.signal)
    } catch (error) {
      log('debug', 'a stream did not close', { ...facts, error })
    } finally {
      channel.abort(new ChannelClosedError('closed'))
    }
  }

  return {
    async open(peer, protocol, protocolLimits, signal) {
      signal.throwIfAborted()
      const maxOutboundStreams = limits.streamsPerConnectionMax
      const stream = await node.dialProtocol(peerIdFromString(peer), protocol, { signal, maxOutboundStreams })
      return channelOn(stream, peer, protocolLimits)
    },

    async handle(protocol, protocolLimits: ProtocolLimits, handler) {
      const answerStream: Parameters<Libp2p['handle']>[1] = (stream, connection) => {
        const peer = connection.remotePeer.toString()
        const name = `${peer} ${protocol}`
        const open = inboundOf.get(name) ?? 0
        if (open >= protocolLimits.streamsPerPeerMax) {
          log('debug', 'refused a stream: the peer has too many', { peer, protocol, open })
          stream.abort(new Error('too many streams'))
          return
        }
        inboundOf.set(name, open + 1)
        const channel = channelOn(stream, peer, protocolLimits)
        void answer(channel, protocol, handler).finally(() => {
          const left = inboundOf.get(name)! - 1
          if (left === 0) inboundOf.delete(name)
          else inboundOf.set(name, left)
        })
      }
      // libp2p's own limit is of one connection, and a peer may have several: ours, above, is of the peer.
      await node.handle(protocol, answerStream, { maxInboundStreams: limits.streamsPerConnectionMax })
    },

    stop() {
      for (const channel of live) channel.abort(new ChannelClosedError('aborted'))
    },
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'DeadlineError')
}

/** Resolves when the promise does or the signal fires, whichever is first. */
async function settled(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const fired = Promise.withResolvers<void>()
  const resolve = (): void => fired.resolve()
  signal.addEventListener('abort', resolve, { once: true })
  await Promise.race([promise, fired.promise])
  signal.removeEventListener('abort', resolve)
}
