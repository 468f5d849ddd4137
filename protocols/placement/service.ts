/** Carries out the exchanges of placement: one stream, one question, one answer. */
import { decodeObjectManifest } from '../erasure/index.ts'
import {
  Fault,
  RefusedError,
  cidOfDocument,
  refusal,
  type Channel,
  type PeerName,
  type Streams,
} from '../wire/index.ts'
import { decodePlacementMessage, encodePlacementMessage } from './codec.ts'
import {
  exchangeMs,
  placementLimits,
  placementProtocol,
  placementServedMax,
  type Dossier,
  type PlacementMessage,
} from './messages.ts'

/** What a keeper knows and takes. Every "no" is a RefusedError. */
export interface Archive {
  dossier(object: string): Promise<Dossier>
  /** Durable when it resolves. The manifest is lawful and has this CID; the records are still to be opened. */
  keep(object: string, dossier: Dossier, advertise: boolean, from: PeerName): Promise<void>
  /** Grants for so long, or gives back with 0. */
  claim(object: string, forMs: number, from: PeerName): number
}

export interface PlacementService {
  serve(): Promise<void>
  /** The manifest that comes has the CID. Rejects with RefusedError, a Fault, or the reason of `signal`. */
  ask(peer: PeerName, object: string, signal: AbortSignal): Promise<Dossier>
  tell(peer: PeerName, dossier: Dossier, advertise: boolean, signal: AbortSignal): Promise<void>
  /** Resolves with for how long it is granted. */
  claim(peer: PeerName, object: string, forMs: number, signal: AbortSignal): Promise<number>
}

interface Timekeeper {
  deadline(delayMs: number, parent?: AbortSignal): { readonly signal: AbortSignal; [Symbol.dispose](): void }
}

export function createPlacement(deps: {
  readonly streams: Streams
  readonly timekeeper: Timekeeper
  readonly archive: Archive
}): PlacementService {
  const { streams, timekeeper, archive } = deps
  let served = 0

  const exchange = async (
    peer: PeerName,
    question: PlacementMessage,
    signal: AbortSignal,
  ): Promise<PlacementMessage> => {
    using deadline = timekeeper.deadline(exchangeMs, signal)
    const channel = await streams.open(peer, placementProtocol, placementLimits, deadline.signal)
    try {
      await channel.write(encodePlacementMessage(question), deadline.signal)
      const frame = await channel.read(deadline.signal)
      if (frame === undefined) throw new Fault('OUT_OF_TURN', 'an answer was due')
      const answer = decodePlacementMessage(frame)
      if (answer.say === 'refused') throw new RefusedError(answer.refusal)
      await channel.close(deadline.signal)
      return answer
    } finally {
      channel.abort(new Error('the exchange is over'))
    }
  }

  const answerTo = async (question: PlacementMessage, from: PeerName): Promise<PlacementMessage> => {
    switch (question.say) {
      case 'ask':
        return { say: 'dossier', ...(await archive.dossier(question.object)) }
      case 'tell': {
        const { manifest, records, advertise } = question
        decodeObjectManifest(manifest)
        await archive.keep(cidOfDocument(manifest), { manifest, records }, advertise, from)
        return { say: 'kept' }
      }
      case 'claim':
        return { say: 'claimed', forMs: archive.claim(question.object, question.forMs, from) }
      default:
        throw outOfTurn('ASK, TELL or CLAIM', question)
    }
  }

  const answer = async (channel: Channel): Promise<void> => {
    using deadline = timekeeper.deadline(exchangeMs)
    const frame = await channel.read(deadline.signal)
    if (frame === undefined) return
    const question = decodePlacementMessage(frame)
    let message: PlacementMessage
    if (served >= placementServedMax) message = { say: 'refused', refusal: refusal('BUSY', { placementServedMax }) }
    else {
      served++
      try {
        message = await answerTo(question, channel.remote)
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error
        message = { say: 'refused', refusal: { code: error.code, facts: error.facts } }
      } finally {
        served--
      }
    }
    await channel.write(encodePlacementMessage(message), deadline.signal)
    await channel.close(deadline.signal)
  }

  return {
    serve: async () => streams.handle(placementProtocol, placementLimits, answer),
    async ask(peer, object, signal) {
      const answered = await exchange(peer, { say: 'ask', object }, signal)
      if (answered.say !== 'dossier') throw outOfTurn('DOSSIER', answered)
      const { manifest, records, cached } = answered
      if (cidOfDocument(manifest) !== object)
        throw new Fault('PROOF_INVALID', 'the manifest is not the one that was asked for', { object })
      return { manifest, records, ...(cached === undefined ? {} : { cached }) }
    },
    async tell(peer, { manifest, records }, advertise, signal) {
      const answered = await exchange(peer, { say: 'tell', manifest, records, advertise }, signal)
      if (answered.say !== 'kept') throw outOfTurn('KEPT', answered)
    },
    async claim(peer, object, forMs, signal) {
      const answered = await exchange(peer, { say: 'claim', object, forMs }, signal)
      if (answered.say !== 'claimed') throw outOfTurn('CLAIMED', answered)
      return answered.forMs
    },
  }
}

function outOfTurn(due: string, message: PlacementMessage): Fault {
  return new Fault('OUT_OF_TURN', `${due} was due`, { said: message.say })
}
