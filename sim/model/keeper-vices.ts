/**
 * Keepers that are not honest: the shelf and the streams of an honest one, bent. What a dishonest keeper is asked it answers in
 * the forms of the protocol, or not even that.
 */
import type { Admission, Shelf, ShardSource } from '../../protocols/transfer/index.ts'
import type { Channel, Streams } from '../../protocols/wire/index.ts'
import type { Clock } from '../../src/environment.ts'

/**
 * corrupt: sends blocks that are not of the shard. withhold: takes a shard in, says STORED, and then does not have it.
 * pretend: says STORED without having taken anything. stall: says HAVE, and then nothing. crumbs: sends a block now and then.
 * overfeed: sends every block twice. half-open: never closes a stream. short: says STORED for less than was asked.
 */
export const keeperVices = [
  'corrupt',
  'withhold',
  'pretend',
  'stall',
  'crumbs',
  'overfeed',
  'half-open',
  'short',
] as const
export type KeeperVice = (typeof keeperVices)[number]

/** Just within what a silent peer is given. */
const crumbMs = 9_000
const blockTag = 1

export function bentShelf(shelf: Shelf, vice: KeeperVice, clock: Clock): Shelf {
  return {
    async open(root) {
      if (vice === 'withhold' || vice === 'pretend') return undefined
      const source = await shelf.open(root)
      return source === undefined ? undefined : bentSource(source, vice, clock)
    },
    async admit(request): Promise<Admission> {
      if (vice === 'pretend') return { admit: 'have', keepUntilMs: request.keepUntilMs }
      const admission = await shelf.admit(request)
      if (vice !== 'short' || admission.admit === 'no') return admission
      return { ...admission, keepUntilMs: request.keepUntilMs - 1 }
    },
    release: async (root, from) => shelf.release(root, from),
  }
}

function bentSource(source: ShardSource, vice: KeeperVice, clock: Clock): ShardSource {
  return {
    ...source,
    async leaf(leaf) {
      if (vice === 'stall') return new Promise<never>(() => {})
      if (vice === 'crumbs') await clock.sleep(crumbMs, new AbortController().signal)
      const found = await source.leaf(leaf)
      if (vice !== 'corrupt') return found
      const bytes = found.bytes.slice()
      bytes[leaf % bytes.byteLength]! ^= 1
      return { ...found, bytes }
    },
  }
}

export function bentStreams(streams: Streams, vice: KeeperVice): Streams {
  if (vice !== 'overfeed' && vice !== 'half-open') return streams
  return {
    open: async (peer, protocol, limits, signal) => streams.open(peer, protocol, limits, signal),
    handle: async (protocol, limits, handler) =>
      streams.handle(protocol, limits, async (channel) => {
        await handler(bentChannel(channel, vice))
        // The handler's end would be the stream's.
        if (vice === 'half-open') await new Promise<never>(() => {})
      }),
  }
}

function bentChannel(channel: Channel, vice: KeeperVice): Channel {
  return {
    remote: channel.remote,
    read: async (signal) => channel.read(signal),
    async write(frame, signal) {
      await channel.write(frame, signal)
      if (vice === 'overfeed' && frame[0] === blockTag) await channel.write(frame, signal)
    },
    async close(signal) {
      if (vice !== 'half-open') await channel.close(signal)
    },
    abort: (reason) => channel.abort(reason),
  }
}
