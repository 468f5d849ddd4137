/** Carries out the exchanges of storage receipts: one stream, one question, one answer. */
import type { Notary } from '../negotiate/index.ts'
import { Fault, refusal, type Channel, type PeerName, type Streams } from '../wire/index.ts'
import { decodeStorage, encodeStorage } from './codec.ts'
import { storageExchangeMs, storageLimits, storageProtocol, storageServedMax, type StorageMessage } from './messages.ts'

export interface StorageExchange {
  /** `answer` resolves when what it says is durable; a Fault that it throws ends the stream. */
  serve(answer: (question: StorageMessage, from: PeerName) => Promise<StorageMessage>): Promise<void>
  /** Resolves with what the keeper says. Rejects with a Fault, or the reason of `signal`. */
  ask(keeper: PeerName, question: StorageMessage, signal: AbortSignal): Promise<StorageMessage>
}

interface Timekeeper {
  deadline(delayMs: number, parent?: AbortSignal): { readonly signal: AbortSignal; [Symbol.dispose](): void }
}

export function createStorageExchange(deps: {
  readonly streams: Streams
  readonly timekeeper: Timekeeper
  readonly notary: Notary
}): StorageExchange {
  const { streams, timekeeper, notary } = deps
  let served = 0

  return {
    async serve(answer) {
      await streams.handle(storageProtocol, storageLimits, async (channel: Channel) => {
        using deadline = timekeeper.deadline(storageExchangeMs)
        const frame = await channel.read(deadline.signal)
        if (frame === undefined) return
        let message: StorageMessage = { say: 'refused', refusal: refusal('BUSY', { storageServedMax }) }
        if (served < storageServedMax) {
          served++
          try {
            message = await answer(decodeStorage(notary, frame), channel.remote)
          } finally {
            served--
          }
        }
        await channel.write(encodeStorage(message), deadline.signal)
        await channel.close(deadline.signal)
      })
    },
    async ask(keeper, question, signal) {
      using deadline = timekeeper.deadline(storageExchangeMs, signal)
      const channel = await streams.open(keeper, storageProtocol, storageLimits, deadline.signal)
      try {
        await channel.write(encodeStorage(question), deadline.signal)
        const frame = await channel.read(deadline.signal)
        if (frame === undefined) throw new Fault('OUT_OF_TURN', 'an answer was due')
        const answer = decodeStorage(notary, frame)
        await channel.close(deadline.signal)
        return answer
      } finally {
        channel.abort(new Error('the exchange is over'))
      }
    },
  }
}
