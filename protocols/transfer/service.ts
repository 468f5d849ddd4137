/** Carries out transfers on streams: one exchange a stream, every wait with a deadline. */
import { Fault, RefusedError, refusal, type Channel, type PeerName, type Refusal, type Streams } from '../wire/index.ts'
import {
  creditIdleMsMax,
  creditLeavesMax,
  exchangeMsMax,
  exchangesPerPeerMax,
  exchangesServedMax,
  idleMsMax,
  transferLimits,
  transferProtocol,
  type Transfer,
} from './messages.ts'
import { leafBytes } from '../erasure/index.ts'
import { receive, stepReceiver, type ReceiverStep } from './receiver.ts'
import { offerShard, stepSender, type SenderState } from './sender.ts'
import { Talk, type Pace, type Timekeeper } from './talk.ts'

/**
 * A shard that can be read, leaf by leaf. What is wrong with the shard itself, such as bytes that are no longer what they were,
 * is a RefusedError, which is what the other side is told.
 */
export interface ShardSource {
  readonly shardBytes: number
  /** The bytes are valid until two others have been asked for. */
  leaf(leaf: number): Promise<{ readonly bytes: Uint8Array; readonly proof: readonly Uint8Array[] }>
  close(): Promise<void>
}

/** A shard that is being taken in. What goes wrong here is a RefusedError too, such as a disk that is full. */
export interface ShardSink {
  /** Leaves that are not here yet. */
  readonly needed: readonly number[]
  /** The bytes are verified, and valid until it resolves. */
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
  /**
   * Who asked for it needs it no more. Resolves, durable, with until when it is kept for others (0: it is gone). A RefusedError when it
   * was another who asked, or it is not here.
   */
  release(root: Uint8Array, from: PeerName): Promise<number>
}

/** Of who keeps nothing for anybody. */
export const emptyShelf: Shelf = {
  open: async () => undefined,
  admit: async () => ({ admit: 'no', refusal: refusal('NOT_KEEPING') }),
  release: async () => Promise.reject(new RefusedError(refusal('NOT_FOUND'))),
}

export interface TransferService {
  serve(): Promise<void>
  /** Resolves, once the keeper has said STORED, with until when. Rejects with RefusedError, a Fault, or the reason of `signal`. */
  put(peer: PeerName, root: Uint8Array, source: ShardSource, keepUntilMs: number, signal: AbortSignal): Promise<number>
  /**
   * Tells the keeper that we need a shard no more. Resolves with until when it keeps it for others; 0: it is gone. Rejects with
   * RefusedError, a Fault, or the reason of `signal`.
   */
  release(peer: PeerName, root: Uint8Array, signal: AbortSignal): Promise<number>
  /**
   * Fetches these leaves in order. `onLeaf` is awaited before more is asked for: its pace is the transfer's. The bytes are a view
   * that is valid until `onLeaf` resolves. A Fault is the keeper's: it sent what is not of the shard; a BadBlockFault has what it
   * sent.
   */
  get(
    peer: PeerName,
    root: Uint8Array,
    shardBytes: number,
    leaves: readonly number[] | LeafNeeds,
    onLeaf: OnLeaf,
    signal: AbortSignal,
  ): Promise<void>
}

/** Leaves that are needed, where that becomes known only bit by bit. Looked at after each leaf. */
export interface LeafNeeds {
  /** What has come up since the last time, in the order in which it is wanted; undefined: nothing will any more. */
  take(): readonly number[] | undefined
  /** Resolves when `take` may have something new; rejects when the signal fires. */
  changed(signal: AbortSignal): Promise<void>
}

/** Every leaf of them, as it becomes known. */
export async function* eachLeaf(leaves: readonly number[] | LeafNeeds, signal: AbortSignal): AsyncGenerator<number> {
  if ('length' in leaves) return yield* leaves
  for (let some = leaves.take(); some !== undefined; some = leaves.take()) {
    if (some.length === 0) await leaves.changed(signal)
    yield* some
  }
}

type OnLeaf = (leaf: number, bytes: Uint8Array, hash: Uint8Array) => Promise<void>

interface Carrier {
  readonly streams: Streams
  readonly timekeeper: Timekeeper
  /** Left out: as fast as it goes. */
  readonly pace?: Pace | undefined
}

/**
 * `exchangesMax`: that are served at once, where a slow line leaves too little for `exchangesServedMax`: whoever waits for a block
 * waits `idleMsMax` for it.
 */
export function createTransfer(
  deps: Carrier & { readonly shelf: Shelf; readonly exchangesMax?: number },
): TransferService {
  const { streams, timekeeper, shelf, pace, exchangesMax = exchangesServedMax } = deps
  const places = new Places(Math.min(exchangesMax, exchangesServedMax))
  return {
    serve: async () =>
      streams.handle(transferProtocol, transferLimits, async (channel) =>
        answer(new Talk(channel, timekeeper, pace, unending()), shelf, places),
      ),
    put: async (peer, root, source, keepUntilMs, signal) =>
      exchange(deps, peer, signal, async (opened) =>
        opened.within(exchangeMsMax(source.shardBytes), async (talk) => {
          await talk.say({ say: 'put', root, shardBytes: source.shardBytes, keepUntilMs })
          return sendUntilStored(talk, source, keepUntilMs)
        }),
      ),
    release: async (peer, root, signal) =>
      exchange(deps, peer, signal, async (talk) => {
        await talk.say({ say: 'release', root })
        const answer = await talk.hear()
        if (answer?.say === 'refused') return answer
        if (answer?.say !== 'released') throw outOfTurn('RELEASED', answer)
        return { say: 'done', result: answer.keepUntilMs }
      }),
    get: async (peer, root, shardBytes, leaves, onLeaf, signal) =>
      exchange(deps, peer, signal, async (opened) =>
        opened.within(exchangeMsMax('length' in leaves ? leaves.length * leafBytes : shardBytes), async (talk) => {
          await talk.say({ say: 'get', root })
          const answer = await talk.hear()
          if (answer?.say === 'refused') return answer
          if (answer?.say !== 'have') throw outOfTurn('HAVE', answer)
          if (answer.shardBytes !== shardBytes)
            throw new Fault('FIELD_INVALID', 'the shard has another size', { shardBytes: answer.shardBytes })
          return 'length' in leaves
            ? receiveAll(talk, receive(root, shardBytes, leaves), onLeaf)
            : receiveAll(talk, receive(root, shardBytes, [], true), onLeaf, leaves)
        }),
      ),
  }
}

/** For whom nobody but a deadline says that it is over. */
function unending(): AbortSignal {
  return new AbortController().signal
}

/** How an exchange ended that nobody broke off. */
type Ended<Result> = { readonly say: 'done'; readonly result: Result } | Extract<Transfer, { say: 'refused' }>

async function exchange<Result>(
  { streams, timekeeper, pace }: Carrier,
  peer: PeerName,
  signal: AbortSignal,
  carryOut: (talk: Talk) => Promise<Ended<Result>>,
): Promise<Result> {
  const channel = await openChannel(streams, timekeeper, peer, signal)
  const talk = new Talk(channel, timekeeper, pace, signal)
  let ended: Ended<Result>
  try {
    ended = await carryOut(talk)
    await talk.close()
  } catch (error) {
    channel.abort(error as Error)
    throw error
  }
  void linger(channel, timekeeper)
  if (ended.say === 'refused') throw new RefusedError(ended.refusal)
  return ended.result
}

/** A keeper that never closes its side would hold the stream for as long as the connection lives. Nobody waits for this. */
async function linger(channel: Channel, timekeeper: Timekeeper): Promise<void> {
  using deadline = timekeeper.deadline(idleMsMax)
  try {
    // Nothing is due any more but its end.
    await channel.read(deadline.signal)
  } catch {
    // It ended otherwise, or not in time: that changes nothing of the exchange.
  } finally {
    channel.abort(new Error('the exchange is over'))
  }
}

async function openChannel(
  streams: Streams,
  timekeeper: Timekeeper,
  peer: PeerName,
  signal: AbortSignal,
): Promise<Channel> {
  using opening = timekeeper.deadline(idleMsMax, signal)
  return await streams.open(peer, transferProtocol, transferLimits, opening.signal)
}

/** A RefusedError is our own here, from the shelf: a client has nothing to refuse. */
async function answer(talk: Talk, shelf: Shelf, places: Places): Promise<void> {
  const request = await talk.hear()
  if (request === undefined) return
  if (request.say !== 'get' && request.say !== 'put' && request.say !== 'release')
    throw outOfTurn('GET, PUT or RELEASE', request)
  try {
    using _place = places.take(talk.remote)
    if (request.say === 'get') await serveGet(talk, shelf, request.root)
    else if (request.say === 'put') await servePut(talk, shelf, request)
    else await serveRelease(talk, shelf, request.root)
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
    // Blocks of a PUT, or WANTs of a GET: no more can be on its way than there is credit for.
    await talk.refuse({ code: error.code, facts: error.facts }, creditLeavesMax)
  }
}

async function serveGet(opened: Talk, shelf: Shelf, root: Uint8Array): Promise<void> {
  const source = await shelf.open(root)
  if (source === undefined) throw new RefusedError(refusal('NOT_FOUND'))
  const { shardBytes } = source
  try {
    await opened.within(exchangeMsMax(shardBytes), async (talk) => {
      await talk.say({ say: 'have', shardBytes })
      for (let state = offerShard(shardBytes); ;) {
        const message = await talk.hear(creditIdleMsMax)
        if (message === undefined) return talk.close()
        if (message.say !== 'want') throw outOfTurn('WANT', message)
        state = await sendLeaves(talk, source, state, message)
      }
    })
  } finally {
    await source.close()
  }
}

async function servePut(opened: Talk, shelf: Shelf, request: Extract<Transfer, { say: 'put' }>): Promise<void> {
  const { root, shardBytes, keepUntilMs } = request
  const admission = await shelf.admit({ root, shardBytes, keepUntilMs, from: opened.remote })
  if (admission.admit === 'no') throw new RefusedError(admission.refusal)
  if (admission.admit === 'all') {
    const { sink } = admission
    try {
      const ended = await opened.within(exchangeMsMax(shardBytes), async (talk) =>
        receiveAll(talk, receive(root, shardBytes, sink.needed), async (leaf, bytes, hash) =>
          sink.write(leaf, bytes, hash),
        ),
      )
      if (ended.say === 'refused') throw outOfTurn('a block', ended)
      await sink.finish()
    } catch (error) {
      await sink.abandon()
      throw error
    }
  }
  await opened.say({ say: 'stored', keepUntilMs: admission.keepUntilMs })
  await opened.close()
}

async function serveRelease(talk: Talk, shelf: Shelf, root: Uint8Array): Promise<void> {
  await talk.say({ say: 'released', keepUntilMs: await shelf.release(root, talk.remote) })
  await talk.close()
}

async function sendUntilStored(talk: Talk, source: ShardSource, keepUntilMs: number): Promise<Ended<number>> {
  for (let state = offerShard(source.shardBytes); ;) {
    const message = await talk.hear(creditIdleMsMax)
    switch (message?.say) {
      case 'want':
        state = await sendLeaves(talk, source, state, message)
        break
      case 'stored':
        if (message.keepUntilMs >= keepUntilMs) return { say: 'done', result: message.keepUntilMs }
        throw new Fault('FIELD_INVALID', 'STORED for less than was asked for', {
          keepUntilMs,
          storedUntilMs: message.keepUntilMs,
        })
      case 'refused':
        return message
      default:
        throw outOfTurn('WANT or STORED', message)
    }
  }
}

async function sendLeaves(
  talk: Talk,
  source: ShardSource,
  state: SenderState,
  want: Extract<Transfer, { say: 'want' }>,
): Promise<SenderState> {
  const [asked, effects] = stepSender(state, { is: 'want', firstLeaf: want.firstLeaf, count: want.count })
  let next = asked
  // The next block is read while this one goes out.
  let reading = effects[0] === undefined ? undefined : source.leaf(effects[0].leaf)
  for (const [index, { leaf, proofHashes }] of effects.entries()) {
    const { bytes, proof } = await reading!
    const following = effects[index + 1]
    reading = following === undefined ? undefined : source.leaf(following.leaf)
    // It is asked for its outcome in the next round, if there is one.
    reading?.catch(() => {})
    await talk.say({ say: 'block', leaf, bytes, proof: proof.slice(0, proofHashes) })
    ;[next] = stepSender(next, { is: 'sent' })
  }
  return next
}

async function receiveAll(
  talk: Talk,
  first: ReceiverStep,
  onLeaf: OnLeaf,
  needs: LeafNeeds = nothingMore,
): Promise<Ended<void>> {
  let [state, effects] = first
  for (;;) {
    for (const effect of effects) {
      if (effect.do === 'finish') return { say: 'done', result: undefined }
      if (effect.do === 'send') await talk.say(effect.message)
    }
    if (state.isOpen) {
      const leaves = needs.take()
      if (leaves === undefined) {
        ;[state, effects] = stepReceiver(state, { is: 'enough' })
        continue
      }
      if (leaves.length > 0) {
        ;[state, effects] = stepReceiver(state, { is: 'need', leaves })
        continue
      }
      // Nothing is due from the other side: it is for us to say what we want.
      if (state.written === state.asked) {
        await needs.changed(talk.signal)
        effects = []
        continue
      }
    }
    const message = await talk.hear()
    if (message?.say === 'refused') return message
    if (message?.say !== 'block') throw outOfTurn('a block', message)
    const { leaf, proof, bytes } = message
    const [taken, writes] = stepReceiver(state, { is: 'block', leaf, proof, bytes })
    for (const effect of writes) if (effect.do === 'write') await onLeaf(effect.leaf, effect.bytes, effect.hash)
    talk.forget()
    ;[state, effects] = stepReceiver(taken, { is: 'written' })
  }
}

const nothingMore: LeafNeeds = { take: () => undefined, changed: async () => {} }

function outOfTurn(due: string, message: Transfer | undefined): Fault {
  return new Fault('OUT_OF_TURN', `${due} was due`, { said: message?.say ?? 'nothing' })
}

/** The exchanges that are served. Who is only being refused, or has not yet asked, takes no place. */
class Places {
  readonly #takenBy = new Map<PeerName, number>()
  readonly #most: number
  #taken = 0

  constructor(most: number) {
    this.#most = most
  }

  take(peer: PeerName): Disposable {
    const taken = this.#takenBy.get(peer) ?? 0
    if (taken === exchangesPerPeerMax) throw new RefusedError(refusal('BUSY', { exchangesPerPeerMax }))
    if (this.#taken === this.#most) throw new RefusedError(refusal('BUSY', { exchangesServedMax: this.#most }))
    this.#taken++
    this.#takenBy.set(peer, taken + 1)
    return { [Symbol.dispose]: () => this.#leave(peer) }
  }

  #leave(peer: PeerName): void {
    this.#taken--
    const left = this.#takenBy.get(peer)! - 1
    if (left === 0) this.#takenBy.delete(peer)
    else this.#takenBy.set(peer, left)
  }
}
