/** Carries out the exchange: one stream, one question, one answer. */
import {
  AskWindow,
  Fault,
  RefusedError,
  refusal,
  type Channel,
  type Notary,
  type PeerName,
  type Streams,
} from '../wire/index.ts'
import { decodeReferring, encodeReferring, openReferences } from './codec.ts'
import {
  questionWindowMs,
  questionsPerPeerMax,
  questionsServedMax,
  referencesLimits,
  referencesProtocol,
  referencesWithinMs,
  type Reference,
  type Referring,
  type ShownReference,
} from './messages.ts'

export interface ReferencesService {
  serve(): Promise<void>
  /** For whom this peer worked: checked, as far as two signatures go. Rejects with RefusedError, a Fault, or the reason of `signal`. */
  ask(peer: PeerName, signal: AbortSignal): Promise<Reference[]>
}

export interface Timekeeper {
  monotonicMs(): number
  deadline(delayMs: number, parent?: AbortSignal): { readonly signal: AbortSignal; [Symbol.dispose](): void }
}

export function createReferences(deps: {
  readonly streams: Streams
  readonly timekeeper: Timekeeper
  readonly notary: Notary
  /** What is shown of us: at most `referencesMax`. */
  readonly shown: () => readonly ShownReference[]
}): ReferencesService {
  const { streams, timekeeper, notary, shown } = deps
  let served = 0
  const asked = new AskWindow(questionWindowMs, questionsPerPeerMax)

  const answer = async (channel: Channel): Promise<void> => {
    using deadline = timekeeper.deadline(referencesWithinMs)
    const frame = await channel.read(deadline.signal)
    if (frame === undefined) return
    const { say } = decodeReferring(frame)
    if (say !== 'question') throw new Fault('OUT_OF_TURN', 'QUESTION was due', { said: say })
    let message: Referring
    if (served >= questionsServedMax || !asked.takes(channel.remote, timekeeper.monotonicMs()))
      message = { say: 'refused', refusal: refusal('BUSY', { questionsPerPeerMax, questionWindowMs }) }
    else message = { say: 'references', shown: shown() }
    served++
    try {
      await channel.write(encodeReferring(message), deadline.signal)
      await channel.close(deadline.signal)
    } finally {
      served--
    }
  }

  return {
    serve: async () => streams.handle(referencesProtocol, referencesLimits, answer),
    async ask(peer, signal) {
      using deadline = timekeeper.deadline(referencesWithinMs, signal)
      const channel = await streams.open(peer, referencesProtocol, referencesLimits, deadline.signal)
      try {
        await channel.write(encodeReferring({ say: 'question' }), deadline.signal)
        const frame = await channel.read(deadline.signal)
        if (frame === undefined) throw new Fault('OUT_OF_TURN', 'references were due')
        const answered = decodeReferring(frame)
        if (answered.say === 'refused') throw new RefusedError(answered.refusal)
        if (answered.say !== 'references') throw new Fault('OUT_OF_TURN', 'REFERENCES were due', { said: answered.say })
        const references = openReferences(notary, peer, answered.shown)
        await channel.close(deadline.signal)
        return references
      } finally {
        channel.abort(new Error('the exchange is over'))
      }
    },
  }
}
