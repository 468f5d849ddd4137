/** Carries out queries: one stream, one question, one answer. */
import { AskWindow, Fault, RefusedError, refusal, type Channel, type PeerName, type Streams } from '../wire/index.ts'
import { decodeDiscovery, encodeDiscovery } from './codec.ts'
import {
  answerBytesMax,
  discoverLimits,
  discoverOpenMs,
  discoverProtocol,
  discoverWithinMs,
  queriesPerPeerMax,
  queriesServedMax,
  queryWindowMs,
  recordsPerAnswerMax,
  type Discovery,
  type Want,
} from './messages.ts'

export interface DiscoverService {
  serve(): Promise<void>
  /** Envelopes that a peer says fit, not yet verified. Rejects with RefusedError, a Fault, or the reason of `signal`. */
  ask(peer: PeerName, want: Want, recordsMax: number, signal: AbortSignal): Promise<readonly Uint8Array[]>
}

export interface DiscoverTimekeeper {
  monotonicMs(): number
  deadline(delayMs: number, parent?: AbortSignal): { readonly signal: AbortSignal; [Symbol.dispose](): void }
}

export function createDiscover(deps: {
  readonly streams: Streams
  readonly timekeeper: DiscoverTimekeeper
  /** Envelopes of records that fit, the best first; at most so many. */
  readonly answer: (want: Want, recordsMax: number, from: PeerName) => readonly Uint8Array[]
}): DiscoverService {
  const { streams, timekeeper, answer } = deps
  const asked = new AskWindow(queryWindowMs, queriesPerPeerMax)
  let served = 0

  const answerTo = (question: Discovery, from: PeerName): Discovery => {
    if (question.say !== 'query') throw new Fault('OUT_OF_TURN', 'QUERY was due', { said: question.say })
    return { say: 'records', envelopes: fitting(answer(question.want, question.recordsMax, from), question.recordsMax) }
  }

  const serve = async (channel: Channel): Promise<void> => {
    using deadline = timekeeper.deadline(discoverWithinMs)
    const frame = await channel.read(deadline.signal)
    if (frame === undefined) return
    const isBusy = served >= queriesServedMax || !asked.takes(channel.remote, timekeeper.monotonicMs())
    served++
    try {
      const message: Discovery = isBusy
        ? { say: 'refused', refusal: refusal('BUSY', { queriesPerPeerMax, queryWindowMs }) }
        : answerTo(decodeDiscovery(frame), channel.remote)
      await channel.write(encodeDiscovery(message), deadline.signal)
    } finally {
      served--
    }
    await channel.close(deadline.signal)
  }

  return {
    serve: async () => streams.handle(discoverProtocol, discoverLimits, serve),
    async ask(peer, want, recordsMax, signal) {
      using opening = timekeeper.deadline(discoverOpenMs, signal)
      const channel = await streams.open(peer, discoverProtocol, discoverLimits, opening.signal)
      using deadline = timekeeper.deadline(discoverWithinMs, signal)
      try {
        await channel.write(encodeDiscovery({ say: 'query', want, recordsMax }), deadline.signal)
        const frame = await channel.read(deadline.signal)
        if (frame === undefined) throw new Fault('OUT_OF_TURN', 'records were due')
        const answered = decodeDiscovery(frame)
        if (answered.say === 'refused') throw new RefusedError(answered.refusal)
        if (answered.say !== 'records') throw new Fault('OUT_OF_TURN', 'RECORDS was due', { said: answered.say })
        const { length } = answered.envelopes
        if (length > recordsMax)
          throw new Fault('FIELD_INVALID', 'more records than were wanted', { records: length, recordsMax })
        await channel.close(deadline.signal)
        return answered.envelopes
      } finally {
        channel.abort(new Error('the exchange is over'))
      }
    },
  }
}

/** The first of them that one frame holds. */
function fitting(envelopes: readonly Uint8Array[], most: number): Uint8Array[] {
  const chosen: Uint8Array[] = []
  let bytes = 0
  for (const envelope of envelopes.slice(0, Math.min(most, recordsPerAnswerMax))) {
    bytes += envelope.byteLength
    if (bytes > answerBytesMax) break
    chosen.push(envelope)
  }
  return chosen
}
