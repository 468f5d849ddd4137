/** What keeps a host from starting or dialling because of this machine or its settings. Never the fault of another peer. */
import type { Facts } from '../../protocols/wire/fault.ts'

export type HostErrorCode =
  | 'KEY_EXPOSED'
  | 'KEY_DAMAGED'
  | 'KEY_UNUSABLE'
  | 'PORT_IN_USE'
  | 'LISTEN_FAILED'
  | 'ADDRESS_INVALID'
  | 'NETWORK_INVALID'
  | 'LIBP2P_UNFIT'

/** `message` says what and why; `cure` is one thing a person can do about it. */
export class HostError extends Error {
  override readonly name = 'HostError'
  readonly code: HostErrorCode
  readonly cure: string
  readonly facts: Facts

  constructor(code: HostErrorCode, message: string, cure: string, facts: Facts = {}, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.code = code
    this.cure = cure
    this.facts = facts
  }
}

/** Ours, or the world's: anything thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
