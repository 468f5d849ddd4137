/** Carries out transfers on streams: one exchange a stream, every wait with a deadline. */
import { leafCount } from '../erasure/index.ts'
import { Fault, RefusedError, refusal, type Channel, type PeerName, type Refusal, type Streams } from '../wire/index.ts'
import { decodeTransfer, encodeTransfer } from './codec.ts'
import { idleMsMax, transferLimits, transferProtocol, type Transfer } from './messages.ts'
import { receive, stepReceiver, type ReceiverEffect, type ReceiverState } from './receiver.ts'
import { offerShard, stepSender } from './sender.ts'

/** What a transfer needs of a clock. */
export interface Timekeeper {
  deadline(delayMs: number, parent?: AbortSignal): { readonly signal: AbortSignal; [Symbol.dispose](): void }
}

/** A shard that can be read, leaf by leaf. `leaf` rejects when the stored bytes are damaged. */
export interface ShardSource {
  readonly shardBytes: number
  leaf(leaf: number): Promise<{ readonly bytes: Uint8Array; readonly proof: readonly Uint8Array[] }>
  close(): Promise<void>
}

/** A shard that is being taken in. */
export interface ShardSink {
  /** Leaves that are not here yet. */
  readonly needed: readonly number[]
  write(leaf: number, bytes: Uint8Array, hash: Uint8Array): Promise<void>
  /** Durable when it resolves. */
  finish(): Promise<void>
  /** What came so far is kept for another try, or thrown away: as the store likes. */
  abandon(): Promise<void>
}

export type Admission =
  | { readonly admit: 'all'; readonly sink: ShardSink; readonly keepUntilMs: number }
  | { readonly admit: 'have'; readonly keepUntilMs: number }
  | { readonly admit: 'no'; readonly refusal: Refusal }

/** What a keeper has, and what it takes. */
export interface Shelf {
  open(root: Uint8Array): Promise<ShardSource | undefined>
  admit(request: {
    readonly root: Uint8Array
    readonly shardBytes: number
    readonly keepUntilMs: number
    readonly from: PeerName
  }): Promise<Admission>
}

export interface TransferService {
  serve(): Promise<void>
  /** Resolves, once the keeper has said STORED, with until when. Rejects with RefusedError, a Fault, or the reason of `signal`. */
  put(peer: PeerName, root: Uint8Array, source: ShardSource, keepUntilMs: number, signal: AbortSignal): Promise<number>
  /**
   * Fetches these leaves in order. `onLeaf` is awaited before more is asked for: its pace is the transfer's. The bytes are a view
   * that is valid until `onLeaf` resolves.
   */
  get(
    peer: PeerName,
    root: Uint8Array,
    shardBytes: number,
    leaves: readonly number[],
    onLeaf: (leaf: number, bytes: Uint8Array, hash: Uint8Array) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>
}

/** Exchanges that one peer serves at once, for all others together. */
export const exchangesServedMax = 64

export function createTransfer(deps: {
  readonly streams: Streams
  readonly timekeeper: Timekeeper
  readonly shelf: Shelf
}): TransferService {
  const { streams, timekeeper, shelf } = deps
  let served = 0
  return {
    serve: async () =>
      streams.handle(transferProtocol, transferLimits, async (channel) => {
        served++
        try {
          await serveOne(new Talk(channel, timekeeper, undefined), shelf, served > exchangesServedMax)
        } finally {
          served--
        }
      }),
    put: async (peer, root, source, keepUntilMs, signal) =>
      withTalk(streams, timekeeper, peer, signal, async (talk) => {
        await talk.say({ say: 'put', root, shardBytes: source.shardBytes, keepUntilMs })
        return sendUntilStored(talk, source)
      }),
    get: async (peer, root, shardBytes, leaves, onLeaf, signal) =>
      withTalk(streams, timekeeper, peer, signal, async (talk) => {
        await talk.say({ say: 'get', root })
        const answer = await talk.hear()
        if (answer?.say === 'refused') throw new RefusedError(answer.refusal)
        if (answer?.say !== 'have')
          throw new Fault('OUT_OF_TURN', 'GET was not answered with HAVE', { said: answer?.say ?? 'nothing' })
        if (answer.shardBytes !== shardBytes)
          throw new Fault('FIELD_INVALID', 'the shard has another size', { shardBytes: answer.shardBytes })
        await receiveAll(talk, receive(root, shardBytes, leaves), onLeaf)
      }),
  }
}

async function withTalk<Result>(
  streams: Streams,
  timekeeper: Timekeeper,
  peer: PeerName,
  signal: AbortSignal,
  exchange: (talk: Talk) => Promise<Result>,
): Promise<Result> {
  using opening = timekeeper.deadline(idleMsMax, signal)
  const channel = await streams.open(peer, transferProtocol, transferLimits, opening.signal)
  const talk = new Talk(channel, timekeeper, signal)
  try {
    const result = await exchange(talk)
    await talk.close()
    return result
  } catch (error) {
    channel.abort(error as Error)
    throw error
  }
}

async function serveOne(talk: Talk, shelf: Shelf, isBusy: boolean): Promise<void> {
  const request = await talk.hear()
  if (request === undefined) return
  if (isBusy) return talk.refuse(refusal('BUSY', { exchangesServedMax }))
  switch (request.say) {
    case 'get':
      return serveGet(talk, shelf, request.root)
    case 'put':
      return servePut(talk, shelf, request)
    default:
      throw new Fault('OUT_OF_TURN', 'a transfer begins with GET or PUT', { said: request.say })
  }
}

async function serveGet(talk: Talk, shelf: Shelf, root: Uint8Array): Promise<void> {
  const source = await shelf.open(root)
  if (source === undefined) return talk.refuse(refusal('NOT_FOUND'))
  try {
    await talk.say({ say: 'have', shardBytes: source.shardBytes })
    for (let state = offerShard(source.shardBytes); ;) {
      const message = await talk.hear()
      if (message === undefined) return await talk.close()
      if (message.say !== 'want') throw new Fault('OUT_OF_TURN', 'only WANT may follow HAVE', { said: message.say })
      state = await sendLeaves(talk, source, state, message)
    }
  } finally {
    await source.close()
  }
}

async function servePut(talk: Talk, shelf: Shelf, request: Extract<Transfer, { say: 'put' }>): Promise<void> {
  const { root, shardBytes, keepUntilMs } = request
  const admission = await shelf.admit({ root, shardBytes, keepUntilMs, from: talk.remote })
  switch (admission.admit) {
    case 'no':
      return talk.refuse(admission.refusal)
    case 'have':
      break
    case 'all': {
      const { sink } = admission
      try {
        await receiveAll(talk, receive(root, shardBytes, sink.needed), async (leaf, bytes, hash) =>
          sink.write(leaf, bytes, hash),
        )
        await sink.finish()
      } catch (error) {
        await sink.abandon()
        throw error
      }
      break
    }
    default:
      admission satisfies never
  }
  await talk.say({ say: 'stored', keepUntilMs: admission.keepUntilMs })
  await talk.close()
}

async function sendUntilStored(talk: Talk, source: ShardSource): Promise<number> {
  for (let state = offerShard(source.shardBytes); ;) {
    const message = await talk.hear()
    switch (message?.say) {
      case 'want':
        state = await sendLeaves(talk, source, state, message)
        break
      case 'stored':
        return message.keepUntilMs
      case 'refused':
        throw new RefusedError(message.refusal)
      default:
        throw new Fault('OUT_OF_TURN', 'PUT was not answered with WANT or STORED', { said: message?.say ?? 'nothing' })
    }
  }
}

async function sendLeaves(
  talk: Talk,
  source: ShardSource,
  state: ReturnType<typeof offerShard>,
  want: Extract<Transfer, { say: 'want' }>,
): Promise<ReturnType<typeof offerShard>> {
  const [asked, effects] = stepSender(state, { is: 'want', firstLeaf: want.firstLeaf, count: want.count })
  let next = asked
  for (const { leaf } of effects) {
    await talk.say({ say: 'block', leaf, ...(await source.leaf(leaf)) })
    ;[next] = stepSender(next, { is: 'sent' })
  }
  return next
}

async function receiveAll(
  talk: Talk,
  first: readonly [ReceiverState, readonly ReceiverEffect[]],
  onLeaf: (leaf: number, bytes: Uint8Array, hash: Uint8Array) => Promise<void>,
): Promise<void> {
  let [state, effects] = first
  for (;;) {
    for (const effect of effects) {
      if (effect.do === 'finish') return
      if (effect.do === 'send') await talk.say(effect.message)
    }
    const message = await talk.hear()
    if (message?.say === 'refused') throw new RefusedError(message.refusal)
    if (message?.say !== 'block')
      throw new Fault('OUT_OF_TURN', 'a block was due', {
        said: message?.say ?? 'nothing',
        leaves: leafCount(state.shardBytes),
      })
    const { leaf, proof, bytes } = message
    const [taken, writes] = stepReceiver(state, { is: 'block', leaf, proof, bytes })
    for (const effect of writes) if (effect.do === 'write') await onLeaf(effect.leaf, effect.bytes, effect.hash)
    ;[state, effects] = stepReceiver(taken, { is: 'written' })
  }
}

/** Messages instead of frames, each wait with the idle deadline. */
class Talk {
  readonly #channel: Channel
  readonly #timekeeper: Timekeeper
  readonly #signal: AbortSignal | undefined

  constructor(channel: Channel, timekeeper: Timekeeper, signal: AbortSignal | undefined) {
    this.#channel = channel
    this.#timekeeper = timekeeper
    this.#signal = signal
  }

  get remote(): PeerName {
    return this.#channel.remote
  }

  async say(message: Transfer): Promise<void> {
    using deadline = this.#timekeeper.deadline(idleMsMax, this.#signal)
    await this.#channel.write(encodeTransfer(message), deadline.signal)
  }

  /** The next message, or undefined once the other side has closed. */
  async hear(): Promise<Transfer | undefined> {
    using deadline = this.#timekeeper.deadline(idleMsMax, this.#signal)
    const frame = await this.#channel.read(deadline.signal)
    return frame === undefined ? undefined : decodeTransfer(frame)
  }

  async refuse(because: Refusal): Promise<void> {
    await this.say({ say: 'refused', refusal: because })
    await this.close()
  }

  async close(): Promise<void> {
    using deadline = this.#timekeeper.deadline(idleMsMax, this.#signal)
    await this.#channel.close(deadline.signal)
  }
}
