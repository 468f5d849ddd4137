/**
 * Gossip as the protocols see it: it announces, and nothing that binds goes over it.
 *
 * Implemented over gossipsub in `src/host/gossip.ts` and modelled in `sim/`.
 */
import type { PeerName } from './peer.ts'

/**
 * accept: pass on. ignore: drop silently (old, seen, too often). reject: drop, and hold it against who sent it. excess: drop, and
 * hold it against who sent it when that is the author; whoever else passes it on may not have had as many.
 */
export type Verdict = 'accept' | 'ignore' | 'reject' | 'excess'

export interface TopicHandler {
  /** Longest message, in bytes. */
  readonly messageBytesMax: number
  /** Called once per message, cheap checks first; only what is accepted is passed on and delivered. */
  judge(author: PeerName, message: Uint8Array): Verdict
  /** A message that was accepted. Must not throw. */
  deliver(author: PeerName, message: Uint8Array): void
}

export interface Gossip {
  /** Joins a topic. The returned function leaves it. */
  subscribe(topic: string, handler: TopicHandler): () => void
  /** Announces to the topic. Resolves with how many peers it was handed to; 0 is not an error: publish again later. */
  publish(topic: string, message: Uint8Array): Promise<number>
  /** Peers in our mesh of this topic. Ready means at least one. */
  meshDegree(topic: string): number
}
