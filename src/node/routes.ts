/** Frames of the message-driven protocols to the desks, and back. */
import { decodeExecution, encodeExecution, executeLimits, executeProtocol } from '../../protocols/execute/index.ts'
import {
  decodeNegotiation,
  encodeNegotiation,
  negotiateLimits,
  negotiateProtocol,
  type Notary,
} from '../../protocols/negotiate/index.ts'
import { decodeBilling, encodeBilling, receiptLimits, receiptProtocol } from '../../protocols/receipt/index.ts'
import type { PeerName, ProtocolLimits } from '../../protocols/wire/index.ts'
import type { Carry } from '../market/carry.ts'
import type { ProviderDesk } from '../market/provider-desk.ts'
import type { RequesterDesk } from '../market/requester-desk.ts'

/** Delivers frames, best effort, in order while a stream lives. What is lost is repeated by the machines. */
export interface Courier {
  register(
    protocol: string,
    limits: ProtocolLimits,
    onFrame: (from: PeerName, frame: Uint8Array) => void,
  ): Promise<void>
  send(peer: PeerName, protocol: string, frame: Uint8Array): void
}

export interface Desks {
  readonly provider: ProviderDesk
  readonly requester: RequesterDesk
}

/**
 * A Fault that a handler throws ends the stream and is held against the peer: that is the courier's business. Until the desks
 * have taken up again what a restart interrupted, what comes is dropped: they would not know their own leases.
 */
export async function openRoutes(
  courier: Courier,
  notary: Notary,
  desks: Desks,
  haveResumed: () => boolean,
): Promise<void> {
  await courier.register(negotiateProtocol, negotiateLimits, (from, frame) => {
    const message = decodeNegotiation(notary, frame)
    if (!haveResumed()) return
    desks.provider.onNegotiation(from, message)
    desks.requester.onNegotiation(from, message)
  })
  await courier.register(executeProtocol, executeLimits, (from, frame) => {
    const message = decodeExecution(frame)
    if (!haveResumed()) return
    const isKnown = desks.provider.onExecution(from, message) || desks.requester.onExecution(from, message)
    // Two peers that know nothing of a lease must not tell each other so for ever.
    if (!isKnown && message.say !== 'unknown')
      sendCarry(courier, from, { protocol: 'execute', message: { lease: message.lease, say: 'unknown' } })
  })
  await courier.register(receiptProtocol, receiptLimits, (from, frame) => {
    const message = decodeBilling(notary, frame)
    if (!haveResumed()) return
    desks.provider.onBilling(from, message)
    desks.requester.onBilling(from, message)
  })
}

export function sendCarry(courier: Courier, to: PeerName, carry: Carry): void {
  switch (carry.protocol) {
    case 'negotiate':
      return courier.send(to, negotiateProtocol, encodeNegotiation(carry.message))
    case 'execute':
      return courier.send(to, executeProtocol, encodeExecution(carry.message))
    case 'receipt':
      return courier.send(to, receiptProtocol, encodeBilling(carry.message))
    default:
      return carry satisfies never
  }
}
