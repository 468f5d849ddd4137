/** Carries connections: one stream, one TCP connection. What is at its ends is the caller's. */
import { Fault, RefusedError, refusal, type Channel, type PeerName, type Refusal, type Streams } from '../wire/index.ts'
import { decodeForward, encodeForward } from './codec.ts'
import {
  forwardDataBytesMax,
  forwardIdleMs,
  forwardLimits,
  forwardOpenMs,
  forwardProtocol,
  forwardsMax,
  type Forward,
} from './messages.ts'

/** One end of a connection: a socket, or the way into a container. */
export interface ConnectionEnd {
  /** What comes out of it; ends when that direction is over. */
  readonly received: AsyncIterable<Uint8Array>
  /** Resolves when more may be sent. */
  send(bytes: Uint8Array): Promise<void>
  /** Nothing more will be sent. */
  end(): void
  /** Both directions, at once. Harmless when it is closed. */
  close(): void
}

export interface ForwardTimekeeper {
  after(delayMs: number, run: () => void): () => void
  deadline(delayMs: number, parent?: AbortSignal): { readonly signal: AbortSignal; [Symbol.dispose](): void }
}

export interface ForwardService {
  serve(): Promise<void>
  /** Rejects with RefusedError, a Fault, or the signal's reason. Then {@link CarriedConnection.carry} joins it with an end. */
  open(peer: PeerName, lease: string, port: number, signal: AbortSignal): Promise<CarriedConnection>
}

export interface CarriedConnection {
  /** Resolves when both directions are over; rejects when the connection breaks, and closes `end` in each case. */
  carry(end: ConnectionEnd, signal: AbortSignal): Promise<void>
}

/** The end that a provider has, why not, and what fires when the lease is over. */
export type Connect = (
  from: PeerName,
  lease: string,
  port: number,
  signal: AbortSignal,
) => Promise<{ readonly end: ConnectionEnd; readonly over: AbortSignal } | Refusal>

export function createForward(deps: {
  readonly streams: Streams
  readonly timekeeper: ForwardTimekeeper
  readonly connect: Connect
}): ForwardService {
  const { streams, timekeeper, connect } = deps
  let carried = 0

  const answer = async (channel: Channel): Promise<void> => {
    using opening = timekeeper.deadline(forwardOpenMs)
    const { signal } = opening
    const frame = await channel.read(signal)
    if (frame === undefined) return
    const message = decodeForward(frame)
    if (message.say !== 'open') throw new Fault('OUT_OF_TURN', 'OPEN was due', { said: message.say })
    if (carried >= forwardsMax)
      return await say(channel, { say: 'refused', refusal: refusal('BUSY', { forwardsMax }) }, signal)
    carried++
    try {
      const connected = await connect(channel.remote, message.lease, message.port, signal)
      if ('code' in connected) return await say(channel, { say: 'refused', refusal: connected }, signal)
      try {
        await say(channel, { say: 'opened' }, signal)
      } catch (error) {
        connected.end.close()
        throw error
      }
      await carry(channel, connected.end, connected.over, timekeeper)
    } finally {
      carried--
    }
  }

  return {
    serve: async () => streams.handle(forwardProtocol, forwardLimits, answer),
    async open(peer, lease, port, signal) {
      using opening = timekeeper.deadline(forwardOpenMs, signal)
      const channel = await streams.open(peer, forwardProtocol, forwardLimits, opening.signal)
      try {
        await say(channel, { say: 'open', lease, port }, opening.signal)
        const frame = await channel.read(opening.signal)
        if (frame === undefined) throw new Fault('OUT_OF_TURN', 'an answer was due')
        const answered = decodeForward(frame)
        if (answered.say === 'refused') throw new RefusedError(answered.refusal)
        if (answered.say !== 'opened') throw new Fault('OUT_OF_TURN', 'OPENED was due', { said: answered.say })
      } catch (error) {
        channel.abort(new Error('the connection was not opened'))
        throw error
      }
      return {
        async carry(end, until) {
          try {
            await carry(channel, end, until, timekeeper)
            using closing = timekeeper.deadline(forwardOpenMs)
            await channel.close(closing.signal)
          } finally {
            channel.abort(new Error('the connection is over'))
          }
        },
      }
    },
  }
}

async function say(channel: Channel, message: Forward, signal: AbortSignal): Promise<void> {
  await channel.write(encodeForward(message), signal)
}

/** Both directions until both are over, or one breaks; closes `end`. */
async function carry(
  channel: Channel,
  end: ConnectionEnd,
  until: AbortSignal,
  timekeeper: ForwardTimekeeper,
): Promise<void> {
  const broken = new AbortController()
  const signal = AbortSignal.any([until, broken.signal])
  let cancelIdle = (): void => {}
  const alive = (): void => {
    cancelIdle()
    cancelIdle = timekeeper.after(forwardIdleMs, () => broken.abort(new Error('nothing moved for too long')))
  }
  // What waits in `end` hears of no signal: to be closed is what ends it.
  const onAbort = (): void => end.close()
  signal.addEventListener('abort', onAbort, { once: true })
  alive()
  const out = async (): Promise<void> => {
    for await (const chunk of end.received) {
      for (let at = 0; at < chunk.byteLength; at += forwardDataBytesMax) {
        alive()
        await say(channel, { say: 'data', bytes: chunk.subarray(at, at + forwardDataBytesMax) }, signal)
      }
    }
    signal.throwIfAborted()
    await say(channel, { say: 'end' }, signal)
  }
  const back = async (): Promise<void> => {
    for (;;) {
      const frame = await channel.read(signal)
      if (frame === undefined) throw new Error('the other side broke off')
      alive()
      const message = decodeForward(frame)
      if (message.say === 'end') return end.end()
      if (message.say !== 'data') throw new Fault('OUT_OF_TURN', 'DATA or END was due', { said: message.say })
      await end.send(message.bytes)
    }
  }
  const both = [out(), back()].map(async (way) => {
    try {
      await way
    } catch (error) {
      broken.abort(error)
      throw error
    }
  })
  try {
    await Promise.all(both)
  } finally {
    // The second is waited for as well: nothing goes on behind the caller's back.
    await Promise.allSettled(both)
    cancelIdle()
    signal.removeEventListener('abort', onAbort)
    end.close()
  }
}
