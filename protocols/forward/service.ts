/** Carries connections: one stream, one TCP connection. What is at its ends is the caller's. */
import { Fault, RefusedError, refusal, type Channel, type PeerName, type Refusal, type Streams } from '../wire/index.ts'
import { decodeForward, encodeForward } from './codec.ts'
import {
  askToOpen,
  awaitOpen,
  connectionWakeAtMs,
  stepConnection,
  type ConnectionEffect,
  type ConnectionInput,
  type ConnectionState,
} from './connection.ts'
import { forwardDataBytesMax, forwardLimits, forwardOpenMs, forwardProtocol, forwardsMax } from './messages.ts'

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
  monotonicMs(): number
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
    const carriage = new Carriage(channel, awaitOpen, timekeeper)
    using opening = timekeeper.deadline(forwardOpenMs)
    const { signal } = opening
    const frame = await channel.read(signal)
    if (frame === undefined) return
    // What is no OPEN is a fault, however many there are.
    const [asked] = await carriage.take({ is: 'frame', message: decodeForward(frame) }, signal)
    if (asked?.do !== 'connect') return
    const refuse = async (because: Refusal): Promise<void> =>
      void (await carriage.take({ is: 'refuse', refusal: because }, signal))
    if (carried >= forwardsMax) return await refuse(refusal('BUSY', { forwardsMax }))
    carried++
    try {
      const connected = await connect(channel.remote, asked.lease, asked.port, signal)
      if ('code' in connected) return await refuse(connected)
      try {
        await carriage.take({ is: 'connected' }, signal)
      } catch (error) {
        connected.end.close()
        throw error
      }
      await carriage.carry(connected.end, connected.over)
    } finally {
      carried--
    }
  }

  return {
    serve: async () => streams.handle(forwardProtocol, forwardLimits, answer),
    async open(peer, lease, port, signal) {
      using opening = timekeeper.deadline(forwardOpenMs, signal)
      const channel = await streams.open(peer, forwardProtocol, forwardLimits, opening.signal)
      const [asking, effects] = askToOpen(lease, port)
      const carriage = new Carriage(channel, asking, timekeeper)
      try {
        await carriage.perform(effects, opening.signal)
        const frame = await channel.read(opening.signal)
        if (frame === undefined) throw new Fault('OUT_OF_TURN', 'an answer was due')
        const [said] = await carriage.take({ is: 'frame', message: decodeForward(frame) }, opening.signal)
        if (said?.do === 'refused') throw new RefusedError(said.refusal)
      } catch (error) {
        channel.abort(new Error('the connection was not opened'))
        throw error
      }
      return {
        async carry(end, until) {
          try {
            await carriage.carry(end, until)
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

/** Carries out what the machine of one connection says, on a stream and on our own end. */
class Carriage {
  readonly #channel: Channel
  readonly #timekeeper: ForwardTimekeeper
  readonly #broken = new AbortController()
  #state: ConnectionState
  #end: ConnectionEnd | undefined
  #cancelWake = (): void => {}

  constructor(channel: Channel, state: ConnectionState, timekeeper: ForwardTimekeeper) {
    this.#channel = channel
    this.#state = state
    this.#timekeeper = timekeeper
  }

  /** Resolves with what was said when all of it is done. Throws a Fault for what is out of turn. */
  async take(input: ConnectionInput, signal: AbortSignal): Promise<readonly ConnectionEffect[]> {
    const [next, effects] = stepConnection(this.#state, input, this.#timekeeper.monotonicMs())
    this.#state = next
    await this.perform(effects, signal)
    return effects
  }

  async perform(effects: readonly ConnectionEffect[], signal: AbortSignal): Promise<void> {
    for (const effect of effects) {
      if (effect.do === 'send') await this.#channel.write(encodeForward(effect.message), signal)
      else if (effect.do === 'give') await this.#end?.send(effect.bytes)
      else if (effect.do === 'finish') this.#end?.end()
      else if (effect.do === 'close') this.#broken.abort(new Error('nothing moved for too long'))
    }
  }

  /** Both directions until both are over, or one breaks; closes `end`. */
  async carry(end: ConnectionEnd, until: AbortSignal): Promise<void> {
    this.#end = end
    const signal = AbortSignal.any([until, this.#broken.signal])
    // What waits in `end` hears of no signal: to be closed is what ends it.
    const onAbort = (): void => end.close()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#sleep(signal)
    const both = [this.#out(end, signal), this.#back(signal)].map(async (way) => {
      try {
        await way
      } catch (error) {
        this.#broken.abort(error)
        await this.take({ is: 'broken' }, signal)
        throw error
      }
    })
    try {
      await Promise.all(both)
    } finally {
      // The second is waited for as well: nothing goes on behind the caller's back.
      await Promise.allSettled(both)
      this.#cancelWake()
      signal.removeEventListener('abort', onAbort)
      end.close()
    }
  }

  async #out(end: ConnectionEnd, signal: AbortSignal): Promise<void> {
    for await (const chunk of end.received) {
      for (let at = 0; at < chunk.byteLength; at += forwardDataBytesMax)
        await this.take({ is: 'came', bytes: chunk.subarray(at, at + forwardDataBytesMax) }, signal)
    }
    signal.throwIfAborted()
    await this.take({ is: 'ended' }, signal)
  }

  async #back(signal: AbortSignal): Promise<void> {
    for (;;) {
      const frame = await this.#channel.read(signal)
      if (frame === undefined) throw new Error('the other side broke off')
      const message = decodeForward(frame)
      await this.take({ is: 'frame', message }, signal)
      if (message.say === 'end') return
    }
  }

  /** Woken when nothing can have moved for too long, and not each time that something does. */
  #sleep(signal: AbortSignal): void {
    const atMs = connectionWakeAtMs(this.#state)
    if (atMs === undefined) return
    this.#cancelWake = this.#timekeeper.after(Math.max(0, atMs - this.#timekeeper.monotonicMs()), () => {
      // To be woken says nothing to the other side.
      void this.take({ is: 'wake' }, signal).then(() => this.#sleep(signal))
    })
  }
}
