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
  for (const protocol of ['negotiate', 'execute', 'receipt'] as const) {
    const { id, limits } = routes[protocol]
    await courier.register(id, limits, (from, frame) => {
      const carry = decodeCarry(notary, protocol, frame)
      if (haveResumed()) takeCarry(desks, from, carry, (answer) => sendCarry(courier, from, answer))
    })
  }
}

const routes: Record<Carry['protocol'], { readonly id: string; readonly limits: ProtocolLimits }> = {
  negotiate: { id: negotiateProtocol, limits: negotiateLimits },
  execute: { id: executeProtocol, limits: executeLimits },
  receipt: { id: receiptProtocol, limits: receiptLimits },
}

/** Hands a message to the desk that it is for. */
export function takeCarry(desks: Desks, from: PeerName, carry: Carry, answer: (carry: Carry) => void): void {
  const { provider, requester } = desks
  switch (carry.protocol) {
    case 'negotiate':
      provider.onNegotiation(from, carry.message)
      return requester.onNegotiation(from, carry.message)
    case 'execute': {
      const { message } = carry
      const isKnown = provider.onExecution(from, message) || requester.onExecution(from, message)
      // Two peers that know nothing of a lease must not tell each other so for ever.
      if (!isKnown && message.say !== 'unknown')
        answer({ protocol: 'execute', message: { lease: message.lease, say: 'unknown' } })
      return
    }
    case 'receipt':
      provider.onBilling(from, carry.message)
      return requester.onBilling(from, carry.message)
    default:
      return carry satisfies never
  }
}

export function sendCarry(courier: Courier, to: PeerName, carry: Carry): void {
  courier.send(to, routes[carry.protocol].id, encodeCarry(carry))
}

export function encodeCarry(carry: Carry): Uint8Array {
  switch (carry.protocol) {
    case 'negotiate':
      return encodeNegotiation(carry.message)
    case 'execute':
      return encodeExecution(carry.message)
    case 'receipt':
      return encodeBilling(carry.message)
    default:
      return carry satisfies never
  }
}

/** Parses, validates and checks every signature. Throws a Fault. */
export function decodeCarry(notary: Notary, protocol: Carry['protocol'], frame: Uint8Array): Carry {
  switch (protocol) {
    case 'negotiate':
      return { protocol, message: decodeNegotiation(notary, frame) }
    case 'execute':
      return { protocol, message: decodeExecution(frame) }
    case 'receipt':
      return { protocol, message: decodeBilling(notary, frame) }
    default:
      return protocol satisfies never
  }
}
