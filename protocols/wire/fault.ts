/**
 * The two lawful ways in which a conversation goes wrong because of the *other* peer or of circumstances.
 *
 * A {@link Fault} says that the other peer broke the protocol: the stream ends and its standing suffers.
 * A {@link Refusal} is an ordinary message: a lawful "no" with a reason and facts. Our own bugs are neither: they are
 * assertions (`node:assert`) and crash loudly.
 */

/** What a peer did wrong. One word per way, because the operator acts differently on each. */
export type FaultCode =
  | 'FRAME_TOO_LARGE'
  | 'FRAME_TRUNCATED'
  | 'FRAME_MALFORMED'
  | 'SIGNATURE_INVALID'
  | 'DOMAIN_UNEXPECTED'
  | 'NETWORK_FOREIGN'
  | 'SIGNER_UNEXPECTED'
  | 'FIELD_INVALID'
  | 'OUT_OF_TURN'
  | 'PROOF_INVALID'
  | 'CHAIN_BROKEN'
  | 'SEQUENCE_GAP'
  | 'USAGE_FELL'
  | 'NUMBER_NEGATIVE'
  | 'NUMBER_TOO_LARGE'
  | 'OVERCHARGED'
  | 'CREDIT_EXCEEDED'
  | 'EQUIVOCATION'

export type Facts = Readonly<Record<string, string | number | boolean>>

/** The other peer broke the protocol. Thrown by codecs and machines; never by our own mistakes. */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: FaultCode
  readonly facts: Facts

  constructor(code: FaultCode, message: string, facts: Facts = {}) {
    super(message)
    this.code = code
    this.facts = facts
  }
}

/** A lawful "no". `code` is a word from the table in the README of the protocol that carries it. */
export interface Refusal {
  readonly code: string
  readonly facts: Facts
}

/** A refusal that reached a caller who asked for something with a promise. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly code: string
  readonly facts: Facts

  constructor(refusal: Refusal, message?: string) {
    super(message ?? `refused: ${refusal.code}${describeFacts(refusal.facts)}`)
    this.code = refusal.code
    this.facts = refusal.facts
  }
}

export function describeFacts(facts: Facts): string {
  const parts = Object.entries(facts).map(([key, value]) => `${key} ${String(value)}`)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}
