/** Two joined channels in memory, bounded like a stream: what one writes the other reads. */
import type { Channel, PeerName, ProtocolLimits, Streams } from '../../protocols/wire/index.ts'

/** Frames under way before a writer has to wait. */
const framesMax = 8

class Pipe {
  readonly #frames: Uint8Array[] = []
  #ended = false
  #failure: Error | undefined
  #changed: (() => void)[] = []

  async push(frame: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#frames.length < framesMax, signal)
    if (this.#ended) throw new Error('the channel is closed')
    this.#frames.push(frame.slice())
    this.#wake()
  }

  async pull(signal: AbortSignal): Promise<Uint8Array | undefined> {
    await this.#until(() => this.#frames.length > 0 || this.#ended, signal)
    const frame = this.#frames.shift()
    this.#wake()
    return frame
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  fail(reason: Error): void {
    this.#failure ??= reason
    this.#wake()
  }

  async #until(isTrue: () => boolean, signal: AbortSignal): Promise<void> {
    while (this.#failure === undefined && !isTrue()) {
      signal.throwIfAborted()
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#changed.push(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      await promise
    }
    signal.throwIfAborted()
    if (this.#failure !== undefined) throw this.#failure
  }

  #wake(): void {
    const changed = this.#changed
    this.#changed = []
    for (const resolve of changed) resolve()
  }
}

export function channelPair(left: PeerName, right: PeerName): [Channel, Channel] {
  const [there, back] = [new Pipe(), new Pipe()]
  const end = (remote: PeerName, out: Pipe, input: Pipe): Channel => ({
    remote,
    read: async (signal) => input.pull(signal),
    write: async (frame, signal) => out.push(frame, signal),
    close: async () => out.end(),
    abort: (reason) => {
      out.fail(reason)
      input.fail(reason)
    },
  })
  return [end(right, there, back), end(left, back, there)]
}

/** Peers that reach each other by name, and not themselves. A peer that is `dead` cannot be opened; its open channels fall silent. */
export class Switchboard {
  readonly dead = new Set<PeerName>()
  readonly faults: { peer: PeerName; error: unknown }[] = []
  readonly #handlers = new Map<string, (channel: Channel) => Promise<void>>()
  readonly #open = new Set<Channel>()

  /** Breaks every channel, so that nobody waits for the other's deadline. */
  hangUp(): void {
    for (const channel of this.#open) channel.abort(new Error('hung up'))
  }

  streamsOf(self: PeerName): Streams {
    return {
      open: async (peer: PeerName, protocol: string, _limits: ProtocolLimits, signal: AbortSignal) => {
        signal.throwIfAborted()
        const handler = this.#handlers.get(`${peer}${protocol}`)
        if (peer === self || this.dead.has(peer) || handler === undefined) throw new Error('unreachable')
        const [near, far] = channelPair(self, peer)
        this.#open.add(near)
        handler(far).catch((error: unknown) => {
          this.faults.push({ peer: self, error })
          far.abort(error as Error)
        })
        return near
      },
      handle: async (protocol, _limits, handler) => void this.#handlers.set(`${self}${protocol}`, handler),
    }
  }
}
