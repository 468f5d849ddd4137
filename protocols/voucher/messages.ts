/** Vouchers, as the rest of the program sees them. */
import type { Micro, PeerName, ProtocolLimits, Refusal, Signed, StatementType } from '../wire/index.ts'
import type { Address } from './address.ts'

export const voucherProtocol = '/pleach/voucher/1'
export const voucherLimits: ProtocolLimits = { frameBytesMax: 4 * 1024, streamsPerPeerMax: 4 }

export const termsType: StatementType = { name: 'voucher-terms', version: 1 }
export const keyType: StatementType = { name: 'voucher-key', version: 1 }

/** A unit of account's name, and a network's. */
export const nameCharsMax = 64
/** An ASK that is not answered is sent again after this, … */
export const voucherRetransmitMs = 2_000
/** … and no more after this, until something more is owed. */
export const voucherAnswerWithinMs = 30_000
/** For how long a voucher can be redeemed; half of it gone, the same promise is made anew. */
export const voucherTermMs = 365 * 86_400_000

/** Where vouchers are redeemed. */
export interface Redeemer {
  readonly payee: Address
  readonly chainId: number
  readonly contract: Address
}

export interface Terms extends Redeemer {
  readonly payer: PeerName
  readonly unit: string
  readonly issuedMs: number
}

/** Which address signs the vouchers of the peer that signed this. */
export interface VoucherKey {
  readonly address: Address
  readonly issuedMs: number
}

/** What is promised in all, to whom. */
export interface Promised extends Redeemer {
  readonly payer: Address
  readonly network: string
  readonly unit: string
  /** All that the payer has come to owe by agreed statements since the first. */
  readonly cumulativeMicro: Micro
  readonly sequence: number
  /** Seconds since the epoch. */
  readonly expiresAtS: number
  /** SHA-256 of the envelope of the last agreed statement that it covers. */
  readonly statement: Uint8Array
}

export interface Voucher extends Promised {
  /** r, s and v (27 or 28), 65 bytes. */
  readonly signature: Uint8Array
}

export type Vouching =
  | { readonly say: 'ask'; readonly terms: Signed<Terms> }
  | { readonly say: 'voucher'; readonly key: Signed<VoucherKey>; readonly voucher: Voucher }
  | { readonly say: 'taken'; readonly unit: string; readonly sequence: number }
  | { readonly say: 'refuse'; readonly unit: string; readonly refusal: Refusal }

/** The account that a message belongs to, beside who sent it. */
export function unitOfVouching(message: Vouching): string {
  switch (message.say) {
    case 'ask':
      return message.terms.body.unit
    case 'voucher':
      return message.voucher.unit
    case 'taken':
    case 'refuse':
      return message.unit
    default:
      return message satisfies never
  }
}

export function isSameRedeemer(one: Redeemer, other: Redeemer): boolean {
  return one.payee === other.payee && one.chainId === other.chainId && one.contract === other.contract
}
